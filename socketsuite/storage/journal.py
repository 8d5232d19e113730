"""The journal: an append-only file, written by a thread of its own, several commits at a time.

Who appends is called back when the entries are written, and synced if that was asked.  A full disk
is waited for; after any other failure nothing is said to be written any more.  When the file has
grown enough, what still holds is written anew.  This module must not know what commits are for.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

from twisted.logger import Logger

from socketsuite.storage.append_file import FULL
from socketsuite.storage.beneath import Folder
from socketsuite.storage.journal_lines import (
    HEADER,
    LONGEST_LINE,
    Began,
    Durable,
    Entry,
    Extent,
    FileAdded,
    FileNamed,
    JournalError,
    Leaves,
    Skipped,
    StreamAdded,
    Used,
    Written,
    encode,
    read,
)
from socketsuite.storage.journal_state import JournalState

_log = Logger(namespace="socketsuite")
_RETRY_SECONDS = 0.5
_COMPACT_FROM = 1 << 20


def lines_of(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of *file*, none longer than the journal's longest; a longer one in pieces."""
    while line := file.readline(LONGEST_LINE):
        yield line


def compacted(state: JournalState, old: BinaryIO | None) -> Iterator[bytes]:
    """Yield the lines of a journal that says what *state* does, with the extents of *old*.

    Extents of streams and files that *state* does not have are left out, and cut to what it has.
    """
    yield HEADER
    if not state.ended:
        yield encode([Began(state.boot, 0)])
    yield from (
        encode([FileAdded(file.number, file.name, file.inode, file.durable)])
        for file in state.files.values()
    )
    yield from (encode([StreamAdded(one.number, one.name)]) for one in state.streams.values())
    reached = dict.fromkeys(state.streams, 0)
    waiting: dict[int, Extent] = {}
    for extent in _extents(old):
        stream = state.streams.get(extent.stream)
        if stream is None or extent.file not in state.files:
            continue
        length = min(extent.length, stream.offset - extent.offset)
        if length <= 0:
            continue
        last = waiting.get(extent.stream)
        if (
            last is not None
            and last.file == extent.file
            and last.at + last.length == extent.at
            and last.offset + last.length == extent.offset
        ):
            length += last.length
            extent = Extent(last.stream, last.offset, length, last.file, last.at)
        elif last is not None:
            yield from _placed(last, reached)
        waiting[extent.stream] = Extent(
            extent.stream, extent.offset, length, extent.file, extent.at
        )
    for last in waiting.values():
        yield from _placed(last, reached)
    for stream in state.streams.values():
        entries: list[Entry] = [Used(stream.number, stream.used)]
        if reached[stream.number] != stream.offset:
            entries.append(Skipped(stream.number, stream.offset))
        if stream.leaves:
            entries.append(Leaves(stream.number, stream.leaves, stream.hashes))
        yield encode(entries)
    for file in state.files.values():
        entries = [Durable(file.number, file.durable)]
        if file.written != file.durable:
            entries.append(Written(file.number, file.written))
        if file.closed:
            entries.append(FileNamed(file.number, file.name))
        yield encode(entries)


def _extents(old: BinaryIO | None) -> Iterator[Extent]:
    if old is not None:
        old.seek(len(HEADER))
        for entries in read(lines_of(old)):
            if not isinstance(entries, JournalError):
                yield from (entry for entry in entries if isinstance(entry, Extent))


def _placed(extent: Extent, reached: dict[int, int]) -> Iterator[bytes]:
    entries: list[Entry] = [extent]
    if reached[extent.stream] != extent.offset:
        entries.insert(0, Skipped(extent.stream, extent.offset))
    reached[extent.stream] = extent.offset + extent.length
    yield encode(entries)


def replace(folder: Folder, name: str, lines: Iterator[bytes]) -> int:
    """Write *lines* to the file *name*, which is what it was or all of that, whatever happens.

    :return: a descriptor of the new file, to append to.
    :raises OSError: when it cannot be written.
    """
    new = f"{name}~tmp"
    with contextlib.suppress(FileNotFoundError):
        folder.unlink(new)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
    with open(folder.open(new, flags, 0o600), "ab") as file:
        for line in lines:
            file.write(line)
        file.flush()
        os.fsync(file.fileno())
        # Before it is in place: no other process finds it without the lock.
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        folder.rename(new, name, replace=True)
        folder.sync_folder_of(name)
        return os.dup(file.fileno())


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
        self._length = self._compact_at = os.fstat(descriptor).st_size
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
        self._add(_Commit(entries, True, None, written))
        written.wait()
        if self.trouble is not None:
            raise JournalFailedError(f"the journal: {self.trouble}")

    def _add(self, commit: _Commit) -> None:
        with self._changed:
            self._waiting.append(commit)
            self._changed.notify()

    def stop(self, then: Callable[[], object]) -> None:
        """Write what waits, close the file, and call *then* in the reactor's thread."""
        self._ending.set()
        self.append([], sync=True, then=then)

    # ── in the thread ───────────────────────────────────────────────────────────────

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._waiting))
                batch = list(self._waiting)
                self._waiting.clear()
                ending = self._ending.is_set()
            try:
                if self.trouble is None:
                    self._write(batch)
            except Exception as error:  # noqa: BLE001 - whatever it is, nothing more is confirmed
                self.trouble = getattr(error, "strerror", None) or repr(error)
                self._in_reactor(self._told_failed, self.trouble)
            for one in batch:
                if one.written is not None:
                    one.written.set()
            if ending:
                os.close(self._descriptor)
                batch = batch if self.trouble is None else batch[-1:]
            if self.trouble is None or ending:
                self._in_reactor(_call_all, [one.then for one in batch if one.then is not None])
            if ending:
                return

    def _write(self, batch: list[_Commit]) -> None:
        said = [one.entries(self._state) if callable(one.entries) else one.entries for one in batch]
        lines = b"".join(encode(entries) for entries in said if entries)
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
        if any(one.sync for one in batch):
            self._see_that_it_is_in_place()
            os.fdatasync(self._descriptor)
        self._length += len(lines)
        for entries in said:
            self._state.apply(entries)
        if self._length > self._compact_at and not self._ending.is_set():
            self._compact()

    def _compact(self) -> None:
        try:
            with open(self._folder.open(self._name, os.O_RDONLY), "rb") as old:
                descriptor = replace(self._folder, self._name, compacted(self._state, old))
        except OSError:
            self._see_that_it_is_in_place()
            self._compact_at *= 2  # the old one still holds; tried again later
            return
        os.close(self._descriptor)
        self._descriptor = descriptor
        self._length = os.fstat(descriptor).st_size
        self._set_threshold()

    def _see_that_it_is_in_place(self) -> None:
        """What is written to a file that nobody finds again must not be confirmed."""
        if self._folder.stat(self._name).st_ino != os.fstat(self._descriptor).st_ino:
            raise JournalFailedError("somebody has moved it away")

    def _set_threshold(self) -> None:
        self._compact_at = max(_COMPACT_FROM, 2 * self._length)

    def _now_full(self, full: bool) -> None:
        if full != self._is_full:
            self._is_full = full
            self._in_reactor(self._told_full, full)


def _call_all(calls: list[Callable[[], object]]) -> None:
    for call in calls:
        try:
            call()
        except Exception:  # noqa: BLE001 - what one sender's protocol raises costs nobody else
            _log.failure("a sender that was told of its bytes raised")
