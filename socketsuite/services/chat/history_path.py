"""Whether a path may be used for the history, and what is done with the files there.

Nothing that is there is overwritten or deleted.  This module must not know what the file holds
beyond its header.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import stat
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

APPLICATION = 0x53534348  # "SSCH"
VERSION = 2
"""``application_id`` and ``user_version`` of the file's header.  In version 1 no text had lines."""

_MAGIC = b"SQLite format 3\0"
_HEADER = 100
_BESIDE = ("", "-wal", "-shm", "-journal")
"""What SQLite has beside the file: a -wal that is left holds transactions of its own file only."""

_CURES = {
    errno.ENOENT: "its folder does not exist: create it",
    errno.ENOTDIR: "a part of its path is not a folder",
    errno.EACCES: "permission denied: let this user write it and its folder",
    errno.EPERM: "permission denied: let this user write it and its folder",
    errno.EROFS: "the file system is read-only: name a file elsewhere",
    errno.ELOOP: "its symbolic links lead in a circle",
}
_SQLITE_CURES = {
    sqlite3.SQLITE_FULL: "the disk is full, or the file may not grow",
    sqlite3.SQLITE_READONLY: "it cannot be written: let this user write it and its folder",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened: let this user write it and its folder",
    sqlite3.SQLITE_PERM: "permission denied: let this user write it and its folder",
}


class HistoryFileError(OSError):
    """The file cannot be used.

    :ivar why: the reason, and perhaps the cure.
    """

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"cannot keep the history in {path}: {why}")
        self.why = why


def cause_of(error: Exception) -> str:
    """Return why, in a few words."""
    if isinstance(error, HistoryFileError):
        return error.why
    if isinstance(error, OSError):
        return _CURES.get(error.errno or 0, error.strerror or str(error))
    code = getattr(error, "sqlite_errorcode", 0) or 0
    return _SQLITE_CURES.get(code & 0xFF, str(error))


def reject_unsafe(path: Path) -> bool:
    """Return whether there is a file of ours at *path*; an empty one, and none, are not.

    Must not be called while this process has the file open in SQLite: to close any descriptor of
    it lets go of its locks.

    :raises HistoryFileError: for anything that is not to be touched.
    """
    try:
        # O_NONBLOCK: to open a FIFO must not wait.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK)
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise HistoryFileError(path, _CURES[errno.ENOENT]) from None
        _reject_unwritable(path, path.parent)
        return False
    except OSError as error:
        raise HistoryFileError(path, cause_of(error)) from None
    try:
        found = os.fstat(descriptor)
        if stat.S_ISDIR(found.st_mode):
            raise HistoryFileError(path, "it is a folder: name a file")
        if not stat.S_ISREG(found.st_mode):
            raise HistoryFileError(path, "it is no regular file: name a file")
        if found.st_mode & 0o022:
            raise HistoryFileError(path, "others can write it: chmod 600")
        if found.st_uid not in (0, os.geteuid()):
            raise HistoryFileError(path, "it is another user's: chown it to this one")
        _reject_unwritable(path, path, path.parent)
        return found.st_size > 0 and _check_header(path, os.read(descriptor, _HEADER))
    finally:
        os.close(descriptor)


def _reject_unwritable(path: Path, *written: Path) -> None:
    # SQLite would open it for reading, and fail later with other words.
    for each in written:
        if os.statvfs(each).f_flag & os.ST_RDONLY:
            raise HistoryFileError(path, _CURES[errno.EROFS])
        if not os.access(each, os.W_OK, effective_ids=True):
            raise HistoryFileError(path, _CURES[errno.EACCES])


def _check_header(path: Path, header: bytes) -> bool:
    """See that the file is ours (SQLite's file format, 1.3).

    :raises HistoryFileError: when it is not.
    """
    cure = "move it away, or name another"
    if len(header) < _HEADER or not header.startswith(_MAGIC):
        raise HistoryFileError(path, f"it is no SQLite file: {cure}")
    if int.from_bytes(header[68:72], "big") != APPLICATION:
        raise HistoryFileError(path, f"it is another application's SQLite file: {cure}")
    version = int.from_bytes(header[60:64], "big")
    if not 1 <= version <= VERSION:
        known = f"its format is version {version}, and {VERSION} is known here"
        raise HistoryFileError(path, f"{known}: {cure}")
    return True


def create_whole(path: Path, fill: Callable[[Path], None]) -> None:
    """Make the file at *path*, mode 0600, which is there only once *fill* has made it whole.

    Fill is given the path of an empty file; what it leaves is on disk when it returns.

    :raises OSError: when it cannot be.
    """
    # SQLite would take such a thing for the new file's own.
    if any(Path(f"{path}{suffix}").exists() for suffix in _BESIDE[1:]):
        move_aside(path)
    made = Path(f"{path}.new-{os.getpid()}")
    made.unlink(missing_ok=True)  # of a process that had our number, and ended while it did this
    os.close(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        fill(made)
        if os.path.lexists(path) and path.stat().st_size == 0:
            made.replace(path)
        else:
            os.link(made, path)  # unlike a rename, it fails where something has come to be
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        made.unlink(missing_ok=True)


def move_aside(path: Path) -> Path:
    """Rename the file and what is beside it to ``PATH.damaged-TIME``, and return that.

    :raises OSError: when it cannot be.
    """
    when = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    for number in count(1):
        aside = Path(f"{path}.damaged-{when}" + (f"-{number}" if number > 1 else ""))
        if not any(os.path.lexists(f"{aside}{suffix}") for suffix in _BESIDE):
            break
    # The file last: until then another attempt moves the rest.
    for suffix in reversed(_BESIDE):
        with contextlib.suppress(FileNotFoundError):
            os.rename(f"{path}{suffix}", f"{aside}{suffix}")
    return aside
