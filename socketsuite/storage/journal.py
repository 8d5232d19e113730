"""The journal: an append-only file, written by a thread of its own, several commits at a time.

Who appends is called back when the entries are written, and synced if that was asked.  A full disk
is waited for; after any other failure nothing is said to be written any more.  When the file has
grown enough, what still holds is written anew.  This module must not know what commits are for.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from twisted.logger import Logger

from socketsuite.storage.append_file import FULL
from socketsuite.storage.beneath import Folder
from socketsuite.storage.journal_file import compacted, replace
from socketsuite.storage.journal_lines import Entry, Synced, encode
from socketsuite.storage.journal_state import JournalState

_log = Logger(namespace="socketsuite")
_RETRY_SECONDS = 0.5
_COMPACT_FROM = 1 << 20


class JournalFailedError(Exception):
    """The journal cannot be written."""


class _Commit(NamedTuple):
    entries: list[Entry] | Callable[[JournalState], list[Entry]]
    sync: bool
    then: Callable[[], object] | None
    written: threading.Event | None = None


class Journal:
    """The thread that appends to the journal.

    :param descriptor: of the file, which says what *state* does.
    :param in_reactor: calls what it is given, in the reactor's thread.
    :param failed: is told, there, why nothing can be written any more.
    :param full: is told, there, whether the disk is full.
    """

    def __init__(
        self,
        folder: Folder,
        name: str,
        descriptor: int,
        state: JournalState,
        in_reactor: Callable[..., object],
        failed: Callable[[str], object],
        full: Callable[[bool], object],
    ) -> None:
        self._folder, self._name = folder, name
        self._descriptor = descriptor
        self._state = state
        self._in_reactor = in_reactor
        self._told_failed, self._told_full = failed, full
        self._waiting: deque[_Commit] = deque()
        self._changed = threading.Condition()
        self._ending = threading.Event()
        self._at_the_end: Callable[[], object] | None = None
        self._ended = False
        self._length = self._synced = self._compact_at = os.fstat(descriptor).st_size
        self._said = 0
        self._set_threshold()
        self._is_full = False
        self.trouble: str | None = None
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    @property
    def length(self) -> int:
        """Bytes of the file."""
        return self._length

    def append(
        self,
        entries: list[Entry] | Callable[[JournalState], list[Entry]],
        sync: bool,
        then: Callable[[], object] | None = None,
    ) -> None:
        """Append *entries* together, after all that were appended before.

        :param entries: or what makes them of the state at that time, in the journal's thread.
        :param then: called in the reactor's thread, when they are written, and synced with *sync*;
            never when that fails.
        """
        self._add(_Commit(entries, sync, then))

    def append_and_wait(self, entries: list[Entry]) -> None:
        """Append *entries*, and return when they are synced; not for the reactor's thread.

        :raises JournalFailedError: when they cannot be.
        """
        written = threading.Event()
        if not self._add(_Commit(entries, True, None, written)):
            raise JournalFailedError("the journal: it is closed")
        written.wait()
        if self.trouble is not None:
            raise JournalFailedError(f"the journal: {self.trouble}")

    def _add(self, commit: _Commit) -> bool:
        """Have *commit* written; return whether there is still somebody who does."""
        with self._changed:
            if not self._ended:
                self._waiting.append(commit)
                self._changed.notify()
            return not self._ended

    def stop(self, then: Callable[[], object]) -> None:
        """Write what waits, close the file, and call *then* in the reactor's thread."""
        # At once, or the thread could end with what was appended before.
        with self._changed:
            self._at_the_end = then
            self._ending.set()
            self.append([], sync=True)

    # ── in the thread ───────────────────────────────────────────────────────────────

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._waiting))
                batch = list(self._waiting)
                self._waiting.clear()
                self._ended = ending = self._ending.is_set()
            try:
                if self.trouble is None:
                    self._write(batch)
            except Exception as error:  # noqa: BLE001 - whatever it is, nothing more is confirmed
                self.trouble = _why(error)
                self._in_reactor(self._told_failed, self.trouble)
            for one in batch:
                if one.written is not None:
                    one.written.set()
            if self.trouble is None:
                self._in_reactor(_call_all, [one.then for one in batch if one.then is not None])
            if ending:
                os.close(self._descriptor)
                self._in_reactor(self._at_the_end)
                return

    def _write(self, batch: list[_Commit]) -> None:
        said = [one.entries(self._state) if callable(one.entries) else one.entries for one in batch]
        lines = b"".join(encode(entries) for entries in said if entries)
        if lines and self._synced > self._said:
            # A hole behind it is what a power loss leaves, and before it is damage.
            lines = encode([Synced(self._synced)]) + lines
        rest = memoryview(lines)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except OSError as error:
                if error.errno not in FULL or self._ending.is_set():
                    raise
                # Cut back: a line that began would be taken for damage behind the next.
                os.ftruncate(self._descriptor, self._length)
                rest = memoryview(lines)
                self._now_full(True)
                self._ending.wait(_RETRY_SECONDS)
        self._now_full(False)
        synced = any(one.sync for one in batch)
        if synced:
            self._see_that_it_is_in_place(self._length + len(lines))
            os.fdatasync(self._descriptor)
        if lines:
            self._said = self._synced
        self._length += len(lines)
        if synced:
            self._synced = self._length
        for entries in said:
            self._state.apply(entries)
        if self._length > self._compact_at and not self._ending.is_set():
            self._compact()

    def _compact(self) -> None:
        try:
            with open(self._folder.open(self._name, os.O_RDONLY), "rb") as old:
                descriptor = replace(self._folder, self._name, compacted(self._state, old))
        except OSError:
            self._see_that_it_is_in_place(self._length)
            self._compact_at *= 2  # the old one still holds; tried again later
            return
        os.close(self._descriptor)
        self._descriptor = descriptor
        self._length = self._synced = os.fstat(descriptor).st_size
        self._said = 0
        self._set_threshold()

    def _see_that_it_is_in_place(self, length: int) -> None:
        """What is written to a file that nobody finds again must not be confirmed."""
        ours = os.fstat(self._descriptor)
        try:
            there = self._folder.stat(self._name).st_ino == ours.st_ino
        except FileNotFoundError:
            there = False
        if not there:
            raise JournalFailedError("somebody has moved it away")
        if ours.st_size != length:
            raise JournalFailedError("somebody has written to it, or truncated it")

    def _set_threshold(self) -> None:
        # Not seldom: nobody is answered while what has come since is summed up.
        self._compact_at = self._length + max(_COMPACT_FROM, self._length // 4)

    def _now_full(self, full: bool) -> None:
        if full != self._is_full:
            self._is_full = full
            self._in_reactor(self._told_full, full)


def _why(error: Exception) -> str:
    if isinstance(error, JournalFailedError):
        return str(error)
    return getattr(error, "strerror", None) or repr(error)


def _call_all(calls: list[Callable[[], object]]) -> None:
    for call in calls:
        try:
            call()
        except Exception:  # noqa: BLE001 - what one sender's protocol raises costs nobody else
            _log.failure("a sender that was told of its bytes raised")
