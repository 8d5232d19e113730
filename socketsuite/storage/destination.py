"""A queue in front of one file, and what a thread does with it: write, sync, commit, rotate.

The reactor's side never waits.  What is queued together is written together, synced once, and
committed to the journal as one line; only then is anybody told.  When the file cannot be written
or synced, that is the end of it until somebody has it opened anew: nothing is tried again as if
it had not happened.  A full disk is waited for.  This module must not know who sends, nor how.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from socketsuite.storage.append_file import FULL, NO_DESCRIPTORS
from socketsuite.storage.batches import Receipt, Write, account
from socketsuite.storage.current_file import CurrentFile
from socketsuite.storage.journal_lines import Leaves, Skipped
from socketsuite.storage.queue_items import (
    Barrier,
    Close,
    Item,
    Rotate,
    is_queued,
    size_of,
    tell_failed,
    weight_of,
)
from socketsuite.storage.setup import Setup
from socketsuite.storage.streams import Stream
from socketsuite.wire.merkle import TreeHash


class StoppedError(Exception):
    """The sink ends while it waits for room."""


@dataclass(eq=False)
class Destination:
    """One file that senders write to.

    :ivar senders: who has bytes for it.
    :ivar queued: bytes of memory that what is not committed takes.
    :ivar trouble: why the file has failed.
    :ivar refused: whether that is for its name, which a sender chose, and costs nobody else.
    :ivar waiting_for: why it cannot be written for now.
    :ivar used: when it was last written to; *ended*: it is none of the store's any more.
    """

    name: str
    setup: Setup
    in_reactor: Callable[..., object]
    on_receipts: Callable[[list[Receipt]], object]
    on_change: Callable[[Destination], object]
    senders: set[Any] = field(default_factory=set)
    queued: int = 0
    trouble: str | None = None
    refused: bool = False
    waiting_for: str | None = None
    paused: bool = False
    closing: bool = False
    ended: bool = False
    used: float = 0.0
    moved_at: float = 0.0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._queue: list[Item] = []
        self._scheduled, self._broken, self._generation = False, False, 0
        self._stopping = threading.Event()
        self._file = CurrentFile(self.name, self.setup)
        self._unsynced: dict[Stream, Receipt] = {}
        # What the trees of streams were when the file was last synced.
        self._synced: dict[Stream, TreeHash] = {}
        self._told_reason: str | None = None

    # ── in the reactor's thread ─────────────────────────────────────────────────────

    def put(self, item: Item) -> None:
        """Queue *item*; after a failure nothing becomes of it."""
        if self.trouble is not None:
            tell_failed([item], self.trouble)
            return
        if type(item) is Write:
            self.used = self.setup.seconds()
            if not self.queued:
                self.moved_at = self.used
            self.queued += item.weight
        with self._lock:
            if is_queued(item, self._queue):
                return
            self._queue.append(item)
            if self._scheduled:
                return
            self._scheduled = True
        self.setup.threads.call(self._run)

    def stop_waiting(self) -> None:
        """Give up what there is no room for; the sink ends."""
        self._stopping.set()

    def retry(self) -> None:
        """After a failure: have the file opened anew with the next write."""
        if self.trouble is not None:
            self._broken = False
            self.trouble = None

    def _committed(
        self,
        generation: int,
        size: int,
        receipts: list[Receipt],
        calls: list[Callable[[], object]],
    ) -> None:
        if generation == self._generation:
            self.queued -= size
            self.moved_at = self.setup.seconds()
        else:
            # It has failed since: what was not synced then may be lost.
            receipts = [one for one in receipts if one.durable]
        self.on_receipts(receipts)
        for call in calls:
            call()
        self.on_change(self)

    def _has_failed(self, why: str, streams: list[Stream], batch: list[Item]) -> None:
        self._generation += 1
        with self._lock:
            dropped, self._queue = self._queue, []
        self.queued = 0
        self.trouble = why
        self.waiting_for = None
        self.closing = False
        streams += [one.stream for one in dropped if type(one) is Write and one.stream]
        for stream in set(streams):
            stream.drop_unwritten()
        for sender in list(self.senders):
            sender.failed(why)
        tell_failed(batch + dropped, why)
        self.on_change(self)

    def _has_to_wait(self, reason: str | None) -> None:
        self.waiting_for = reason
        for sender in list(self.senders):
            sender.waits(reason)
        self.on_change(self)

    # ── in the disk's thread ────────────────────────────────────────────────────────

    def _run(self) -> None:
        while True:
            with self._lock:
                # What comes after a failure is dropped by the reactor's side: it knows whose it is.
                if not self._queue or self._broken:
                    self._scheduled = False
                    return
                batch, self._queue = self._queue, []
            group: list[Item] = []
            size = 0
            try:
                for item in batch:
                    more = item.size if type(item) is Write else 0
                    ends = isinstance(item, Rotate | Close)
                    if ends or (more and self._file.is_full_with(size + more)):
                        self._commit(group)
                        size = 0
                    if isinstance(item, Rotate | Close):
                        self._end_file(item)
                        continue
                    size += more
                    group.append(item)
                self._commit(group)
            except Exception as error:  # noqa: BLE001 - whatever it is, it costs this file alone
                self._fail(error, group, batch)

    def _commit(self, group: list[Item]) -> None:
        """Write, sync and commit *group*, and empty it."""
        if not group:
            return
        writes = [item for item in group if type(item) is Write]
        if writes:
            self._when_possible(partial(self._file.make_ready, size_of(writes)))
            self._remember_trees(writes)
            start = self._append(writes)
            self._file.say(account(writes, self._file.number, start, self._unsynced))
        barriers = [item for item in group if type(item) is Barrier]
        always = bool(writes) and self.setup.sync == "always"
        if sync := always or any(item.sync for item in barriers):
            self._when_possible(self._file.sync)
        calls = [item.then for item in barriers if item.then]
        self._hand_over(weight_of(writes), sync, self._take_receipts(sync), calls)
        for write in writes:
            if write.stream is not None:
                write.stream.rollback = None
        for barrier in barriers:
            barrier.failed = None
        group.clear()

    def _remember_trees(self, writes: list[Write]) -> None:
        if not self._file.dirty:
            self._synced = {}
        for write in writes:
            if (stream := write.stream) is not None and stream not in self._synced:
                self._synced[stream] = stream.tree.copy()

    def _take_receipts(self, synced: bool) -> list[Receipt]:
        if synced:
            for stream in self._synced.keys() - self._unsynced.keys():
                size, root = stream.tree.size, stream.tree.root()
                self._unsynced[stream] = Receipt(stream, size, root, durable=True)
            self._synced = {}
        elif self.setup.sync != "none":
            return []
        receipts = [one._replace(durable=synced) for one in self._unsynced.values()]
        self._unsynced = {}
        return receipts

    def _hand_over(
        self, size: int, sync: bool, receipts: list[Receipt], calls: list[Callable[[], object]]
    ) -> None:
        generation = self._generation
        entries = self._file.take_entries()
        # A closed segment is touched only when the journal knows of it.
        calls += [partial(self.setup.closed, one) for one in self._file.take_closed()]
        if entries or size or receipts or calls:
            then = partial(self._committed, generation, size, receipts, calls)
            self.setup.commit(entries, sync, then)

    def _end_file(self, how: Rotate | Close) -> None:
        if isinstance(how, Rotate):
            self._file.rotate(how.forced)
            self._hand_over(0, False, [], [])
            return
        sync = self.setup.sync != "none" or self.setup.journaled
        if sync:
            self._when_possible(self._file.sync)
        self._hand_over(0, sync, self._take_receipts(sync), [])
        self._file.close()  # before anybody may have it opened anew
        self._hand_over(0, sync, [], [how.then])

    def _when_possible(self, work: Callable[[], None]) -> None:
        while True:
            try:
                return work()
            except OSError as error:
                if error.errno not in (*FULL, *NO_DESCRIPTORS):
                    raise
                self._wait("disk-full" if error.errno in FULL else "no-descriptors")

    def _append(self, writes: list[Write]) -> int:
        """Write all there is, however long that takes; return where in the file it begins."""
        # Bytes of one stream next to one another are one extent.
        writes.sort(key=lambda one: one.stream.number if one.stream else 0)
        pieces = [piece for write in writes for piece in write.pieces]
        start = self._file.length
        while (reason := self.setup.no_room(size_of(writes))) is not None:
            self._wait(reason)
        try:
            while pieces := pieces[self._file.write(pieces) :]:
                self._wait("disk-full")
        finally:
            self.setup.written(size_of(writes))
        self._tell(None)
        return start

    def _wait(self, reason: str) -> None:
        self._tell(reason)
        if self._stopping.wait(self.setup.retry_seconds):
            raise StoppedError(f"the sink ended while it waited for room ({reason})")

    def _tell(self, reason: str | None) -> None:
        if reason != self._told_reason:
            self._told_reason = reason
            self.in_reactor(self._has_to_wait, reason)

    def _fail(self, error: Exception, group: list[Item], batch: list[Item]) -> None:
        self._broken = True
        self._unsynced = {}
        self._told_reason = None
        why = error.strerror if isinstance(error, OSError) else str(error)
        self.refused = self._file.is_refused(error)
        for item in group:
            if type(item) is Write and item.stream is not None:
                item.stream.roll_back()
        streams = [item.stream for item in batch if type(item) is Write and item.stream]
        entries, lost = self._file.give_up()
        if lost:
            # Nothing that was written since the last sync is sure to be there.
            streams += self._synced
            for stream, tree in self._synced.items():
                stream.go_back(tree)
                count, hashes = tree.frontier()
                entries.append(Skipped(stream.number, tree.size))
                entries.append(Leaves(stream.number, count, b"".join(hashes).hex()))
        if entries:
            self.setup.commit(entries, True, lambda: None)
        self._synced = {}
        self.in_reactor(self._has_failed, why or repr(error), streams, batch)
