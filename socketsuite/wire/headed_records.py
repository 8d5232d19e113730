"""Finds the ends of records that each have a line of their own before them.

This module must not know what that line says.
"""

from __future__ import annotations

import os
from typing import BinaryIO

from socketsuite.wire.length_records import LengthRecords
from socketsuite.wire.record_framer import RecordFramer

_BLOCK = 65536
_LONGEST_HEADER = 512


class HeadedRecords:
    """Records as they are in a file, with a line before each.

    :param framer: knows the records themselves.
    """

    def __init__(self, framer: RecordFramer) -> None:
        self._lengths = isinstance(framer, LengthRecords)

    def last_boundary(self, file: BinaryIO, start: int, end: int) -> int:
        """Return where the last whole record ends that has its header, all from *start* on."""
        if self._lengths:
            return _end_of_headed_lengths(file.fileno(), start, end)
        return _end_of_line_pairs(file.fileno(), start, end)


def _end_of_headed_lengths(descriptor: int, start: int, end: int) -> int:
    block, at = b"", 0  # what was read last, and how much of it is done
    while start < end:
        if len(block) - at < _LONGEST_HEADER + 4:
            block, at = os.pread(descriptor, min(_BLOCK, end - start), start), 0
        line = block.find(b"\n", at, at + _LONGEST_HEADER) + 1
        if not line or line + 4 > len(block):
            break
        size = line - at + 4 + int.from_bytes(block[line : line + 4], "big")
        if start + size > end:
            break
        start += size
        at = min(at + size, len(block))
    return start


def _end_of_line_pairs(descriptor: int, start: int, end: int) -> int:
    """Return where the last line of even number ends: which are headers is known by counting."""
    ends = [start, start]  # of the last line and the one before; the even one is a boundary
    even = True
    at = start
    while at < end and (block := os.pread(descriptor, min(_BLOCK, end - at), at)):
        count = block.count(b"\n")
        if count:
            last = block.rfind(b"\n")
            before = block.rfind(b"\n", 0, last)
            ends = [ends[1] if before < 0 else at + before + 1, at + last + 1]
            even ^= bool(count & 1)
        at += len(block)
    return ends[1] if even else ends[0]
