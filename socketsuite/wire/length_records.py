"""Frames records that stand behind their length.

This module must not know who sends, where the records go, or what is in them.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import BinaryIO

from socketsuite.wire.record_framer import Overlong, Piece, part_of

_BLOCK = 65536
_HEADER = struct.Struct(">I")
LARGEST_LENGTH = 0xFFFF_FFFF
"""The largest length that the header of a record can say."""


class LengthRecords:
    """Records behind their length, 32 bits, the highest byte first; it stays before the record.

    A record that is cut has its first *limit* bytes behind their own length.

    :param limit: the longest record, in bytes, the length not counted; at least 1.
    """

    def __init__(self, limit: int, overlong: Overlong) -> None:
        self._limit = min(limit, LARGEST_LENGTH)
        self._overlong = overlong
        self._carry = bytearray()  # a header or its beginning, and what has come behind it
        self._wanted = 0  # how long the carry will be; known as soon as its header is whole
        self._excess = 0  # how many bytes that are not kept come then
        self._to_skip = 0
        self.dropped = self.cut = self.torn = 0

    @property
    def pending(self) -> int:
        """How many bytes wait for the end of their record: at most the limit and a header."""
        return len(self._carry)

    def feed(self, data: Piece) -> list[Piece]:
        """Take the next chunk; return the records that it completes, in few pieces."""
        pieces: list[Piece] = []
        at, end = 0, len(data)
        while at < end:
            if self._to_skip:
                skipped = min(self._to_skip, end - at)
                self._to_skip -= skipped
                at += skipped
                continue
            if not self._carry:
                start = at
                at = _whole_records(data, at, self._limit)
                if at > start:
                    pieces.append(part_of(data, start, at))
            at = self._carry_on(data, at, pieces)
        return pieces

    def _carry_on(self, data: Piece, at: int, pieces: list[Piece]) -> int:
        """Add to the record that waits; return where its part of *data* ends."""
        if len(self._carry) < _HEADER.size:
            missing = _HEADER.size - len(self._carry)
            self._carry += data[at : at + missing]
            at = min(at + missing, len(data))
            if len(self._carry) < _HEADER.size or not self._begin_record():
                return at
        missing = self._wanted - len(self._carry)
        self._carry += data[at : at + missing]
        if len(self._carry) == self._wanted:
            pieces.append(bytes(self._carry))
            self._carry.clear()
            self._to_skip = self._excess
            self.cut += self._excess > 0
        return min(at + missing, len(data))

    def _begin_record(self) -> bool:
        """Read the header; return whether anything of its record is kept."""
        (length,) = _HEADER.unpack(self._carry)
        kept = min(length, self._limit)
        self._excess = length - kept
        self._wanted = _HEADER.size + kept
        if self._excess and self._overlong == "drop":
            self.dropped += 1
            self._carry.clear()
            self._to_skip = length
            return False
        self._carry[:] = _HEADER.pack(kept)
        return True

    def finish(self) -> list[bytes]:
        """Return nothing: a record that is shorter than its length is left out, and counted."""
        self.abandon()
        return []

    def abandon(self) -> None:
        """Leave out the record that is unfinished, and count it."""
        self.torn += bool(self._carry)
        self._carry.clear()
        self._to_skip = 0

    def records(self, piece: Piece) -> Iterator[bytes]:
        """Yield each record of *piece*, with its length before it."""
        at = 0
        while at < len(piece):
            (length,) = _HEADER.unpack_from(piece, at)
            yield bytes(piece[at : at + _HEADER.size + length])
            at += _HEADER.size + length

    def last_boundary(self, file: BinaryIO, start: int, end: int) -> int:
        """Return where the last whole record of the file's part ends; *start* if there is none."""
        while end - start >= _HEADER.size:
            block = os.pread(file.fileno(), min(_BLOCK, end - start), start)
            whole = _whole_records(block, 0, LARGEST_LENGTH)
            if not whole:  # the record is longer than a block, or its end is not there
                if len(block) < _HEADER.size:
                    break
                whole = _HEADER.size + _HEADER.unpack_from(block)[0]
                if start + whole > end:
                    break
            start += whole
        return start


def _whole_records(data: Piece, at: int, limit: int) -> int:
    """Return where the last of the whole records ends that begin at *at*, none over *limit*."""
    end = len(data) - _HEADER.size
    read = _HEADER.unpack_from
    while at <= end:
        (length,) = read(data, at)
        if length > limit or at + length > end:
            break
        at += _HEADER.size + length
    return at
