"""Keeps the history in a file, from a thread of its own: nobody waits for a disk.

Changes are gathered for :data:`GATHER_SECONDS` and committed together.  While the file cannot be
written, the queue in front of it is bounded, and another attempt is made every second.  This module
must not know what the file is like, nor the hub.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from socketsuite.contract import Level, LogEvents, ignore_events
from socketsuite.figures import Counter, Figure, Gauge
from socketsuite.services.chat.history import HistoryLimits
from socketsuite.services.chat.history_file import HistoryFile, open_or_begin_anew
from socketsuite.services.chat.history_path import cause_of
from socketsuite.services.chat.history_queue import Batch, HistoryQueue
from socketsuite.services.chat.kept import KeptRoom

GATHER_SECONDS = 0.02
"""A message is on disk so long, and the time of one commit, after it was said."""

_RETRY_SECONDS = 1.0
# What no other attempt would cure: it costs its batch.
_NEVER = (
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.DataError,
    sqlite3.ProgrammingError,
    OverflowError,
    ValueError,
    TypeError,
)


@dataclass(frozen=True)
class HistorySetAside:
    """A damaged file was moved to *aside*, and a new one begun."""

    path: str
    aside: str
    why: str


@dataclass(frozen=True)
class HistoryRoomsDropped:
    """Of the rooms in the file the *dropped* ones that were used longest ago were too many."""

    path: str
    kept: int
    dropped: int


@dataclass(frozen=True)
class HistoryNotSaved:
    """The file cannot be written; history is in memory only until that is over."""

    path: str
    why: str


@dataclass(frozen=True)
class HistorySaved:
    """The file can be written again; *lost* messages of that time are not in it."""

    path: str
    lost: int


class HistoryWriter:
    """The thread that writes what is in :attr:`queue`.

    :param in_reactor: calls what it is given, in the reactor's thread.
    :param write_anew: tells the queue all there is; called where the file was begun anew.
    :ivar saved: messages that are on disk.
    :ivar trouble: why nothing can be written now; ``None`` when it can.
    """

    def __init__(
        self,
        path: Path,
        in_reactor: Callable[..., object],
        emit: LogEvents = ignore_events,
        write_anew: Callable[[], object] = lambda: None,
    ) -> None:
        self.queue = HistoryQueue()
        self._path = path
        self._in_reactor = in_reactor
        self._emit = emit
        self._write_anew = write_anew
        self._end_asked = threading.Event()
        self._ended: Deferred[None] = Deferred(lambda _: self._give_up())
        self._thread: threading.Thread | None = None
        # Only the thread writes these.
        self._writing = 0
        self._lost_before = 0
        self.saved = 0
        self.trouble: str | None = None

    def figures(self) -> list[Figure]:
        """Return what an operator may watch."""
        waiting, lost = len(self.queue) + self._writing, self.queue.lost
        return [
            Counter("history_saved", "Messages written to the history's file", self.saved),
            Counter("history_lost", "Messages that could not be written there", lost),
            Gauge("history_queue", "Messages that wait to be written there", waiting),
        ]

    def start(self, limits: HistoryLimits, now: float) -> Deferred[list[KeptRoom]]:
        """Open the file, in the thread.

        :param now: seconds since 1970.
        :return: fires with the rooms that it holds, the last used one first; fails with
            :class:`~socketsuite.services.chat.history_path.HistoryFileError`.
        """
        opened: Deferred[list[KeptRoom]] = Deferred()
        # The thread has its own: a reload changes the other in the middle of a reading.
        own = HistoryLimits(limits.lines, limits.size, limits.seconds)
        self._thread = threading.Thread(
            target=self._run, args=(opened, own, now), name="history writer", daemon=True
        )
        self._thread.start()
        return opened

    def stop(self) -> Deferred[None]:
        """Write what waits, and close the file.

        :return: fires then; when it is cancelled, what has not been written is lost.
        """
        if self._thread is None or not self._thread.is_alive():
            self._over()
        self._end_asked.set()
        self.queue.bell.put(None)
        return self._ended

    def _over(self) -> None:
        if not self._ended.called:
            self._ended.callback(None)

    def _give_up(self) -> None:
        waiting = len(self.queue) + self._writing
        why = f"{waiting} messages could not be written in time"
        self._emit(HistoryNotSaved(str(self._path), why), level="error")

    # ── in the thread ───────────────────────────────────────────────────────────────

    def _run(self, opened: Deferred[list[KeptRoom]], limits: HistoryLimits, now: float) -> None:
        file: HistoryFile | None
        try:
            file, rooms, aside = open_or_begin_anew(self._path, limits, now)
        except BaseException:  # noqa: BLE001 - whoever started this is told, whatever it is
            self._in_reactor(opened.errback, Failure())
            return
        if aside is not None:
            self._tell(HistorySetAside(str(self._path), str(aside[0]), aside[1]), "warn")
        if file.dropped:
            self._tell(HistoryRoomsDropped(str(self._path), len(rooms), file.dropped), "warn")
        self._in_reactor(opened.callback, rooms)
        while not self._end_asked.is_set():
            self.queue.bell.get()
            # Not by a get() with a time-out: CPython 3.11 forgets it when a signal comes.
            self._end_asked.wait(GATHER_SECONDS)
            file = self._save(file, self.queue.take())
        # What came before the end was asked for is in the queue by now.
        file = self._save(file, self.queue.take())
        if file is not None:
            file.close()
        self._in_reactor(self._over)

    def _save(self, file: HistoryFile | None, batch: Batch) -> HistoryFile | None:
        """Write *batch* down, however often that takes; return the file that it is in."""
        self._writing = len(batch.messages)
        while batch:
            try:
                file = file or self._opened_again()
                file.apply(batch)
            except _NEVER as error:
                self._lose(batch, cause_of(error))
                break
            except (OSError, sqlite3.Error) as error:
                self._in_trouble(cause_of(error))
            else:
                self.saved += len(batch.messages)
                self._out_of_trouble()
                break
            # Opened again: where the file was removed or replaced, that finds the new one.
            if file is not None:
                file.close()
                file = None
            if self._end_asked.is_set():
                self._lose(batch, f"{self.trouble}: {len(batch.messages)} messages are lost")
                break
            self._end_asked.wait(_RETRY_SECONDS)
        self._writing = 0
        return file

    def _opened_again(self) -> HistoryFile:
        file = HistoryFile(self._path)
        self.queue.stale |= file.fresh
        return file

    def _lose(self, batch: Batch, why: str) -> None:
        self._in_trouble(why)
        self.queue.count_lost(batch)

    def _in_trouble(self, why: str) -> None:
        if self.trouble is None:
            self._lost_before = self.queue.lost
        # Who was told of it finds it in the figures.
        known, self.trouble = self.trouble, why
        if known != why:
            self._tell(HistoryNotSaved(str(self._path), why), "error")

    def _out_of_trouble(self) -> None:
        if self.trouble is not None:
            self.trouble = None
            self._tell(HistorySaved(str(self._path), self.queue.lost - self._lost_before), "warn")
        if self.queue.stale:
            self._in_reactor(self.queue.begin_anew, self._write_anew)

    def _tell(self, event: object, level: Level) -> None:
        self._in_reactor(lambda: self._emit(event, level=level))
