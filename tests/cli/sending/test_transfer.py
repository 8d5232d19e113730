"""A transfer: where it begins, what it sends, and what it takes for a receipt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from socketsuite.cli.sending.connection import Broken
from socketsuite.cli.sending.receipts_file import ReceiptsFile
from socketsuite.cli.sending.transfer import Tally
from socketsuite.transport.dial.failed import Failed
from socketsuite.wire.acks import (
    Ack,
    Data,
    Done,
    End,
    Error,
    Held,
    Stream,
    signed_text,
)
from socketsuite.wire.merkle import LEAF
from socketsuite.wire.receipts import Key, Leaf, Receipt, read_lines
from tests.support.ack_stage import TIME, Fed, Stage, file_of, root


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
