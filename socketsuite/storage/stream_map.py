"""Where the bytes of a stream lie, by the journal beside the files; for who reads them later.

The sink may be running meanwhile.  This module must not know what is done with the bytes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import dropwhile
from pathlib import Path

from socketsuite.storage.beneath import Folder
from socketsuite.storage.extents import OpenedFile, StreamDataError, open_file
from socketsuite.storage.journal_file import lines_of
from socketsuite.storage.journal_lines import (
    Entry,
    Extent,
    JournalError,
    Skipped,
    StreamAdded,
    StreamGone,
    read,
)
from socketsuite.storage.journal_state import JournalState, add_extent, cut_extents

_DEEPEST = 20


@dataclass
class StreamMap:
    """The extents of one stream, and the files that they are in.

    :param base: the folder that files are beneath.
    :param length: bytes of the stream.
    """

    base: Path
    state: JournalState
    extents: list[Extent]
    length: int

    def __post_init__(self) -> None:
        known = self.state.files
        self.extents = list(dropwhile(lambda one: one.file not in known, self.extents))

    @property
    def first(self) -> int:
        """The offset of the first byte that is in any file; those before it were deleted."""
        return self.extents[0].offset if self.extents else self.length

    def chunks(self) -> Iterator[tuple[bytes, Path, int]]:
        """Yield bytes, the file that they lie in, and at which offset of its uncompressed content.

        Begins at *first*, and ends where a file is too short.

        :raises StreamDataError: when bytes behind that are in no file any more.
        """
        at = self.first
        opened: OpenedFile | None = None
        with Folder(self.base) as folder, contextlib.ExitStack() as stack:
            for one in self.extents:
                if one.offset != at:
                    raise StreamDataError(f"bytes {at} to {one.offset} are in no file any more")
                if opened is None or not opened.reaches(one.file, one.at):
                    stack.close()
                    opened = OpenedFile(one.file, open_file(folder, self.state.files, one.file))
                    stack.callback(opened.file.close)
                path = self.base / self.state.files[one.file].name
                position = one.at
                for data in opened.read(position, one.length, short=True):
                    yield data, path, position
                    position += len(data)
                    at += len(data)
                if position < one.at + one.length:
                    return


@dataclass
class _Journal:
    """What one journal says: which files there are, and where the bytes of streams lie.

    :param base: the folder that files are beneath.
    :param relative: the file beneath it that was asked about; empty for all.
    :ivar numbers: what the journal calls each stream that there is now.
    :ivar extents: of each of those.
    """

    base: Path
    relative: str
    state: JournalState = field(default_factory=JournalState)
    numbers: dict[str, int] = field(default_factory=dict)
    extents: dict[int, list[Extent]] = field(default_factory=dict)

    def read(self, path: Path, only: str | None) -> None:
        """Take in a journal; of all streams, or of one.

        Lines that are damaged are left out: what they would have said is missing then.
        """
        with path.open("rb") as file:
            for entries in read(lines_of(file)):
                if isinstance(entries, JournalError):
                    continue
                with contextlib.suppress(JournalError):
                    self.state.apply(entries)
                for entry in entries:
                    self._take(entry, only)

    def _take(self, entry: Entry, only: str | None) -> None:
        match entry:
            case StreamAdded(number, name) if only in (None, name):
                # What it was before has expired.
                self.extents.pop(self.numbers.get(name, 0), None)
                self.numbers[name] = number
                self.extents[number] = []
            case StreamGone(number):
                self.extents.pop(number, None)
            case Extent() if entry.stream in self.extents:
                add_extent(self.extents[entry.stream], entry)
            case Skipped(number, offset) if number in self.extents:
                cut_extents(self.extents[number], offset)

    def find(self, stream: str) -> StreamMap | None:
        """Return where a stream lies, if it lies in the file that was asked about."""
        number = self.numbers.get(stream, 0)
        extents, known = self.extents.get(number), self.state.streams.get(number)
        if extents is None or known is None:
            return None
        names = {self.state.files[e.file].name for e in extents if e.file in self.state.files}
        # A segment is named for the file that it was.
        is_here = any(f"{name}~".startswith(f"{self.relative}~") for name in names)
        if self.relative and names and not is_here:
            return None
        return StreamMap(self.base, self.state, extents, known.offset)


class StreamMaps:
    """Where streams lie, by the journals beside a file, each of which is read once.

    :param file: a file that the sink writes to, or the folder that all are beneath.
    :param only: the one stream that will be asked about, if it is one.
    """

    def __init__(self, file: Path, only: str | None = None) -> None:
        self._journals: list[_Journal] = []
        for base, name, relative in _journals(file):
            journal = _Journal(base, relative)
            with contextlib.suppress(OSError):
                journal.read(base / name, only)
                self._journals.append(journal)

    def find(self, stream: str) -> StreamMap | None:
        """Return where *stream* lies; ``None`` where no journal says that it lies there."""
        return next(filter(None, (one.find(stream) for one in self._journals)), None)


def find_map(file: Path, stream: str) -> StreamMap | None:
    """Return where *stream* alone lies; see :class:`StreamMaps`."""
    return StreamMaps(file, stream).find(stream)


def _journals(file: Path) -> Iterator[tuple[Path, str, str]]:
    """Yield each journal that there may be: its folder, its name, and what *file* is there."""
    if file.is_dir():
        yield file, "~journal", ""
        return
    yield file.parent, f"{file.name}~journal", file.name
    whole = file.absolute()
    for parent in list(whole.parents)[:_DEEPEST]:
        yield parent, "~journal", str(whole.relative_to(parent))
