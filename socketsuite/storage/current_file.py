"""The file that a destination writes to now, and the next one: opened, rotated, replaced.

All of this blocks, and is for one thread at a time.  This module must not know what is queued.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from socketsuite.storage import events
from socketsuite.storage.append_file import FULL, NAME_IS_TAKEN, AppendFile
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
from socketsuite.storage.names import shown
from socketsuite.storage.setup import KnownAs, SegmentClosed, Setup
from socketsuite.storage.succession import succession_of
from socketsuite.storage.take_over import cut, refusal
from socketsuite.wire.records import Piece, RawFramer


class CurrentFile:
    """What a destination's thread writes to.

    :ivar number: what the journal calls the file.
    """

    def __init__(self, name: str, setup: Setup) -> None:
        self._of = name
        self._names = succession_of(name, setup)
        self._setup = setup
        self._file: AppendFile | None = None
        self._period = 0
        self._dirty = self._synced = False
        self._entries: list[Entry] = []
        self._closed: list[SegmentClosed] = []
        self._committed = self._durable = self.number = 0
        self._sync_failed = False

    @property
    def _name(self) -> str:
        return self._names.name

    @property
    def length(self) -> int:
        """Bytes in the file."""
        return self._file.length if self._file is not None else 0

    def is_refused(self, error: Exception) -> bool:
        """Whether by *error* there can be no file of this name, which a sender chose."""
        taken = isinstance(error, OSError) and error.errno in NAME_IS_TAKEN
        return taken and self._setup.own_files and self._file is None

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
        name = self._name
        try:
            segment = self._names.close(file)
        except OSError as error:
            if error.errno in FULL:
                return  # with the next write it is tried again
            raise
        # Before it is compressed: where the journal is short of it, it is looked for as it was.
        self._declare(self._length_of(file), FileNamed(self.number, segment))
        self._forget(name)
        self._closed.append(SegmentClosed(self._of, segment))
        setup.tell(events.FileRotated(shown(self._of), segment, file.length), "info")

    def _is_there(self) -> bool:
        with contextlib.suppress(OSError):
            self._names.resolve()
            return self._setup.folder.stat(self._name).st_size > 0
        return False

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
            name = self._name
            self._forget(name)
            self._names.leave()
            self._setup.tell(events.FileReplaced(name, how), "info")
        elif file.find_length() < 0:
            self._entries.append(FileGone(self.number))
            self._adopt(file)
            self._committed = self._durable = file.length
            self._setup.tell(events.FileReplaced(self._name, "truncated"), "info")

    def _forget(self, name: str) -> None:
        assert self._file is not None
        self._file.close()
        self._file = None
        self._dirty = self._synced = False
        self._setup.forget(name)

    def _open(self) -> None:
        setup = self._setup
        setup.in_use.wait(self._of)
        self._names.resolve()
        file = self._new_file()
        try:
            known = setup.files.get(self._name)
            if known is not None and (known.inode != file.inode or file.length < known.length):
                self._say_replaced(known, file)
                known = None
            unknown = known is None and file.length and file.regular
            if unknown and (why := refusal(file, self._name, setup)):
                file = self._set_aside(file, why)
            self._period = self._period_of(file.modified if file.length else setup.clock())
            if known is None:
                self._adopt(file)
            else:
                self.number = known.number
                if known.settled and file.length > known.length:
                    cut(file, known.length, self._name, "it was never committed", setup)
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
        self._declare(FileAdded(self.number, self._name, file.inode, file.length))

    def _declare(self, *entries: Entry) -> None:
        said, self._entries = [*self._entries, *entries], []
        self._setup.declare(said)

    def _set_aside(self, file: AppendFile, why: str) -> AppendFile:
        """Make a segment of a file, and begin another."""
        name = self._name
        segment = self._names.close(file)
        file.close()
        self._setup.tell(events.FileReplaced(name, f"{why}, now {segment}"), "warn")
        return self._new_file()

    def close(self) -> None:
        """Close the file, to be opened again with the next write."""
        if self._file is not None:
            file, number = self._file, self.number
            self._forget(self._name)
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
        length = self._durable if lost else self._committed
        known = KnownAs(self.number, file.inode, length, settled=file.cut_back_to(length))
        self._forget(self._name)
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
