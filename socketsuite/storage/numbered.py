"""The numbered files of a template with ``{seq}``: which there are, and which is gone on with.

The one of the highest number is written to; the others are closed, and so is that one once it is
compressed.  This module must not know when a file is closed, nor what is in it.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Sequence

from socketsuite.storage.beneath import Folder
from socketsuite.storage.names import NUMBER, is_numbered, numbered
from socketsuite.storage.segment_reading import SUFFIXES
from socketsuite.storage.segments import Segment, list_segments
from socketsuite.storage.template_match import TemplateMatch

_COMPRESSIONS = {suffix: compression for compression, suffix in SUFFIXES.items()}


def list_numbered(folder: Folder, name: str) -> list[Segment]:
    """Return the files of a numbered name, in their order; none where their folder is missing.

    Of one that is there twice the first is the one that is not compressed.
    """
    above, _, last = name.rpartition("/")
    before, _, after = last.partition(NUMBER)
    own = re.compile(
        rf"{re.escape(before)}(?P<number>[0-9]{{6,12}}){re.escape(after)}(?P<suffix>\.gz|\.zst)?"
    )
    found: dict[int, Segment] = {}
    for one in _listed(folder, above):
        match = own.fullmatch(one)
        if match is None or f"{int(match['number']):06d}" != match["number"]:
            continue
        number, path = int(match["number"]), f"{above}/{one}" if above else one
        if number and number not in found:
            with contextlib.suppress(FileNotFoundError):
                status = folder.stat(path)
                if stat.S_ISREG(status.st_mode):
                    how = _COMPRESSIONS[match["suffix"] or ""]
                    size, modified = status.st_size, status.st_mtime_ns
                    found[number] = Segment(number, path, name, size, modified, how)
    return [found[number] for number in sorted(found)]


def closed_of(files: Sequence[Segment]) -> list[Segment]:
    """Return those of the *files* of one name, in their order, that nobody writes any more."""
    last = files[-1:]
    return [*files[:-1], *(one for one in last if one.compression != "none")]


def list_closed(folder: Folder, name: str) -> list[Segment]:
    """Return the closed files of a name, numbered or not, in their order."""
    if is_numbered(name):
        return closed_of(list_numbered(folder, name))
    return list_segments(folder, name)


def number_to_write(files: Sequence[Segment], known: int = 0) -> int:
    """Return the number of the file that is gone on with, or begun.

    :param files: those of the name that there are, in their order.
    :param known: the highest that was ever written to, as far as that is known: one before it was
        closed, and is not gone on with, whatever became of the later ones.
    """
    if not files or known > files[-1].number:
        return max(known, 1)
    return files[-1].number + (files[-1].compression != "none")


def make_next(folder: Folder, name: str, number: int) -> int:
    """Make the next file of *name* behind that of *number*, which closes it; return its number.

    :raises OSError: when it cannot be made, or its name is not on disk; then there is none.
    """
    path = ""
    while not path:
        number += 1
        with contextlib.suppress(FileExistsError):
            begun = numbered(name, number)
            os.close(folder.open(begun, os.O_WRONLY | os.O_CREAT | os.O_EXCL, make_folders=True))
            path = begun
    try:
        folder.sync_folder_of(path)
    except BaseException:
        # The one that is written to goes on to be the highest.
        with contextlib.suppress(OSError):
            folder.unlink(path)
        raise
    return number


class NumberedFiles:
    """Tells which files of a template are closed, by one look at each folder."""

    def __init__(self, folder: Folder, template: TemplateMatch) -> None:
        self._folder = folder
        self._template = template
        self._highest: dict[str, dict[str, int]] = {}

    def is_closed(self, path: str) -> bool:
        """Whether there is one of a higher number."""
        match = self._template.match(path)
        if match is None or not match.number:
            return False
        above = path.rpartition("/")[0]
        if above not in self._highest:
            self._highest[above] = self._look(above)
        return match.number < self._highest[above].get(match.name, 0)

    def close(self, path: str) -> bool:
        """Close a file by making the next one; return whether it has a number.

        :raises OSError: when that cannot be made.
        """
        match = self._template.match(path)
        if match is None or not match.number:
            return False
        make_next(self._folder, match.name, match.number)
        self._highest.clear()
        return True

    def _look(self, above: str) -> dict[str, int]:
        highest: dict[str, int] = {}
        for one in _listed(self._folder, above):
            match = self._template.match(f"{above}/{one}" if above else one)
            if match is not None:
                highest[match.name] = max(match.number, highest.get(match.name, 0))
        return highest


def _listed(folder: Folder, above: str) -> list[str]:
    try:
        return sorted(folder.listdir(above))
    except (FileNotFoundError, NotADirectoryError):
        return []
