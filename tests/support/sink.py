"""A file sink in the test's process: real threads and files, a reactor that the test turns."""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock

from socketsuite.services.filesink.ack import AckFactory
from socketsuite.services.filesink.raw import RawFactory
from socketsuite.services.filesink.sink import FileSink
from tests.services.streams import FakeStream

_DEADLINE = 10.0


class TurnedReactor(Clock):
    """A clock, and calls from threads, which happen when the test lets them."""

    def __init__(self) -> None:
        super().__init__()
        self.from_threads: queue.Queue[tuple[Callable[..., object], tuple[Any, ...]]] = (
            queue.Queue()
        )

    def callFromThread(self, call: Callable[..., object], *words: Any) -> None:
        self.from_threads.put((call, words))

    def until(self, there: Callable[[], object]) -> None:
        """Let calls from threads happen until *there* is true."""
        deadline = time.monotonic() + _DEADLINE
        while not there():
            # A thread may have done something without a word: it is looked at again now and then.
            assert time.monotonic() < deadline, "it has not come to be"
            with contextlib.suppress(queue.Empty):
                call, words = self.from_threads.get(timeout=0.05)
                call(*words)


class Line(FakeStream):
    """One connection: what was written, whether reading is paused, and how it ended."""

    def __init__(self, protocol: Any, host: str = "192.0.2.1") -> None:
        self.reading = True
        self.closed = self.reset = False
        self.peer = IPv4Address("TCP", host, 40000)
        super().__init__(protocol)

    def getPeer(self) -> Any:
        return self.peer

    def loseConnection(self) -> None:
        self.closed = True

    def abortConnection(self) -> None:
        self.reset = True

    def pauseProducing(self) -> None:
        self.reading = False

    def resumeProducing(self) -> None:
        self.reading = True

    @property
    def lines(self) -> list[bytes]:
        """The lines that were written so far."""
        return b"".join(self.writes).splitlines()

    def replies(self, word: bytes) -> list[list[bytes]]:
        """Return the words of each line that begins with *word*."""
        return [line.split() for line in self.lines if line.split()[0] == word]


class Sink:
    """A file sink with its frontends.

    :ivar told: the events that it logged.
    """

    def __init__(self, file: Path | str, *, ack: bool = True, **settings: Any) -> None:
        self.reactor = TurnedReactor()
        self.told: list[Any] = []
        self.service = FileSink(reactor=self.reactor, emit=self._emit, file=str(file), **settings)
        self.raw = RawFactory(self.service)
        self.ack = AckFactory(self.service, self.reactor) if ack else None
        self._wait(self.service.start_service())

    def _emit(self, event: object, *, level: str = "info") -> None:
        self.told.append(event)

    def events(self, kind: type) -> list[Any]:
        """Return the events of one kind."""
        return [event for event in self.told if isinstance(event, kind)]

    def connect(self, host: str = "192.0.2.1") -> Line:
        """Connect to the raw frontend."""
        return Line(self.raw.buildProtocol(None), host)

    def sender(self) -> Line:
        """Connect to the frontend with acknowledgements."""
        assert self.ack is not None
        return Line(self.ack.buildProtocol(None))

    def deliver(self, data: bytes) -> None:
        """Send *data* by the raw frontend, and wait until it is confirmed."""
        line = self.connect()
        line.protocol.dataReceived(data)
        self.finish(line)

    def finish(self, line: Line) -> None:
        """Close the caller's half, and wait until the sink closes."""
        line.protocol.readConnectionLost()
        self.until(lambda: line.closed or line.reset)
        assert not line.reset
        line.gone()

    def upload(self, stream: str, data: bytes, offset: int = 0) -> Line:
        """Send *data* as a stream to its end, and wait until all is acknowledged."""
        line = self.sender()
        head = b"STREAM %s\nDATA %d %d\n" % (stream.encode(), offset, len(data))
        line.protocol.dataReceived(head + data + b"END %d\n" % (offset + len(data)))
        self.until(lambda: line.replies(b"DONE") or line.half_closed)
        line.gone()
        return line

    def until(self, there: Callable[[], object]) -> None:
        """Let threads' calls happen until *there* is true."""
        self.reactor.until(there)

    def settle(self) -> None:
        """Wait until nothing waits for a disk."""
        self.until(lambda: not any(one.queued for one in self.destinations.values()))

    @property
    def destinations(self) -> Any:
        """What is written to, by name."""
        return self.service.keeper.store.destinations

    def stop(self) -> None:
        """End in good order."""
        self._wait(self.service.stop_service())

    def _wait(self, waited: Any) -> None:
        done: list[Any] = []
        waited.addBoth(done.append)
        self.until(lambda: done)
        if done[0] is not None:
            done[0].raiseException()
