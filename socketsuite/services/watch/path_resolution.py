"""What a path leads through: its folders and its symbolic links, as the kernel resolves it.

Follows path_resolution(7) step by step, so that each step can be watched.  This module must
not know who watches, nor how.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

MOST_LINKS = 40
"""Symbolic links that a path may lead through; the kernel follows no more either."""

MOST_STEPS = 256
"""Components that a path may have, those of its links' targets included."""


_PROC_ORDINARY = frozenset({b"self", b"thread-self", b"mounts", b"net"})


@dataclass
class Resolution:
    """How a path was resolved at one moment; two are equal when nothing has changed since.

    :ivar folders: every folder on the way, as its real path, with device and inode.
    :ivar entries: names, each with its folder, that decide where the path leads: the links
        on the way, and what is missing or is no folder.
    :ivar file: the folder and the name of the file itself, whether it is there or not;
        ``None`` when the way to it is broken.
    """

    folders: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    entries: list[tuple[bytes, bytes, bytes]] = field(default_factory=list)
    file: tuple[bytes, bytes] | None = None


def resolve(path: Path) -> Resolution:
    """Resolve *path*, which may lead nowhere.

    :raises OSError: when there are too many steps, the current folder is gone, or a link of
        /proc is on the way: it leads to a file that its text need not name, see proc(5).
    """
    found = Resolution()
    here = b"/"
    start = b"" if path.is_absolute() else os.getcwdb()
    ahead = _components(os.path.join(start, os.fsencode(path)))
    for _ in range(MOST_STEPS):
        if not ahead:
            return found  # it ends in a folder
        name = ahead.pop()
        if name == b"..":
            here = os.path.dirname(here)
            continue
        full = os.path.join(here, name)
        seen: os.stat_result | None = None
        target: bytes | None = None
        with contextlib.suppress(OSError):
            seen = os.lstat(full)
            target = os.readlink(full) if stat.S_ISLNK(seen.st_mode) else None
        if target is not None:
            if seen is not None and seen.st_dev == _proc_device() and name not in _PROC_ORDINARY:
                raise OSError(errno.ELOOP, f"{os.fsdecode(full)} is no ordinary link")
            found.entries.append((here, name, target))
            if len(found.entries) > MOST_LINKS:
                return found
            if target.startswith(b"/"):
                here = b"/"
            ahead += _components(target)
        elif not ahead:
            found.file = (here, name)
            return found
        elif seen is not None and stat.S_ISDIR(seen.st_mode):
            here = full
            found.folders[here] = (seen.st_dev, seen.st_ino)
        else:
            found.entries.append((here, name, b""))
            return found
    raise OSError(errno.ENAMETOOLONG, f"more than {MOST_STEPS} folders and links lead to {path}")


def _proc_device() -> int | None:
    try:
        return os.lstat("/proc").st_dev
    except OSError:
        return None


def _components(path: bytes) -> list[bytes]:
    """Return the components of *path* that lead somewhere, the last one first."""
    return [name for name in reversed(path.split(b"/")) if name not in (b"", b".")]
