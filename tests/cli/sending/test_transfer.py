"""A transfer against a scripted server: no sockets, a clock that is turned by hand."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from socketsuite.cli.sending.connection import PING_AFTER, SILENCE, AckConnection, Broken, Refused
from socketsuite.cli.sending.receipts_file import ReceiptsFile
from socketsuite.cli.sending.sources import FileSource
from socketsuite.cli.sending.transfer import Tally, Transfer
from socketsuite.transport.dial.failed import Failed
from socketsuite.wire.acks import (
    Ack,
    Data,
    Done,
    End,
    Error,
    Go,
    Held,
    Payload,
    Ping,
    Pong,
    Ready,
    RequestParser,
    Stream,
    Wait,
    signed_text,
)
from socketsuite.wire.merkle import LEAF, TreeHash
from socketsuite.wire.receipts import Key, Leaf, Receipt, read_lines

TIME = 1_790_000_000_000


def root(data: bytes) -> bytes:
    tree = TreeHash()
    tree.feed(data)
    return tree.root()


class Fed:
    """A source that is given its bytes by the test, as a pipe is."""

    name = "it"

    def __init__(self) -> None:
        self.end: int | None = None
        self.data = b""
        self.released = 0
        self._waits: list[Deferred[None]] = []

    def open(self, reactor: Any) -> None:
        pass

    def read(self, offset: int, most: int) -> bytes:
        assert offset >= self.released
        return self.data[offset : offset + most]

    def more(self) -> Deferred[None]:
        self._waits.append(Deferred())
        return self._waits[-1]

    def release(self, offset: int) -> None:
        self.released = offset

    def close(self) -> None:
        pass

    def feed(self, data: bytes, *, end: bool = False) -> None:
        self.data += data
        self.end = len(self.data) if end else None
        waits, self._waits = self._waits, []
        for one in waits:
            one.callback(None)


class Stage:
    """A transfer, and the server's end of its connection in the test's hands."""

    def __init__(self, source: Any, **options: Any) -> None:
        self.clock = Clock()
        self.said: list[str] = []
        self.tally = Tally()
        self.transfer = Transfer(
            self.clock, source, "s", self.tally, say=self.said.append,
            **{"append": False, "receipts": None, "progressed": lambda: None, **options},
        )  # fmt: skip

    def connect(self, key: bytes | None = None) -> None:
        self.connection = AckConnection(self.clock)
        self.wire = StringTransport()
        self.wire.abortConnection = lambda: None  # type: ignore[method-assign]
        self.connection.makeConnection(self.wire)
        self._parser = RequestParser(1 << 20)
        opened = Deferred.fromCoroutine(self.connection.opened(5))
        self.answer(Ready("always", "raw", 1 << 20, LEAF, key))
        assert opened.called
        self.attempt = Deferred.fromCoroutine(self.transfer.attempt(self.connection))
        self.error: Any = None
        self.attempt.addErrback(self._failed)

    def _failed(self, failure: Failure) -> None:
        self.error = failure.value

    def answer(self, *replies: Any) -> None:
        self.connection.dataReceived(b"".join(one.encode() for one in replies))
        self.clock.pump([0] * 30)

    def heard(self) -> list[Any]:
        """Return what was sent since the last time; of a DATA its bytes."""
        self._parser.feed(self.wire.value())
        self.wire.clear()
        found = []
        while (event := self._parser.next_event()) is not None:
            found.append(bytes(event.data) if isinstance(event, Payload) else event)
        return found

    def lose(self) -> None:
        self.connection.connectionLost(Failure(ConnectionLost()))

    @property
    def is_done(self) -> bool:
        return bool(self.attempt.called) and self.error is None


def file_of(tmp_path: Path, data: bytes) -> FileSource:
    (tmp_path / "file").write_bytes(data)
    return FileSource("file", str(tmp_path / "file"), follow=True)


def test_a_file_is_sent_from_where_the_sink_is_and_is_done_when_all_is_durable(
    tmp_path: Path,
) -> None:
    stage = Stage(file_of(tmp_path, b"abcdef"))
    stage.connect()
    assert stage.heard() == [Stream("s")]
    stage.answer(Held("s", 2, root(b"ab")))
    assert stage.heard() == [Data(2, 4), b"cdef", End(6)]
    stage.answer(Ack(4, root(b"abcd"), TIME))
    assert not stage.attempt.called
    stage.answer(Done(6, root(b"abcdef"), TIME))
    assert stage.is_done
    assert stage.tally == Tally(sent=4, acked=6, skipped=2, resumed=0)


def test_after_a_break_it_goes_on_behind_what_is_durable(tmp_path: Path) -> None:
    stage = Stage(file_of(tmp_path, b"abcdef"))
    stage.connect()
    stage.answer(Held("s", 0, root(b"")), Ack(3, root(b"abc"), TIME))
    stage.lose()
    assert isinstance(stage.error, Broken)
    stage.connect()
    assert stage.heard() == [Stream("s")]
    stage.answer(Held("s", 5, root(b"abcde")))
    assert stage.heard() == [Data(5, 1), b"f", End(6)]
    stage.answer(Done(6, root(b"abcdef"), TIME))
    assert stage.is_done
    assert stage.tally == Tally(sent=7, acked=6, skipped=0, resumed=1)


@pytest.mark.parametrize(
    ("held", "code", "words"),
    [
        (Held("s", 2, root(b"xy")), "other-bytes", "other bytes .* --stream ID"),
        (Held("s", 7, root(b"abcdefg")), "other-bytes", "holds 7 bytes .* has 6; --stream ID"),
        (Held("t", 0, root(b"")), "protocol", "another stream"),
        (Ack(0, root(b""), TIME), "protocol", "nobody asked"),
        (Error("bad-stream", "no such name"), "daemon-refused", "no such name"),
    ],
)
def test_a_stream_that_is_not_ours_is_an_error(
    tmp_path: Path, held: Any, code: str, words: str
) -> None:
    stage = Stage(file_of(tmp_path, b"abcdef"))
    stage.connect()
    stage.answer(held)
    assert stage.error.code == code
    with pytest.raises(Failed, match=words):
        raise stage.error
    assert stage.heard() == [Stream("s")]


def test_a_sink_that_has_lost_what_it_acknowledged_is_told(tmp_path: Path) -> None:
    stage = Stage(file_of(tmp_path, b"abcdef"))
    stage.connect()
    stage.answer(Held("s", 0, root(b"")), Ack(3, root(b"abc"), TIME))
    stage.lose()
    stage.connect()
    stage.answer(Held("s", 0, root(b"")))
    assert stage.error.code == "other-bytes"
    assert "has lost some" in str(stage.error)


@pytest.mark.parametrize(
    "receipt",
    [
        Ack(3, root(b"xyz"), TIME),
        Ack(7, root(b"abcdefg"), TIME),
        Ack(1, root(b"a"), TIME),
        Done(6, root(b"abcdeg"), TIME),
        Done(5, root(b"abcde"), TIME),
    ],
)
def test_a_receipt_for_anything_but_what_was_sent_is_an_error(tmp_path: Path, receipt: Any) -> None:
    stage = Stage(file_of(tmp_path, b"abcdef"))
    stage.connect()
    stage.answer(Held("s", 2, root(b"ab")), receipt)
    assert stage.error.code == "bad-receipt"


def test_a_file_that_changes_or_becomes_shorter_meanwhile_is_told(tmp_path: Path) -> None:
    stage = Stage(file_of(tmp_path, b"abcdef"))
    stage.connect()
    stage.answer(Held("s", 0, root(b"")))
    (tmp_path / "file").write_bytes(b"abcdeg")
    stage.answer(Done(6, root(b"abcdef"), TIME))
    assert "has changed meanwhile" in str(stage.error)
    stage = Stage(file_of(tmp_path, b"abcdef"))
    stage.connect()
    (tmp_path / "file").write_bytes(b"abc")
    stage.answer(Held("s", 3, root(b"abc")))
    assert (stage.error.code, str(stage.error)) == (
        "input",
        "file became shorter while it was sent",
    )


def test_a_file_that_grows_is_sent_as_long_as_it_was(tmp_path: Path) -> None:
    stage = Stage(file_of(tmp_path, b"abc"))
    stage.connect()
    (tmp_path / "file").write_bytes(b"abcdef")
    stage.answer(Held("s", 0, root(b"")))
    assert stage.heard()[1:] == [Data(0, 3), b"abc", End(3)]


def test_a_pipe_is_sent_as_it_comes_and_let_go_of_as_it_is_acknowledged() -> None:
    source = Fed()
    stage = Stage(source)
    stage.connect()
    stage.answer(Held("s", 2, root(b"ab")))
    source.feed(b"a")
    assert stage.heard() == [Stream("s")]
    source.feed(b"bc")
    stage.clock.pump([0] * 5)
    assert stage.heard() == [Data(2, 1), b"c"]
    source.feed(b"d")
    assert (stage.heard(), source.released) == ([Data(3, 1), b"d"], 2)
    stage.answer(Ack(3, root(b"abc"), TIME))
    assert source.released == 3
    source.feed(b"", end=True)
    assert stage.heard() == [End(4)]
    stage.answer(Done(4, root(b"abcd"), TIME))
    assert stage.is_done


def test_to_append_begins_at_the_end_of_the_stream_and_compares_nothing() -> None:
    source = Fed()
    source.feed(b"new", end=True)
    stage = Stage(source, append=True)
    stage.connect()
    stage.answer(Held("s", 1000, root(b"whatever")))
    assert stage.heard()[1:] == [Data(1000, 3), b"new", End(1003)]
    stage.answer(Ack(1001, root(b"x"), TIME))
    stage.lose()
    stage.connect()
    stage.answer(Held("s", 1002, root(b"y")))
    assert stage.heard()[1:] == [Data(1002, 1), b"w", End(1003)]
    stage.answer(Done(1003, root(b"z"), TIME))
    assert stage.is_done
    assert stage.tally == Tally(sent=4, acked=3, skipped=0, resumed=1)


def test_signed_receipts_are_checked_and_kept_with_the_leaves_that_they_are_of(
    tmp_path: Path,
) -> None:
    data = bytes(range(256)) * 300
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw()

    def signed(kind: type[Ack], size: int) -> Ack:
        digest = root(data[:size])
        return kind(size, digest, TIME, key.sign(signed_text("s", size, digest, TIME)))

    kept = ReceiptsFile(tmp_path / "receipts")
    stage = Stage(file_of(tmp_path, data), receipts=kept)
    stage.connect(public)
    receipts = [signed(Ack, 10), signed(Ack, LEAF + 1), signed(Done, len(data))]
    stage.answer(Held("s", 0, root(b"")), *receipts)
    assert stage.is_done
    kept.close()
    with (tmp_path / "receipts").open("rb") as file:
        lines = [line for _, line in read_lines(file)]
    first, second, third = (Receipt("s", r.offset, r.hash, TIME, r.signature) for r in receipts)
    leaves = Leaf.of("s", 0, data[:LEAF]), Leaf.of("s", 1, data[LEAF:])
    assert lines == [Key(public), first, leaves[0], second, leaves[1], third]


@pytest.mark.parametrize("signature", [None, bytes(64)])
def test_a_receipt_that_is_not_signed_by_the_announced_key_is_an_error(
    tmp_path: Path, signature: bytes | None
) -> None:
    public = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    stage = Stage(file_of(tmp_path, b"abc"))
    stage.connect(public)
    stage.answer(Held("s", 0, root(b"")), Done(3, root(b"abc"), TIME, signature))
    assert stage.error.code == "bad-receipt"
    assert "signature" in str(stage.error)


def test_silence_is_asked_about_and_then_the_connection_is_given_up(tmp_path: Path) -> None:
    stage = Stage(file_of(tmp_path, b"abc"))
    stage.connect()
    stage.answer(Held("s", 0, root(b"")))
    stage.heard()
    stage.clock.pump([1] * int(PING_AFTER))
    assert stage.heard() == [Ping()]
    stage.answer(Pong())
    stage.clock.pump([1] * int(PING_AFTER))
    assert stage.heard() == [Ping()]
    assert not stage.attempt.called
    stage.clock.pump([1] * int(SILENCE - PING_AFTER))
    assert isinstance(stage.error, Broken)
    assert stage.error.code == "timeout"


def test_a_server_that_waits_is_waited_for_and_a_person_is_told(tmp_path: Path) -> None:
    signs: list[None] = []
    stage = Stage(file_of(tmp_path, b"abc"), progressed=lambda: signs.append(None))
    stage.connect()
    stage.answer(Held("s", 0, root(b"")))
    before = len(signs)
    stage.answer(Wait("disk-full"))
    assert len(signs) == before + 1
    stage.clock.pump([1] * int(10 * SILENCE))
    assert not stage.attempt.called
    stage.answer(Go())
    assert len(signs) == before + 2
    stage.answer(Done(3, root(b"abc"), TIME))
    assert stage.is_done
    assert stage.said == ["the server waits (disk-full); nothing is lost", "the server goes on"]


def test_an_error_of_the_server_is_told_though_the_connection_ends_behind_it(
    tmp_path: Path,
) -> None:
    stage = Stage(file_of(tmp_path, b"abc"))
    stage.connect()
    stage.answer(Held("s", 0, root(b"")), Error("in-use", "somebody else sends it"))
    stage.lose()
    assert isinstance(stage.error, Refused)
    assert stage.error.reason == "in-use"


@pytest.mark.parametrize("first", [b"220 smtp ready\r\n", b"\x16\x03\x01\n", Ready("a", "b", 1, 5)])
def test_what_speaks_something_else_is_told(first: Any) -> None:
    connection = AckConnection(Clock())
    wire = StringTransport()
    connection.makeConnection(wire)
    opened = Deferred.fromCoroutine(connection.opened(5))
    connection.dataReceived(first if isinstance(first, bytes) else first.encode())
    failures: list[Any] = []
    opened.addErrback(failures.append)
    assert failures[0].value.code == "protocol"


def test_no_more_is_written_than_the_transport_takes(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    data = bytes(3 << 18)
    stage = Stage(file_of(tmp_path, data))
    stage.connect()
    writable: Any = stage.wire.producer
    assert stage.connection.ready.called
    writable.pauseProducing()
    stage.answer(Held("s", 0, root(b"")))
    assert stage.heard() == [Stream("s")]
    stage.clock.advance(PING_AFTER - 1)
    written = stage.wire.writeSequence

    def write(pieces: Any) -> None:
        writable.pauseProducing()
        written(pieces)

    stage.wire.writeSequence = write  # type: ignore[method-assign]
    for turn in range(3):
        writable.resumeProducing()
        assert stage.heard() == [Data(turn << 18, 1 << 18), bytes(1 << 18)]
    stage.clock.pump([1] * 5)
    assert stage.heard() == []  # what was taken is a sign of life, too
    writable.resumeProducing()
    assert stage.heard() == [End(3 << 18)]
    stage.answer(Done(3 << 18, root(data), TIME))
    assert stage.is_done
    stage.connection.close()
    assert (stage.wire.producer, stage.wire.disconnecting) == (None, True)
    stage.transfer.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_no_more_is_read_than_is_asked_for() -> None:
    stage = Stage(Fed())
    stage.connect()
    wire = stage.wire
    pauses: list[None] = []
    pause = wire.pauseProducing

    def count() -> None:
        pauses.append(None)
        pause()

    wire.pauseProducing = count  # type: ignore[method-assign]
    stage.answer(Held("s", 0, root(b"")))
    stage.attempt.cancel()
    for _ in range(100):
        stage.connection.dataReceived(Pong().encode() * 1000)
    assert (wire.producerState, len(pauses)) == ("paused", 1)
    stage.clock.pump([1] * 100)
    stage.connection.dataReceived(Wait("quota").encode())
    replied = Deferred.fromCoroutine(stage.connection.reply())
    assert wire.producerState == "paused"
    assert replied.called
    Deferred.fromCoroutine(stage.connection.reply())
    assert wire.producerState == "producing"
