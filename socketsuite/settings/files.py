"""A file that settings name, read whole within bounds.

This module must not know what it holds.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path


class UnreadableError(Exception):
    """A file that cannot be read; its text is the cause, and nothing of what it holds."""


def read_regular(path: str | Path, largest: int) -> tuple[bytes, int]:
    """Return the bytes of a regular file, and its mode: a pipe could hang, a device never end.

    :param largest: the most bytes that it may have.
    :raises UnreadableError: with the cause in words.
    """
    try:
        # O_NONBLOCK: opening a FIFO that nobody writes to must not wait for one who does.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        with open(descriptor, "rb") as file:
            mode = os.fstat(descriptor).st_mode
            data = file.read(largest + 1) if stat.S_ISREG(mode) else None
    except OSError as error:
        text = os.strerror(error.errno) if error.errno else str(error)
        raise UnreadableError(text[:1].lower() + text[1:]) from None
    except ValueError:
        raise UnreadableError("a path has no zero byte") from None
    if data is None:
        raise UnreadableError("it is not a regular file")
    if len(data) > largest:
        size = f"{largest >> 20} MiB" if largest >> 20 else f"{largest >> 10} KiB"
        raise UnreadableError(f"it is larger than {size}")
    return data, mode
