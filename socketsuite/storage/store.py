"""The reactor's side of a sink's files: which are open, how much may wait, what is to be told.

Senders attach to the destination of a file, and are paused while too much waits for its disk.  A
file that hangs keeps what waits for it, and holds up nobody else.  This module must not know the
protocols of senders.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall

from socketsuite.storage.batches import Receipt, Write
from socketsuite.storage.buffers import Lease
from socketsuite.storage.destination import Destination
from socketsuite.storage.queue_items import Barrier, Close, Rotate
from socketsuite.storage.sender import Sender
from socketsuite.storage.setup import Setup
from socketsuite.storage.streams import Stream
from socketsuite.wire.records import Piece

MOST_OF_A_FILE = 4 << 20
"""Bytes of memory that may wait for one file; then its senders are paused."""
MOST_OF_ALL = 16 << 20
"""Bytes that may wait for all; then each file has :data:`LEAST_OF_A_FILE`."""
LEAST_OF_A_FILE = 1 << 16
_STALLED_SECONDS = 1.0
_IDLE_SECONDS = 10.0
_TICK_SECONDS = 1.0


class TooManyFilesError(Exception):
    """As many files are open as may be, and all are written to."""


class Store:
    """All files of one sink.

    :param most: files that are open at a time.
    :param on_receipts: is told what streams have come to.
    :param changed: is told when a destination fails, waits, or is written again.
    """

    def __init__(
        self,
        setup: Setup,
        reactor: Any,
        most: int,
        on_receipts: Callable[[list[Receipt]], object],
        changed: Callable[[Destination], object],
    ) -> None:
        self._setup = setup
        self._reactor = reactor
        self._most = most
        self._on_receipts = on_receipts
        self._changed = changed
        self._total = 0
        self._given_up = False
        self._stopped: Deferred[None] | None = None
        self._tick = LoopingCall(self._look_after)
        self._tick.clock = reactor
        self.destinations: dict[str, Destination] = {}
        self.written = 0
        self.date = ""

    def start(self) -> None:
        """Begin to look after what is open."""
        self._see_the_date()
        self._tick.start(_TICK_SECONDS, now=False)

    @property
    def unwritten(self) -> list[str]:
        """The names of files for which something waits, or which are not closed yet."""
        return [one.name for one in self.destinations.values() if one.queued or one.closing]

    # ── senders ─────────────────────────────────────────────────────────────────────

    def attach(self, name: str, sender: Sender) -> Destination:
        """Return the destination of the file *name*, for *sender*.

        :raises TooManyFilesError: when another would be one too many.
        """
        found = self.destinations.get(name)
        if found is None:
            # Those that are being closed count, too: where the disk hangs they are never closed.
            full = len(self.destinations) >= 2 * self._most
            if full or (len(self.destinations) >= self._most and not self._close_longest_idle()):
                raise TooManyFilesError(f"{self._most} files are being written to")
            found = self.open(name)
        found.senders.add(sender)
        if found.paused:
            sender.pause()
        if found.waiting_for is not None:
            sender.waits(found.waiting_for)
        return found

    def open(self, name: str) -> Destination:
        """Return a new destination of the file *name*, which has none."""
        self._setup.in_use.begin(name)
        found = self.destinations[name] = self._new(name)
        return found

    def detach(self, destination: Destination, sender: Sender) -> None:
        """Forget *sender*; what it wrote is written all the same."""
        destination.senders.discard(sender)

    def write(
        self,
        destination: Destination,
        pieces: Sequence[Piece],
        size: int,
        stream: Stream | None = None,
        own: Sequence[bool] | None = None,
        lease: Lease | None = None,
    ) -> None:
        """Queue *pieces*, of *size* bytes together, and pause the senders if that is too much."""
        write = Write(pieces, size, stream, own, lease)
        destination.put(write)
        self._total += write.weight
        self.written += size
        if not destination.paused and destination.queued > self._allowed():
            destination.paused = True
            for sender in list(destination.senders):
                sender.pause()

    def flush(
        self,
        destination: Destination,
        then: Callable[[], object],
        sync: bool = False,
        failed: Callable[[str], object] | None = None,
    ) -> None:
        """Call *then* when all that was queued is written, and with *sync* on disk.

        :param failed: called instead, with the reason, when that does not come to be.
        """
        destination.put(Barrier(then, sync, failed))

    def _allowed(self) -> int:
        return MOST_OF_A_FILE if self._total < MOST_OF_ALL else LEAST_OF_A_FILE

    def _new(self, name: str) -> Destination:
        return Destination(
            name, self._setup, self._reactor.callFromThread, self._receipts, self._has_changed
        )

    def _receipts(self, receipts: list[Receipt]) -> None:
        if receipts:
            self._on_receipts(receipts)

    def _has_changed(self, destination: Destination) -> None:
        self._changed(destination)
        if destination.refused and self.destinations.get(destination.name) is destination:
            # Or whoever names what cannot be would have all files that there may be.
            del self.destinations[destination.name]
            self._setup.in_use.end(destination.name)
        if self._stopped is not None:
            if destination.trouble is not None:
                self.destinations.pop(destination.name, None)
            self._end()
        else:
            self._resume()

    def _resume(self) -> None:
        now = self._setup.seconds()
        # What waits for a disk that does not move is bounded by the number of files.
        self._total = sum(
            one.queued
            for one in self.destinations.values()
            if one.queued and now - one.moved_at < _STALLED_SECONDS
        )
        for one in self.destinations.values():
            if one.paused and one.queued <= self._allowed() // 2:
                one.paused = False
                for sender in list(one.senders):
                    sender.resume()

    # ── files ───────────────────────────────────────────────────────────────────────

    def rotate(self) -> None:
        """Have every file that is open closed as a segment."""
        for one in self.destinations.values():
            one.put(Rotate())

    def retry(self) -> list[Destination]:
        """Have files that failed opened anew, and return them."""
        failed = [one for one in self.destinations.values() if one.trouble is not None]
        for one in failed:
            one.retry()
        return failed

    def sync(self) -> None:
        """Have what was written synced; for ``--sync interval``."""
        for one in self.destinations.values():
            one.put(Barrier(sync=True))

    def _look_after(self) -> None:
        self._see_the_date()
        now = self._setup.seconds()
        for one in list(self.destinations.values()):
            if self._setup.rotate_every:
                one.put(Rotate(forced=False))
            if self._is_idle(one) and now - one.used > _IDLE_SECONDS:
                self._close(one)
        self._resume()

    def _see_the_date(self) -> None:
        today = time.strftime("%Y-%m-%d", time.gmtime(self._setup.clock()))
        if today != self.date:
            self.date = today

    def _is_idle(self, one: Destination) -> bool:
        return not one.senders and not one.queued and one.trouble is None and not one.closing

    def _is_silent(self, one: Destination) -> bool:
        silent = self._setup.seconds() - one.used > _IDLE_SECONDS
        stuck = one.queued or one.trouble is not None or one.closing or one.waiting_for is not None
        return silent and not stuck

    def _close_longest_idle(self) -> bool:
        idle = [one for one in self.destinations.values() if self._is_idle(one)]
        # Those whose senders are silent come after them.
        idle = idle or [one for one in self.destinations.values() if self._is_silent(one)]
        if not idle:
            return False
        self._close(min(idle, key=lambda one: one.used))
        return True

    def _close(self, one: Destination) -> None:
        silent = bool(one.senders)
        one.closing = True
        one.put(Close(lambda: self._closed(one, silent)))

    def _closed(self, one: Destination, silent: bool) -> None:
        one.closing = False
        unused = (silent or not one.senders) and not one.queued
        if unused and self.destinations.get(one.name) is one:
            one.ended = True  # whoever still has it attaches anew
            del self.destinations[one.name]
            self._setup.in_use.end(one.name)
        self._end()

    def _end(self) -> None:
        if self._stopped is not None and not self._stopped.called and not self.destinations:
            self._stopped.callback(None)

    # ── the end ─────────────────────────────────────────────────────────────────────

    def give_up(self) -> None:
        """Nothing that is written can be confirmed any more: no file is waited for at the end."""
        self._given_up = True
        if self._stopped is not None:
            self.destinations.clear()
            self._end()

    def stop(self) -> Deferred[None]:
        """Write what waits, and close all files; what there is no room for is lost, and said.

        :return: fires then.
        """
        if self._tick.running:
            self._tick.stop()
        self._stopped = Deferred(lambda _: None)
        for one in list(self.destinations.values()):
            one.senders.clear()
            one.stop_waiting()
            if one.trouble is not None:
                del self.destinations[one.name]
            else:
                self._close(one)
        if self._given_up:
            self.destinations.clear()
        self._end()
        return self._stopped
