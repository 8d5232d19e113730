"""Where the bytes of a stream lie, by the journal beside the files; for who reads them later.

The sink may be running meanwhile.  This module must not know what is done with the bytes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from socketsuite.storage.beneath import Folder
from socketsuite.storage.extents import OpenedFile, StreamDataError, open_file
from socketsuite.storage.journal_file import lines_of
from socketsuite.storage.journal_lines import Extent, JournalError, StreamAdded, StreamGone, read
from socketsuite.storage.journal_state import JournalState, add_extent

_DEEPEST = 20


@dataclass
class StreamMap:
    """The extents of one stream, and the files that they are in.

    :param base: the folder that files are beneath.
    """

    base: Path
    state: JournalState
    extents: list[Extent]

    def chunks(self) -> Iterator[tuple[bytes, Path, int]]:
        """Yield bytes, the file that they lie in, and at which offset of its uncompressed content.

        Ends where a file is too short.

        :raises StreamDataError: when bytes are in no file any more.
        """
        at = 0
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


def find_map(file: Path, stream: str) -> StreamMap | None:
    """Return where *stream* lies, if a journal beside *file* says that it lies there.

    :param file: a file that the sink writes to, or the folder that all are beneath.
    """
    for base, name, relative in _journals(file):
        with contextlib.suppress(OSError):
            found = _read(base / name, stream)
            if found is not None and _is_in(found, relative):
                return StreamMap(base, *found)
    return None


def _journals(file: Path) -> Iterator[tuple[Path, str, str]]:
    """Yield each journal that there may be: its folder, its name, and what *file* is there."""
    if file.is_dir():
        yield file, "~journal", ""
        return
    yield file.parent, f"{file.name}~journal", file.name
    whole = file.absolute()
    for parent in list(whole.parents)[:_DEEPEST]:
        yield parent, "~journal", str(whole.relative_to(parent))


def _read(path: Path, stream: str) -> tuple[JournalState, list[Extent]] | None:
    """Return what a journal says of *stream*; ``None`` where it does not know it.

    Lines that are damaged are left out: what they would have said is missing then.
    """
    state = JournalState()
    extents: list[Extent] = []
    number = -1
    with path.open("rb") as file:
        for entries in read(lines_of(file)):
            if isinstance(entries, JournalError):
                continue
            with contextlib.suppress(JournalError):
                state.apply(entries)
            for entry in entries:
                match entry:
                    case StreamAdded(added, name) if name == stream:
                        number, extents = added, []  # what it was before has expired
                    case StreamGone(gone) if gone == number:
                        number = -1
                    case Extent() if entry.stream == number:
                        add_extent(extents, entry)
    return (state, extents) if number >= 0 else None


def _is_in(found: tuple[JournalState, list[Extent]], relative: str) -> bool:
    state, extents = found
    names = {state.files[one.file].name for one in extents if one.file in state.files}
    # A segment is named for the file that it was.
    return not relative or any(f"{name}~".startswith(f"{relative}~") for name in names)
