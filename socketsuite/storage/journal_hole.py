"""Cuts the journal off where a power loss has left a hole in it, with whole lines behind.

The disk may take later blocks of a file before earlier ones, until it is synced; those that it did
not take are zeros.  A hole before the end of what was synced is no such thing, but damage.  All of
this blocks.  This module must not know what the lines come to.
"""

from __future__ import annotations

import os
from typing import BinaryIO

from socketsuite.storage.beneath import Folder
from socketsuite.storage.journal_file import lines_of
from socketsuite.storage.journal_lines import HEADER, JournalError, Synced, decode


def cut_off_hole(folder: Folder, name: str, old: BinaryIO) -> int:
    """Cut off what is behind a hole in the journal *old*, which is called *name*.

    :return: how many bytes that were; 0 where the journal says that they had been synced, or does
        not say how much had been.
    """
    hole = _find_hole(old)
    if not hole:
        return 0
    size = os.fstat(old.fileno()).st_size
    descriptor = folder.open(name, os.O_RDWR)
    try:
        os.ftruncate(descriptor, hole)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return size - hole


def _find_hole(old: BinaryIO) -> int:
    """Return where the first line begins that is not whole; 0 unless it is such a hole."""
    old.seek(len(HEADER))
    at, first, synced = len(HEADER), 0, 0
    for line in lines_of(old):
        try:
            entries = decode(line.removesuffix(b"\n"))
        except JournalError:
            if not first and b"\0" not in line:
                return 0
            first = first or at
        else:
            synced = max([synced, *(one.length for one in entries if isinstance(one, Synced))])
        at += len(line)
    return first if 0 < synced <= first else 0
