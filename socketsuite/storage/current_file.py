"""The file that a destination writes to now, and the next one: opened, rotated, replaced.

All of this blocks, and is for one thread at a time.  This module must not know what is queued.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence

from socketsuite.storage import events
from socketsuite.storage.append_file import FULL, AppendFile
from socketsuite.storage.journal_lines import (
    Durable,
    Entry,
    Extent,
    FileAdded,
    FileGone,
    FileNamed,
    Leaves,
    Written,
)
from socketsuite.storage.moved import find_moved
from socketsuite.storage.segments import list_segments, next_number, segment_name
from socketsuite.storage.setup import KnownAs, SegmentClosed, Setup
from socketsuite.wire.records import Piece, RawFramer


class CurrentFile:
    """What a destination's thread writes to.

    :ivar number: what the journal calls the file.
    """

    def __init__(self, name: str, setup: Setup) -> None:
        self._name = name
        self._setup = setup
        self._file: AppendFile | None = None
        self._period = 0
        self._dirty = self._synced = False
        self._entries: list[Entry] = []
        self._closed: list[SegmentClosed] = []
        self._segments = 0
        self._committed = self._durable = self.number = 0
        self._sync_failed = False

    @property
    def length(self) -> int:
        """Bytes in the file."""
        return self._file.length if self._file is not None else 0

    @property
    def dirty(self) -> bool:
        """Whether something was written and not synced."""
        return self._dirty

    def say(self, entries: list[Entry]) -> None:
        """Have the journal say *entries* with the next commit."""
        self._entries += entries

    def take_entries(self) -> list[Entry]:
        """Return what the journal is to say now."""
        entries, self._entries = self._entries, []
        file = self._file
        self._committed = self.length
        if file is not None and file.regular and (entries or self._synced):
            entries.append(self._length_of(file))
        self._synced = False
        return entries if self._setup.journaled else []

    def take_closed(self) -> list[SegmentClosed]:
        """Return the segments that were closed since."""
        closed, self._closed = self._closed, []
        return closed

    def _length_of(self, file: AppendFile) -> Written | Durable:
        kind = Written if self._dirty else Durable
        return kind(self.number, file.length)

    # ── writing ─────────────────────────────────────────────────────────────────────

    def is_full_with(self, more: int) -> bool:
        """Whether *more* bytes are too many for the file."""
        limit = self._setup.rotate_size
        return bool(limit) and self.length + more > limit

    def make_ready(self, size: int) -> None:
        """Have the file open that *size* bytes are to be written to."""
        if self._file is not None:
            self._see_whether_replaced(self._file)
        if self._file is None:
            self._open()
        if self._is_over(size):
            self.rotate(forced=True)
            if self._file is None:
                self._open()

    def _is_over(self, size: int) -> bool:
        file, setup = self._file, self._setup
        if file is None or not file.length:
            return False
        late = setup.rotate_every and self._period != self._period_of(setup.clock())
        return bool(late) or self.is_full_with(size)

    def write(self, pieces: Sequence[Piece]) -> int:
        """Append as many of *pieces* as there is room for; return how many."""
        assert self._file is not None
        self._dirty = True
        return self._file.write(pieces)

    def sync(self) -> None:
        """Have the disk keep what was written."""
        if self._file is not None and self._dirty:
            self._sync_failed = True
            self._file.sync()
            self._sync_failed = self._dirty = False
            self._synced = True
            self._durable = self._file.length

    # ── which file ──────────────────────────────────────────────────────────────────

    def rotate(self, forced: bool) -> None:
        """Close the file as a segment; unless *forced*, only if its time is over."""
        file, setup = self._file, self._setup
        if file is None and forced and self._is_there():
            self._open()
            file = self._file
        if file is None or not file.regular or not file.length:
            return
        self._see_whether_replaced(file)
        if self._file is None or not (forced or self._is_over(0)):
            return
        if setup.sync != "none" or setup.journaled:
            self.sync()
        try:
            segment = self._rename(file)
        except OSError as error:
            if error.errno in FULL:
                return  # with the next write it is tried again
            raise
        self._entries += (self._length_of(file), FileNamed(self.number, segment))
        self._forget()
        self._closed.append(SegmentClosed(self._name, segment))
        setup.tell(events.FileRotated(self._name, segment, file.length), "info")

    def _is_there(self) -> bool:
        with contextlib.suppress(OSError):
            return self._setup.folder.stat(self._name).st_size > 0
        return False

    def _rename(self, file: AppendFile) -> str:
        folder = self._setup.folder
        if not self._segments:
            self._segments = next_number(list_segments(folder, self._name))
        while True:
            segment = segment_name(self._name, self._segments)
            with contextlib.suppress(FileExistsError):
                file.rename(segment)
                self._segments += 1
                return segment
            self._segments += 1

    def _see_whether_replaced(self, file: AppendFile) -> None:
        if not file.is_in_place():
            if self._setup.sync != "none" or self._setup.journaled:
                self.sync()
            found = find_moved(self._setup.folder, self._name, file.inode)
            how = f"moved to {found[0]}" if found else "removed"
            if found:
                self._entries += (self._length_of(file), FileNamed(self.number, found[0]))
            else:
                self._entries.append(FileGone(self.number))
            self._forget()
            self._setup.tell(events.FileReplaced(self._name, how), "info")
        elif file.find_length() < 0:
            self._entries.append(FileGone(self.number))
            self._adopt(file)
            self._committed = self._durable = file.length
            self._setup.tell(events.FileReplaced(self._name, "truncated"), "info")

    def _forget(self) -> None:
        assert self._file is not None
        self._file.close()
        self._file = None
        self._dirty = self._synced = False
        self._setup.forget(self._name)

    def _open(self) -> None:
        setup = self._setup
        file = self._new_file()
        try:
            known = setup.files.get(self._name)
            if known is not None and (known.inode != file.inode or file.length < known.length):
                self._say_replaced(known, file)
                known = None
            if known is None and file.length and file.regular:
                file = self._take_over(file)
            self._period = self._period_of(file.modified if file.length else setup.clock())
            if known is None:
                self._adopt(file)
            else:
                self.number = known.number
                if known.settled and file.length > known.length:
                    _cut(file, known.length, self._name, "it was never committed", setup)
        except BaseException:
            file.close()
            raise
        self._file = file
        self._sync_failed = False
        self._committed = self._durable = file.length

    def _say_replaced(self, known: KnownAs, file: AppendFile) -> None:
        """Say what became, while nobody wrote to it, of the file that was there before *file*."""
        moved, how = None, "truncated"
        if known.inode != file.inode:
            moved = find_moved(self._setup.folder, self._name, known.inode)
            how = f"moved to {moved[0]}" if moved else "replaced"
        self._entries.append(FileNamed(known.number, moved[0]) if moved else FileGone(known.number))
        self._setup.tell(events.FileReplaced(self._name, how), "info")

    def _new_file(self) -> AppendFile:
        setup = self._setup
        readable = not isinstance(setup.framer, RawFramer)
        return AppendFile(
            setup.folder, self._name, readable=readable and not setup.devices, devices=setup.devices
        )

    def _adopt(self, file: AppendFile) -> None:
        self.number = self._setup.next_number()
        # Before anything is written: what a crash leaves behind this length was never committed.
        self._entries.append(FileAdded(self.number, self._name, file.inode, file.length))
        entries, self._entries = self._entries, []
        self._setup.declare(entries)

    def _take_over(self, file: AppendFile) -> AppendFile:
        """Go on with a file of which nothing is known; or, where it must be nobody's, begin one."""
        setup = self._setup
        if setup.own_files:
            return self._set_aside(file, "unknown")
        with os.fdopen(os.dup(file.fileno()), "rb") as reader:
            whole = setup.framer.last_boundary(reader, 0, file.length)
        if file.length - whole > setup.longest:
            # Framed otherwise, or not at all: that is not ours to cut.
            return self._set_aside(file, "not of records")
        if whole < file.length:
            _cut(file, whole, self._name, "its last record is not whole", setup)
        return file

    def _set_aside(self, file: AppendFile, what: str) -> AppendFile:
        """Make a segment of a file, and begin another."""
        segment = self._rename(file)
        file.close()
        told = events.FileReplaced(self._name, f"{what}, now {segment}")
        self._setup.tell(told, "warn")
        return self._new_file()

    def close(self) -> None:
        """Close the file, to be opened again with the next write."""
        if self._file is not None:
            file, number = self._file, self.number
            self._forget()
            self._setup.remember(self._name, KnownAs(number, file.inode, file.length, False))

    def give_up(self) -> tuple[list[Entry], bool]:
        """After a failure: close the file; what is not kept is cut off when it is opened again.

        :return: what the journal is to say of files, and whether only what was synced is kept.
        """
        entries = list[Entry](e for e in self._entries if not isinstance(e, (Extent, Leaves)))
        self._entries.clear()
        if (file := self._file) is None:
            return entries, False
        unsure = self._setup.journaled and self._durable < self._committed
        lost = unsure and not self._can_sync(file)
        known = KnownAs(self.number, file.inode, self._durable if lost else self._committed, True)
        with contextlib.suppress(OSError):
            file.cut_back_to(known.length)
        self._forget()
        self._setup.remember(self._name, known)
        entries += [Durable(known.number, known.length)] if unsure else []
        return entries, lost

    def _can_sync(self, file: AppendFile) -> bool:
        with contextlib.suppress(OSError):
            # One that has failed is not tried again: the next one may say that all is well.
            if not self._sync_failed:
                file.sync()
                return True
        return False

    def _period_of(self, time: float) -> int:
        every = self._setup.rotate_every
        return int(time // every) if every else 0


def _cut(file: AppendFile, length: int, name: str, why: str, setup: Setup) -> None:
    cut = file.length - length
    file.cut(length)
    setup.tell(events.TailCut(name, cut, why), "warn")
