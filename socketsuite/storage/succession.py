"""How the files of one destination follow one another: what each is called, open and closed.

A file keeps its name, and has another one when it is closed; or, where its name has a number, it
keeps that, and the next file has the next number.  This module must not know what is in a file, nor
when one is closed.
"""

from __future__ import annotations

import contextlib
from typing import Protocol

from socketsuite.storage.append_file import AppendFile
from socketsuite.storage.beneath import Folder
from socketsuite.storage.names import is_numbered, numbered
from socketsuite.storage.numbered import list_numbered, make_next, number_to_write
from socketsuite.storage.segments import list_segments, next_number, segment_name
from socketsuite.storage.setup import Setup


class Succession(Protocol):
    """The names of one destination's files.

    :ivar name: of the file that is written to, once it is resolved.
    """

    name: str

    def resolve(self) -> None:
        """Find out which file is gone on with."""

    def close(self, file: AppendFile) -> str:
        """Have *file* be a closed one for good; return what it is called from now on.

        :raises OSError: when that does not work; it is the open one still.
        """

    def leave(self) -> None:
        """Somebody has taken the file away."""


def succession_of(name: str, setup: Setup) -> Succession:
    """Return how the files of the destination *name* follow one another."""
    return _Counted(name, setup) if is_numbered(name) else _Renamed(name, setup.folder)


class _Renamed:
    """``NAME`` is always the open one; a closed one is ``NAME~000001``."""

    def __init__(self, name: str, folder: Folder) -> None:
        self.name = name
        self._folder = folder
        self._next = 0

    def resolve(self) -> None:
        """It has its name."""

    def close(self, file: AppendFile) -> str:
        """Rename it."""
        if not self._next:
            self._next = next_number(list_segments(self._folder, self.name))
        while True:
            segment = segment_name(self.name, self._next)
            with contextlib.suppress(FileExistsError):
                file.rename(segment)
                self._next += 1
                return segment
            self._next += 1

    def leave(self) -> None:
        """The next one has the same name."""


class _Counted:
    """The open one is that of the highest number.

    The next one is made before the one before it is closed, so that this always tells.
    """

    def __init__(self, name: str, setup: Setup) -> None:
        self.name = ""
        self._of = name
        self._setup = setup
        self._number = 0

    def resolve(self) -> None:
        """Take the highest number that there is; a compressed file is not gone on with."""
        if not self.name:
            files = list_numbered(self._setup.folder, self._of)
            self._take(number_to_write(files, self._setup.number_of(self._of)))

    def close(self, file: AppendFile) -> str:
        """Make the next one."""
        closed = self.name
        self._take(make_next(self._setup.folder, self._of, self._number))
        return closed

    def leave(self) -> None:
        """Whoever took the file knows it by its number: another one has the next."""
        self._setup.set_number(self._of, self._number + 1)
        self.name = ""

    def _take(self, number: int) -> None:
        self._number = number
        self.name = numbered(self._of, number)
        self._setup.set_number(self._of, number)
