"""The files of a template that are over: closed ones, and those that nobody comes back to.

Over are the numbered ones but the highest of each name, those of a day that has passed, and those
of a connection that is closed.  The only file of a peer or stream never is, however long nobody
writes it; nor is a file that the template could not have named.  This module must not know which of
them are removed.
"""

from __future__ import annotations

import contextlib
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from os import stat_result

from socketsuite.storage.beneath import Folder
from socketsuite.storage.in_use import InUse
from socketsuite.storage.segments import Segment
from socketsuite.storage.template_match import Match, TemplateMatch

DEEPEST = 20
_UNFINISHED = "~tmp"

Found = tuple[str, stat_result]


def utc_date() -> str:
    """Return the day that it is, as file names have it."""
    return time.strftime("%Y-%m-%d", time.gmtime())


class FinishedFiles:
    """Tells the files of one template that are over from those that are not.

    :param in_use: names that are written to.
    """

    def __init__(
        self,
        folder: Folder,
        template: TemplateMatch,
        in_use: InUse,
        today: Callable[[], str] = utc_date,
    ) -> None:
        self._folder = folder
        self._template = template
        self._in_use = in_use
        self._today = today
        fields = template.fields
        self.counted = "seq" in fields
        self._ending = bool(fields & {"date", "connection"})

    def closed(self, files: Iterable[Found]) -> list[Segment]:
        """Return those of *files* that have a number and are closed, in their order."""
        return [one for one, match, highest in self._numbered(files) if one.number < highest]

    def over(self, files: Iterable[Found]) -> list[Segment]:
        """Return those of *files* that are no closed ones, and nobody comes back to."""
        if not self._ending:
            return []
        today, over = self._today(), []
        for one, match, highest in self._numbered(files):
            past = match.connection or (match.date and match.date < today)
            if past and one.number >= highest and one.file not in self._in_use:
                over.append(one)
        return over

    def remove(self, one: Segment, remove: Callable[[], object]) -> None:
        """Call *remove* for a file that is over, unless somebody has come back to it."""
        self._in_use.unless(one.file, remove)

    def clean(self) -> None:
        """Delete what an interrupted compression has left; none may be under way."""
        if not self.counted:
            return
        files = list(files_beneath(self._folder))
        names = {path for path, _ in files}
        for path in names:
            if path.endswith(_UNFINISHED) and self._is_compressed(path.removesuffix(_UNFINISHED)):
                self._unlink(path)
        for one in self.closed(files):
            if one.compression != "none" and one.name.rpartition(".")[0] in names:
                self._unlink(one.name)

    def _is_compressed(self, path: str) -> bool:
        match = self._template.match(path)
        return match is not None and match.compression != "none"

    def _unlink(self, path: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._folder.unlink(path)

    def _numbered(self, files: Iterable[Found]) -> Iterator[tuple[Segment, Match, int]]:
        """Yield each file that the template has named, and the highest number of its name."""
        matched = [(path, status, self._template.match(path)) for path, status in files]
        highest: dict[str, int] = {}
        for _, _, match in matched:
            if match is not None:
                highest[match.name] = max(match.number, highest.get(match.name, 0))
        for path, status, match in sorted(matched, key=lambda one: one[0]):
            if match is not None:
                size, modified = status.st_size, status.st_mtime_ns
                segment = Segment(match.number, path, match.name, size, modified, match.compression)
                yield segment, match, highest[match.name]


def files_beneath(folder: Folder, above: str = "", depth: int = DEEPEST) -> Iterator[Found]:
    """Yield the path of each regular file, and what the system knows of it."""
    with contextlib.suppress(OSError):
        for name in folder.listdir(above):
            path = f"{above}/{name}" if above else name
            with contextlib.suppress(OSError):
                status = folder.stat(path)
                if stat.S_ISREG(status.st_mode):
                    yield path, status
                elif stat.S_ISDIR(status.st_mode) and depth:
                    yield from files_beneath(folder, path, depth - 1)
