"""Keeps what a sink's frontends are handed: opens the store, runs the journal, knows the streams.

This module must not know any frontend's protocol.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from socketsuite.contract import Level
from socketsuite.figures import Counter, Figure, Gauge
from socketsuite.services.filesink import paths
from socketsuite.settings import SettingsError
from socketsuite.storage import events
from socketsuite.storage.batches import Receipt
from socketsuite.storage.beneath import Folder
from socketsuite.storage.destination import Destination, Rotate
from socketsuite.storage.disk_threads import DiskThreads
from socketsuite.storage.journal import Journal
from socketsuite.storage.journal_lines import (
    Began,
    Ended,
    Entry,
    FileGone,
    StreamAdded,
    StreamGone,
    Used,
)
from socketsuite.storage.journal_state import JournalState
from socketsuite.storage.recovery import Recovery, boot_id, recover
from socketsuite.storage.setup import Setup
from socketsuite.storage.store import Store
from socketsuite.storage.streams import Stream, Streams
from socketsuite.storage.upkeep import Upkeep
from socketsuite.wire.records import RecordFramer

if TYPE_CHECKING:
    from socketsuite.services.filesink.sink import FileSink

_MOST_LISTED = 100


class RefusedError(Exception):
    """A stream cannot be sent now; *code* and text are for its sender."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Keeper:
    """What is behind the frontends of one sink."""

    def __init__(self, sink: FileSink) -> None:
        self._sink = sink
        self._reactor = sink.reactor
        self._in_reactor: Callable[..., object] = sink.reactor.callFromThread
        self._journal: Journal | None = None
        self._journal_full = False
        self._failed_journal: str | None = None
        self._folder: Folder | None = None
        self._troubles: dict[str, str] = {}
        self.streams = Streams(sink.max_streams)
        self.store: Store
        # Records that were left out, shortened, or never came to their end.
        self.dropped = self.cut = self.torn = 0
        self.receipts = 0

    # ── beginning ───────────────────────────────────────────────────────────────────

    def start(self, device: bool) -> Deferred[None]:
        """Open everything, in a thread; *device*: the only file is one.

        :return: fails with ``SettingsError``.
        """
        sink = self._sink
        base, name = paths.resolved(sink.template)
        self.plain = name
        self._threads = DiskThreads(sink.max_open_files + 2)
        self._journal_name = f"{name}~journal"
        started: Deferred[None] = Deferred()

        def work() -> None:
            try:
                self._folder = folder = Folder(base)
                upkeep = Upkeep(
                    folder,
                    sink.compress,
                    sink.keep,
                    sink.quota,
                    self._tell_from_thread,
                    self._segment_is_gone,
                )
                upkeep.start(name)
                boot = boot_id()
                found = None
                if sink.acknowledges:
                    found = recover(folder, self._journal_name, boot, time.time())
            except OSError as error:
                why = error.strerror or str(error)
                failed = SettingsError(f"cannot open the journal of {sink.file}: {why}")
                self._in_reactor(started.errback, Failure(failed))
            except BaseException:  # noqa: BLE001 - whoever started this is told, whatever it is
                self._in_reactor(started.errback, Failure())
            else:
                self._in_reactor(self._started, started, device, upkeep, found, boot)

        self._threads.call(work)
        return started

    def _started(
        self,
        started: Deferred[None],
        device: bool,
        upkeep: Upkeep,
        found: Recovery | None,
        boot: str,
    ) -> None:
        sink = self._sink
        assert self._folder is not None
        self._upkeep = upkeep
        setup = Setup(
            folder=self._folder,
            threads=self._threads,
            sync=sink.sync,
            rotate_size=0 if device else sink.rotate_size,
            rotate_every=0 if device else sink.rotate_every,
            framer=sink.new_framer(),
            journaled=found is not None,
            own_files=found is not None and "stream" in sink.template.fields,
            devices=device,
            seconds=self._reactor.seconds,
            clock=time.time,
            commit=self._commit,
            declare=self._declare,
            no_room=upkeep.no_room,
            closed=upkeep.closed,
            tell=self._tell_from_thread,
        )
        if found is not None:
            self._begin_journal(setup, found, boot)
        self.store = Store(
            setup, self._reactor, sink.max_open_files, self._receipts, self._has_changed
        )
        self.store.start()
        started.callback(None)

    def _begin_journal(self, setup: Setup, found: Recovery, boot: str) -> None:
        setup.files.update(found.files)
        setup.last_number = found.state.last_file
        self.streams.last_number = found.state.last_stream
        self.streams.by_name = {one.name: one for one in found.streams}
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
            self._tell(event, level)  # type: ignore[arg-type]

    # ── from the disk's threads ─────────────────────────────────────────────────────

    def _commit(self, entries: list[Entry], sync: bool, then: Callable[[], object]) -> None:
        if self._journal is None:
            self._in_reactor(then)
        else:
            self._journal.append(entries, sync, then)

    def _declare(self, entries: list[Entry]) -> None:
        if self._journal is not None:
            self._journal.append_and_wait(entries)

    def _segment_is_gone(self, name: str) -> None:
        def entries(state: JournalState) -> list[Entry]:
            names = {name, name.removesuffix(".gz"), name.removesuffix(".zst")}
            return [FileGone(one.number) for one in state.files.values() if one.name in names]

        if self._journal is not None:
            self._journal.append(entries, sync=False)

    def _tell_from_thread(self, event: object, level: str) -> None:
        self._in_reactor(self._tell, event, level)

    # ── what is told ────────────────────────────────────────────────────────────────

    def _tell(self, event: object, level: Level) -> None:
        self._sink.emit(event, level=level)

    def _receipts(self, receipts: list[Receipt]) -> None:
        now = time.time()
        for one in receipts:
            stream = one.stream
            stream.receipt = one.offset, one.root
            stream.used = now
            self.receipts += 1
            if stream.sender is not None:
                stream.sender.receipt(one)

    def _has_changed(self, destination: Destination) -> None:
        told = self._troubles.get(destination.name)
        trouble = destination.trouble or destination.waiting_for
        if trouble == told:
            return
        if destination.trouble is not None:
            self._tell(events.FileFailed(destination.name, destination.trouble), "error")
        elif destination.waiting_for is not None:
            self._tell(events.NoRoom(destination.name, destination.waiting_for), "error")
        else:
            self._tell(events.RoomAgain(destination.name), "warn")
        if trouble is None:
            del self._troubles[destination.name]
        else:
            self._troubles[destination.name] = trouble

    def _journal_has_failed(self, why: str) -> None:
        self._failed_journal = why
        self._tell(events.JournalFailed(self._journal_name, why), "error")
        for destination in list(self.store.destinations.values()):
            for sender in list(destination.senders):
                sender.failed(f"the journal: {why}")

    def _journal_is_full(self, full: bool) -> None:
        self._journal_full = full
        if full:
            self._tell(events.NoRoom(self._journal_name, "disk-full"), "error")
        else:
            self._tell(events.RoomAgain(self._journal_name), "warn")
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
        return self._failed_journal

    def claim(self, name: str, sender: Any) -> Stream:
        """Return the stream *name* for *sender*, who alone sends it from now on.

        :raises RefusedError: when that cannot be.
        """
        stream = self.streams.by_name.get(name)
        if stream is None:
            stream = self._add(name)
        elif stream.sender is not None and stream.sender is not sender:
            if not stream.sender.is_silent():
                raise RefusedError("in-use", "another connection sends this stream")
            stream.sender.replaced()
        stream.sender = sender
        stream.used = time.time()
        return stream

    def _add(self, name: str) -> Stream:
        if self.streams.full:
            raise RefusedError("full", "the sink knows as many streams as it may")
        assert self._journal is not None
        stream = self.streams.add(name, time.time())
        entries: list[Entry] = [StreamAdded(stream.number, name)]
        entries.append(Used(stream.number, int(stream.used)))
        self._journal.append(entries, sync=False)
        stream.fresh = "stream" in self._sink.template.fields
        return stream

    def begin_file(self, stream: Stream, destination: Destination) -> None:
        """See that a stream that begins does not begin behind what somebody else left."""
        if stream.fresh:
            stream.fresh = False
            destination.put(Rotate())

    def release(self, stream: Stream, sender: Any) -> None:
        """*sender* sends *stream* no more."""
        if stream.sender is sender:
            stream.sender = None
            stream.used = time.time()

    def expire(self) -> None:
        """Forget the streams that nobody has sent for long."""
        for stream in self.streams.expired(time.time() - self._sink.stream_expiry):
            if stream.enqueued == stream.receipt[0] and self._journal is not None:
                del self.streams.by_name[stream.name]
                self._journal.append([StreamGone(stream.number)], sync=False)

    # ── the operator ────────────────────────────────────────────────────────────────

    def rotate(self) -> str:
        """Close every open file, and begin another."""
        if self.plain and self.plain not in self.store.destinations:
            self.store.open(self.plain)
        self.store.rotate()
        return "asked for"

    def reload(self, rotate: bool) -> None:
        """Open those files anew that failed; with *rotate* begin others."""
        self.store.retry()
        if rotate:
            self.rotate()

    def list_streams(self) -> list[dict[str, object]]:
        """Return what there is to say of streams."""
        known = sorted(self.streams.by_name.values(), key=lambda one: -one.used)[:_MOST_LISTED]
        return [
            {
                "stream": one.name,
                "offset": one.receipt[0],
                "hash": one.receipt[1].hex(),
                "sending": one.sender is not None,
            }
            for one in known
        ]

    def figures(self) -> list[Figure]:
        """Return what an operator may watch."""
        open_files = self.store.destinations.values()
        waiting = sum(one.queued for one in open_files)
        records = {"dropped": self.dropped, "cut": self.cut, "torn": self.torn}
        return [
            Gauge("filesink_open_files", "Files that are written to", len(open_files)),
            Gauge("filesink_queue", "Bytes that wait for a disk", waiting),
            Gauge("filesink_streams", "Streams that are known", len(self.streams.by_name)),
            Counter("filesink_bytes_written", "Bytes written to files", self.store.written),
            Counter("filesink_receipts", "Receipts given", self.receipts),
            Counter("filesink_records", "Records not kept whole", records, ["what"]),
        ]

    def health(self) -> dict[str, bool | str | None]:
        """Return what is wrong with files and journal."""
        checks: dict[str, bool | str | None] = {}
        for name, why in self._troubles.items():
            checks["files"] = f"{name}: {why}"
        checks.setdefault("files", True)
        if self._journal is not None:
            full = "disk-full" if self._journal_full else None
            checks["journal"] = self._failed_journal or full or True
        return checks

    # ── the end ─────────────────────────────────────────────────────────────────────

    def stop(self) -> Deferred[None]:
        """Write what waits, and close everything."""
        ended: Deferred[None] = Deferred(lambda _: None)

        def close(_: object) -> None:
            self._upkeep.stop()
            if self._journal is None or self._failed_journal is not None:
                finish()
                return
            self._journal.append([Ended(int(time.time()))], sync=True)
            self._journal.stop(finish)

        def finish() -> None:
            if self._folder is not None:
                self._folder.close()
            if not ended.called:
                ended.callback(None)

        with suppress(AttributeError):
            self.store.stop().addBoth(close)
            return ended
        finish()
        return ended
