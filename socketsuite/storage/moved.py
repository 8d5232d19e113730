"""Finds a file again that was given another name in its folder.

This module must not know who renamed it.
"""

from __future__ import annotations

import contextlib
from posixpath import dirname, join

from socketsuite.storage.beneath import Folder

_MOST_LOOKED_AT = 10_000


def find_moved(folder: Folder, name: str, inode: int) -> tuple[str, int] | None:
    """Return what the file of this *inode*, which was *name*, is called now, and its length."""
    parent = dirname(name)
    with contextlib.suppress(OSError):
        for one in folder.listdir(parent)[:_MOST_LOOKED_AT]:
            path = join(parent, one)
            with contextlib.suppress(OSError):
                status = folder.stat(path)
                if status.st_ino == inode:
                    return path, status.st_size
    return None
