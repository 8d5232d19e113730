"""A sink's storage without threads: work of the disk, the journal and the reactor, a turn each."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock

from socketsuite.storage.batches import Receipt, Write
from socketsuite.storage.beneath import Folder
from socketsuite.storage.destination import Destination
from socketsuite.storage.journal_file import lines_of
from socketsuite.storage.journal_lines import (
    HEADER,
    Began,
    Entry,
    JournalError,
    StreamAdded,
    encode,
    read,
)
from socketsuite.storage.journal_state import JournalState
from socketsuite.storage.queue_items import Barrier
from socketsuite.storage.recovery import Recovery
from socketsuite.storage.setup import Setup
from socketsuite.storage.store import Store
from socketsuite.storage.streams import Stream, Streams
from socketsuite.wire.records import RawFramer


class Turns:
    """Work that waits until it is told to be done."""

    def __init__(self) -> None:
        self.waiting: deque[Callable[[], object]] = deque()

    def call(self, work: Callable[..., object], *args: Any) -> None:
        """Keep *work* for later."""
        self.waiting.append(lambda: work(*args))

    def run(self) -> int:
        """Do what waits, and what that leads to; return how much that was."""
        count = 0
        while self.waiting:
            self.waiting.popleft()()
            count += 1
        return count


class FakeReactor(Clock):
    """A clock to which threads come back by turns."""

    def __init__(self) -> None:
        super().__init__()
        self.turns = Turns()
        self.callFromThread = self.turns.call


class Disk:
    """A store over a folder, whose journal is a list.

    :ivar journal: what was committed, each time; *state* what that comes to.
    :ivar receipts: what streams were confirmed, in their order.
    """

    def __init__(self, path: Path, **options: Any) -> None:
        self.folder = Folder(path)
        self.reactor = FakeReactor()
        self.threads = Turns()
        self.journal: list[list[Entry]] = [[Began("this boot", 0)]]
        self.synced_lines = 1
        self.state = JournalState(tails=True)
        self.receipts: list[Receipt] = []
        self.told: list[object] = []
        self.closed: list[str] = []
        self.changes: list[str | None] = []
        self.hears_receipts: Callable[[Receipt], object] = lambda one: None
        settings: dict[str, Any] = {
            "sync": "always",
            "rotate_size": 0,
            "rotate_every": 0.0,
            "framer": RawFramer(),
            "journaled": True,
            "own_files": False,
            "devices": False,
            "seconds": self.reactor.seconds,
            "clock": self.reactor.seconds,
            "commit": self._commit,
            "declare": self._declare,
            "no_room": lambda size: None,
            "closed": lambda one: self.closed.append(one.segment),
            "tell": lambda event, level: self.told.append(event),
            "retry_seconds": 0.0,
        }
        threads: Any = self.threads
        self.setup = Setup(folder=self.folder, threads=threads, **{**settings, **options})
        self.store = Store(self.setup, self.reactor, 8, self._receipts, self._has_changed)
        self.streams = Streams(100)

    def _receipts(self, receipts: list[Receipt]) -> None:
        for one in receipts:
            one.stream.receipt = one.offset, one.root
            if one.durable:
                one.stream.durable = one.offset
            self.hears_receipts(one)
        self.receipts += receipts

    def _commit(self, entries: list[Entry], sync: bool, then: Callable[[], object]) -> None:
        self._declare(entries, sync)
        self.reactor.turns.call(then)

    def _declare(self, entries: list[Entry], sync: bool = True) -> None:
        self.journal.append(entries)
        self.state.apply(entries)
        if sync:
            self.synced_lines = len(self.journal)

    def _has_changed(self, destination: Destination) -> None:
        self.changes.append(destination.trouble)

    def stream(self, name: str = "s") -> Stream:
        """Return a stream, which the journal knows."""
        if name not in self.streams.by_name:
            stream = self.streams.add(name, 0.0)
            self._declare([StreamAdded(stream.number, name)], sync=False)
        return self.streams.by_name[name]

    def write_journal(self, lines: int | None = None) -> None:
        """Leave what a process would that is killed now, or only so many lines of it."""
        said = [encode(entries) for entries in self.journal[:lines] if entries]
        (self.folder.path / "~journal").write_bytes(HEADER + b"".join(said))

    def go_on(self, found: Recovery) -> None:
        """Begin with what was found, as the next process does."""
        os.close(found.descriptor)
        with (self.folder.path / "~journal").open("rb") as file:
            said = [one for one in read(lines_of(file)) if not isinstance(one, JournalError)]
        self.journal = [*said, [Began("this boot", 0)]]
        self.synced_lines = len(self.journal)
        self.state = found.state
        self.state.apply(self.journal[-1])
        self.setup.files.update(found.files)
        self.setup.last_number = found.state.last_file
        self.streams.by_name = {one.name: one for one in found.streams}
        self.streams.last_number = found.state.last_stream

    def open(self, name: str = "a") -> Destination:
        """Return a destination."""
        return self.store.destinations.get(name) or self.store.open(name)

    def write(self, data: bytes, stream: Stream | None = None, name: str = "a") -> None:
        """Queue bytes."""
        if stream is not None:
            stream.enqueued += len(data)
        self.open(name).put(Write([data], len(data), stream))

    def sync(self, then: Callable[[], object] | None = None, name: str = "a") -> None:
        """Queue a sync."""
        self.open(name).put(Barrier(then, sync=True))

    def run(self) -> None:
        """Do all that waits, in threads and reactor."""
        while self.threads.run() + self.reactor.turns.run():
            pass

    def read(self, name: str = "a") -> bytes:
        """Return what a file holds."""
        return (self.folder.path / name).read_bytes()

    def names(self) -> list[str]:
        """Return which files there are."""
        return sorted(self.folder.listdir())
