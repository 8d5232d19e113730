"""Finds the files that the journal knows again, one that was given another name in its folder too.

This module must not know who renamed it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from posixpath import dirname, join

from socketsuite.storage.append_file import NO_DESCRIPTORS
from socketsuite.storage.beneath import Folder
from socketsuite.storage.journal_state import KnownFile

_MOST_LOOKED_AT = 10_000


def find_moved(folder: Folder, name: str, inode: int) -> tuple[str, int] | None:
    """Return what the file of this *inode*, which was *name*, is called now, and its length.

    :raises OSError: when there are no descriptors to look with.
    """
    parent = dirname(name)
    with _unless_it_passes():
        for one in folder.listdir(parent)[:_MOST_LOOKED_AT]:
            path = join(parent, one)
            with _unless_it_passes():
                status = folder.stat(path)
                if status.st_ino == inode:
                    return path, status.st_size
    return None


@contextlib.contextmanager
def _unless_it_passes() -> Iterator[None]:
    """Nothing is found where it cannot be looked; but for want of descriptors that is not known."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_DESCRIPTORS:
            raise


def find_known(folder: Folder, file: KnownFile) -> int | None:
    """Return how long *file* is, and set its name if it has another one now."""
    compressed = [f"{file.name}.gz", f"{file.name}.zst"]
    with contextlib.suppress(FileNotFoundError):
        status = folder.stat(file.name)
        if status.st_ino == file.inode or file.closed:
            return status.st_size
    if file.closed:
        for name in compressed:
            with contextlib.suppress(FileNotFoundError):
                folder.stat(name)
                return file.written
    # It was renamed, and the journal did not come to say so; or somebody else has moved it.
    moved = find_moved(folder, file.name, file.inode)
    if moved is None:
        return None
    file.name, file.closed = moved[0], True
    return moved[1]
