"""A transfer against a server in the test's hands: no sockets, a clock that is turned by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from socketsuite.cli.sending.connection import AckConnection
from socketsuite.cli.sending.sources import FileSource
from socketsuite.cli.sending.transfer import Tally, Transfer
from socketsuite.wire.acks import (
    Payload,
    Ready,
    RequestParser,
)
from socketsuite.wire.merkle import LEAF, TreeHash

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
