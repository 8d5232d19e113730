"""Keeps what a sink's frontends are handed: opens the store, runs the journal, knows the streams.

This module must not know any frontend's protocol.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from socketsuite.contract import LogEvents
from socketsuite.figures import Counter, Figure, Gauge
from socketsuite.services.filesink import paths
from socketsuite.services.filesink.opening import Opened, journal_name, open_folder
from socketsuite.services.filesink.options import Options
from socketsuite.services.filesink.records import LONGEST_HEADER
from socketsuite.services.filesink.registry import StreamRegistry
from socketsuite.services.filesink.troubles import Troubles
from socketsuite.settings import SettingsError
from socketsuite.storage import events
from socketsuite.storage.batches import Receipt
from socketsuite.storage.beneath import Folder
from socketsuite.storage.buffers import Buffers
from socketsuite.storage.destination import Destination
from socketsuite.storage.disk_threads import DiskThreads
from socketsuite.storage.in_use import InUse
from socketsuite.storage.journal import Journal
from socketsuite.storage.journal_lines import Began, Ended, Entry, FileGone
from socketsuite.storage.journal_state import JournalState
from socketsuite.storage.names import shown
from socketsuite.storage.queue_items import Rotate
from socketsuite.storage.recovery import Recovery
from socketsuite.storage.setup import Setup
from socketsuite.storage.store import Store
from socketsuite.wire.records import RecordFramer


class Keeper:
    """What is behind the frontends of one sink.

    :param reactor: the clock of timers, and where threads come back to.
    :param emit: logs what an operator should know.
    :ivar registry: the streams that are known.
    """

    def __init__(self, sink: Options, reactor: Any, emit: LogEvents) -> None:
        self._sink = sink
        self._reactor = reactor
        self._in_reactor: Callable[..., object] = reactor.callFromThread
        self._journal: Journal | None = None
        self._folder: Folder | None = None
        self.troubles = Troubles(emit)
        own_files = "stream" in sink.template.fields
        self.registry = StreamRegistry(sink.max_streams, own_files, self._say, reactor.seconds)
        self.store: Store
        self._started_well = False
        self._in_use = InUse()
        self._forget: Callable[[str], object] = lambda name: None
        # Records that were left out, shortened, or never came to their end.
        self.dropped = self.cut = self.torn = 0
        self.receipts = 0
        self.buffers = Buffers()

    # ── beginning ───────────────────────────────────────────────────────────────────

    def start(self, device: bool) -> Deferred[None]:
        """Open everything, in a thread; *device*: the only file is one.

        :return: fails with ``SettingsError``.
        """
        sink = self._sink
        base, name = paths.resolved(sink.template)
        self.plain = name
        self._threads = DiskThreads(sink.max_open_files + 2)
        self._journal_name = journal_name(name)
        started: Deferred[None] = Deferred()

        def work() -> None:
            try:
                told, gone = self._tell_from_thread, self._segment_is_gone
                opened = open_folder(sink, base, name, self._in_use, told, gone)
            except OSError as error:
                what = f" ({error.filename})" if error.filename else ""
                why = f"cannot open the journal of {sink.file}{what}: {error.strerror or error}"
                self._in_reactor(started.errback, Failure(SettingsError(why)))
            except BaseException:  # noqa: BLE001 - whoever started this is told, whatever it is
                self._in_reactor(started.errback, Failure())
            else:
                self._in_reactor(self._started, started, device, opened)

        self._threads.call(work)
        return started

    def _started(self, started: Deferred[None], device: bool, opened: Opened) -> None:
        sink = self._sink
        self._folder, self._upkeep, found, boot = opened
        upkeep = self._upkeep
        setup = Setup(
            folder=self._folder,
            threads=self._threads,
            sync=sink.sync,
            rotate_size=0 if device else sink.rotate_size,
            rotate_every=0 if device else sink.rotate_every,
            framer=sink.new_framer_of_files(),
            longest=sink.max_record + LONGEST_HEADER,
            journaled=found is not None,
            own_files=found is not None and "stream" in sink.template.fields,
            devices=device,
            seconds=self._reactor.seconds,
            clock=time.time,
            commit=self._commit,
            declare=self._declare,
            no_room=upkeep.no_room,
            written=upkeep.written,
            closed=upkeep.closed,
            tell=self._tell_from_thread,
            in_use=self._in_use,
        )
        self._forget = setup.forget
        if found is not None:
            self._begin_journal(setup, found, boot)
        most = sink.max_open_files
        self.store = Store(setup, self._reactor, most, self._receipts, self._has_changed)
        self.store.start()
        self._started_well = True
        started.callback(None)

    def _begin_journal(self, setup: Setup, found: Recovery, boot: str) -> None:
        setup.files.update(found.files)
        setup.last_number = found.state.last_file
        self.registry.begin(found.streams, found.state.last_stream)
        assert self._folder is not None
        self._journal = Journal(
            self._folder,
            self._journal_name,
            found.descriptor,
            found.state,
            self._in_reactor,
            self._journal_has_failed,
            self._journal_is_full,
        )
        self._journal.append([Began(boot, int(time.time()))], sync=True)
        for event, level in found.told:
            self.troubles.tell(event, level)  # type: ignore[arg-type]

    # ── from the disk's threads ─────────────────────────────────────────────────────

    def _commit(self, entries: list[Entry], sync: bool, then: Callable[[], object]) -> None:
        if self._journal is None:
            self._in_reactor(then)
        else:
            self._journal.append(entries, sync, then)

    def _say(self, entries: list[Entry]) -> None:
        if self._journal is not None:
            self._journal.append(entries, sync=False)

    def _declare(self, entries: list[Entry]) -> None:
        if self._journal is not None:
            self._journal.append_and_wait(entries)

    def _segment_is_gone(self, name: str) -> None:
        def entries(state: JournalState) -> list[Entry]:
            names = {name, name.removesuffix(".gz"), name.removesuffix(".zst")}
            return [FileGone(one.number) for one in state.files.values() if one.name in names]

        self._forget(name)
        if self._journal is not None:
            self._journal.append(entries, sync=False)

    def _tell_from_thread(self, event: object, level: str) -> None:
        self._in_reactor(self.troubles.tell, event, level)

    # ── what is told ────────────────────────────────────────────────────────────────

    def _receipts(self, receipts: list[Receipt]) -> None:
        now = time.time()
        for one in receipts:
            stream = one.stream
            stream.receipt = one.offset, one.root
            if one.durable:
                stream.durable = one.offset
            stream.used = now
            self.receipts += 1
            if stream.sender is not None:
                stream.sender.receipt(one)

    def _has_changed(self, one: Destination) -> None:
        name = shown(one.name)
        if one.refused:
            self.troubles.tell(events.FileRefused(name, one.trouble or ""), "warn")
        self.troubles.file_changed(name, None if one.refused else one.trouble, one.waiting_for)

    def _journal_has_failed(self, why: str) -> None:
        self.troubles.journal_has_failed(self._journal_name, why)
        for destination in list(self.store.destinations.values()):
            for sender in list(destination.senders):
                sender.failed(f"the journal: {why}")
        self.store.give_up()

    def _journal_is_full(self, full: bool) -> None:
        self.troubles.journal_is_full(self._journal_name, full)
        for destination in list(self.store.destinations.values()):
            for sender in list(destination.senders):
                sender.waits("disk-full" if full else None)

    def count(self, framer: RecordFramer) -> None:
        """Count what one sender's framer could not keep whole."""
        self.dropped += framer.dropped
        self.cut += framer.cut
        self.torn += framer.torn

    # ── for frontends ───────────────────────────────────────────────────────────────

    def file_name(self, peer: str, connection: str, stream: str) -> str:
        """Return the name of the file for what comes from there now."""
        if self.plain:
            return self.plain
        return self._sink.template.expand(
            date=self.store.date, peer=peer, connection=connection, stream=stream
        )

    @property
    def failed(self) -> str | None:
        """Why nothing can be confirmed any more."""
        return self.troubles.journal_failed

    # ── the operator ────────────────────────────────────────────────────────────────

    def rotate(self) -> str:
        """Close every open file, and begin another."""
        if self.plain and self.plain not in self.store.destinations:
            self.store.open(self.plain)
        self.store.rotate()
        return "asked for"

    def reload(self, rotate: bool) -> None:
        """Begin those files anew that failed; with *rotate* all of them."""
        for one in self.store.retry():
            one.put(Rotate())
        if rotate:
            self.rotate()

    def figures(self) -> list[Figure]:
        """Return what an operator may watch."""
        open_files = self.store.destinations.values()
        waiting = sum(one.queued for one in open_files)
        records = {"dropped": self.dropped, "cut": self.cut, "torn": self.torn}
        return [
            Gauge("filesink_open_files", "Files that are written to", len(open_files)),
            Gauge("filesink_queue", "Bytes of memory that wait for a disk", waiting),
            Gauge("filesink_streams", "Streams that are known", len(self.registry.streams.by_name)),
            Counter("filesink_bytes_written", "Bytes written to files", self.store.written),
            Counter("filesink_receipts", "Receipts given", self.receipts),
            Counter("filesink_records", "Records not kept whole", records, ["what"]),
        ]

    def health(self) -> dict[str, bool | str | None]:
        """Return what is wrong with files and journal."""
        return self.troubles.health(self._journal is not None)

    # ── the end ─────────────────────────────────────────────────────────────────────

    def stop(self) -> Deferred[None]:
        """Write what waits, and close everything."""
        ended: Deferred[None] = Deferred(lambda _: self.troubles.not_written(self.store.unwritten))

        def end_upkeep(_: object) -> None:
            self._upkeep.stop(lambda: self._in_reactor(end_journal))

        def end_journal() -> None:
            if self._journal is None:
                finish()
                return
            if self.failed is None and not self.troubles.of_files:
                # What is behind the last commit of a file that failed is cut off by the next start.
                self._journal.append([Ended(int(time.time()))], sync=True)
            self._journal.stop(finish)

        def finish() -> None:
            assert self._folder is not None
            self._folder.close()
            if not ended.called:
                ended.callback(None)

        if self._started_well:
            self.store.stop().addBoth(end_upkeep)
        else:
            ended.callback(None)
        return ended
