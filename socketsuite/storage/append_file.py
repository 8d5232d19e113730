"""A file that is appended to: opened, written whole pieces at a time, synced, cut back.

All of this blocks, and is for a thread that may.  This module must not know of queues, streams or
the journal.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Sequence

from socketsuite.storage.beneath import Folder
from socketsuite.wire.records import Piece

FULL = (errno.ENOSPC, errno.EDQUOT)
"""What room on the disk cures."""

NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)
"""What passes when others close theirs."""

NAME_IS_TAKEN = (
    errno.EISDIR,
    errno.ENOTDIR,
    errno.ELOOP,
    errno.ENXIO,
    errno.ENODEV,
    errno.ENAMETOOLONG,
    errno.EINVAL,
)
"""What it is that no file of this name can be made, while others can."""

_MOST_PIECES = 512
"""Pieces of one writev; no system takes fewer than this."""

_NO_SYNC = (errno.EINVAL, errno.EROFS, errno.ENOTSUP)
"""What fdatasync says of a device that has nothing to sync."""


class SyncFailedError(OSError):
    """The disk was found full when it was to keep what had been written: that is not waited for."""


class AppendFile:
    """One open file, at whose end is written.

    :ivar length: bytes in it, as far as this object knows.
    :ivar regular: whether it is a file at all; a device has no length, and is never rotated.
    """

    def __init__(
        self, folder: Folder, name: str, *, readable: bool = False, devices: bool = False
    ) -> None:
        """Open the file, and make it and its folders where there is none.

        :param readable: whether it is to be read, too.
        :param devices: whether a character device will do.
        :raises OSError: when it cannot be opened.
        """
        flags = (os.O_RDWR if readable else os.O_WRONLY) | os.O_APPEND
        try:
            self._descriptor = folder.open(name, flags, devices=devices)
            self.created = False
        except FileNotFoundError:
            self._descriptor = folder.open(name, flags | os.O_CREAT, make_folders=True)
            self.created = True
        status = os.fstat(self._descriptor)
        self._folder, self._name = folder, name
        # Whoever made it may have died before its name was on disk.
        self._unsynced_folder = True
        self.regular = stat.S_ISREG(status.st_mode)
        self.inode = status.st_ino
        self._device = status.st_dev
        self.length = status.st_size if self.regular else 0
        # As long it may be by what this object wrote, after a write that failed too.
        self._reach = self.length
        # Where what others wrote ends, as far as it was seen.
        self._others_end = 0
        self.modified = status.st_mtime

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor

    def is_in_place(self) -> bool:
        """Whether the file's name still is this file's."""
        if not self.regular:
            return True
        try:
            status = self._folder.stat(self._name)
        except FileNotFoundError:
            return False
        return (status.st_ino, status.st_dev) == (self.inode, self._device)

    def find_length(self) -> int:
        """Look how long the file is, and return by how much that is not what was known."""
        if not self.regular:
            return 0
        known, self.length = self.length, os.fstat(self._descriptor).st_size
        self._reach = self.length
        if self.length > known:
            self._others_end = self.length
        return self.length - known

    def write(self, pieces: Sequence[Piece]) -> int:
        """Append as many of *pieces* as there is room for, none of them in part; return how many.

        :raises OSError: when it cannot be written for another reason; it may hold a part then.
        """
        done = 0
        while done < len(pieces):
            some = pieces[done : done + _MOST_PIECES]
            self._reach = self.length + sum(map(len, some))
            try:
                written = os.writev(self._descriptor, some)
            except OSError as error:
                if error.errno not in FULL:
                    raise
                self._reach = self.length
                return done
            whole, kept = _whole(some, written)
            if kept < written:
                self._cut_back(kept, written)
            self.length += kept
            self._reach = self.length
            done += whole
            if not whole:
                return done
        return done

    def _cut_back(self, kept: int, written: int) -> None:
        """Of what was *written* just now keep the first bytes, unless somebody wrote behind it."""
        if self.regular and os.fstat(self._descriptor).st_size == self.length + written:
            os.ftruncate(self._descriptor, self.length + kept)

    def sync(self) -> None:
        """Have the disk keep what was written, and that there is the file.

        :raises OSError: when it does not; what it holds is not known then.
        """
        try:
            os.fdatasync(self._descriptor)
            if self._unsynced_folder and self.regular:
                self._sync_folder()
        except OSError as error:
            if error.errno in FULL:
                raise SyncFailedError(errno.EIO, error.strerror) from error
            if self.regular or error.errno not in _NO_SYNC:
                raise

    def _sync_folder(self) -> None:
        try:
            self._folder.sync_folder_of(self._name)
        except PermissionError:
            # Who may write to a file that is there need not be able to read its folder.
            if self.created:
                raise
        self._unsynced_folder = False

    def cut_back_to(self, length: int) -> bool:
        """Cut off what this object wrote behind *length*, unless somebody else wrote, too.

        :return: whether all behind it is this object's, and may be cut off later, too.
        """
        if not self.regular:
            return True
        with contextlib.suppress(OSError):
            there = os.fstat(self._descriptor).st_size
            if there > self._reach or self._others_end > length:
                return False
            if there >= length:
                self.cut(length)
        return True

    def cut(self, length: int) -> None:
        """Cut the file to *length* bytes.

        :raises OSError: when it cannot be cut.
        """
        os.ftruncate(self._descriptor, length)
        self.length = self._reach = length

    def rename(self, new: str) -> None:
        """Give the file another name, which nothing has, for good; sync its folder.

        :raises OSError: when that does not work.
        """
        self._folder.rename(self._name, new)
        self._folder.sync_folder_of(new)
        self._unsynced_folder = False

    def close(self) -> None:
        """Close it; a second time does nothing, whoever has its descriptor's number by then."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            with contextlib.suppress(OSError):
                os.close(descriptor)


def _whole(pieces: Sequence[Piece], written: int) -> tuple[int, int]:
    """Return how many of *pieces* fit into *written* bytes whole, and their length."""
    count = kept = 0
    for piece in pieces:
        if kept + len(piece) > written:
            break
        kept += len(piece)
        count += 1
    return count, kept
