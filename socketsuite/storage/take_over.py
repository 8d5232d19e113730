"""What is done to a file that is there when it is opened: gone on with, cut, or left alone.

All of this blocks.  This module must not know how a file is written, nor what it is called next.
"""

from __future__ import annotations

import os

from socketsuite.storage import events
from socketsuite.storage.append_file import AppendFile
from socketsuite.storage.setup import Setup


def refusal(file: AppendFile, name: str, setup: Setup) -> str:
    """Return why a file of which nothing is known is not gone on with; empty when it is.

    A last record of it that is not whole is cut off then.
    """
    if setup.own_files:
        return "unknown"
    with os.fdopen(os.dup(file.fileno()), "rb") as reader:
        whole = setup.framer.last_boundary(reader, 0, file.length)
    if file.length - whole > setup.longest:
        # Framed otherwise, or not at all: that is not ours to cut.
        return "not of records"
    if whole < file.length:
        cut(file, whole, name, "its last record is not whole", setup)
    return ""


def cut(file: AppendFile, length: int, name: str, why: str, setup: Setup) -> None:
    """Cut off what is behind *length*, and say so."""
    more = file.length - length
    file.cut(length)
    setup.tell(events.TailCut(name, more, why), "warn")
