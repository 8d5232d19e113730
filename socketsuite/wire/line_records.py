"""Frames records that end with LF.

A chunk of ordinary lines is not split: the last LF in it is enough.

This module must not know who sends, where the records go, or what is in them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO

from socketsuite.wire.record_framer import Overlong, Piece, part_of

_BLOCK = 65536


class LineRecords:
    """Records that end with LF; a CR before it is a byte like any other.

    A line that is cut has its first *limit* bytes and LF; it is given out as soon as it is known
    to be too long.  One that the sender leaves unended is ended here.

    :param limit: the longest line, in bytes, its LF not counted; at least 1.
    """

    def __init__(self, limit: int, overlong: Overlong) -> None:
        self._limit = limit
        self._overlong = overlong
        self._carry = bytearray()
        self._skipping = False
        self.dropped = self.cut = self.torn = 0

    @property
    def pending(self) -> int:
        """How many bytes wait for the end of their line: at most the limit."""
        return len(self._carry)

    def feed(self, data: Piece) -> list[Piece]:
        """Take the next chunk; return the lines that it completes, in few pieces."""
        pieces: list[Piece] = []
        at, end = 0, len(data)
        while at < end:
            if self._skipping:
                found = _find_lf(data, at, end)
                self._skipping = found < 0
                at = end if found < 0 else found + 1
            elif self._carry:
                at = self._end_carried(data, at, pieces)
            else:
                at = self._take_lines(data, at, pieces)
        return pieces

    def _end_carried(self, data: Piece, at: int, pieces: list[Piece]) -> int:
        """Add to the line that waits; return where its part of *data* ends."""
        reach = min(at + self._limit - len(self._carry) + 1, len(data))
        found = _find_lf(data, at, reach)
        if found < 0:
            return self._leave_unended(data, at, pieces)
        self._carry += data[at : found + 1]
        pieces.append(bytes(self._carry))
        self._carry.clear()
        return found + 1

    def _take_lines(self, data: Piece, start: int, pieces: list[Piece]) -> int:
        """Take all whole lines from *start* on, up to one that is too long; return where."""
        at, end = start, len(data)
        # All lines that end where one line may reach are short enough: only the last is looked for.
        while (found := _find_lf_backwards(data, at, min(at + self._limit + 1, end))) >= 0:
            at = found + 1
        if at > start:
            pieces.append(part_of(data, start, at))
        return self._leave_unended(data, at, pieces) if at < end else end

    def _leave_unended(self, data: Piece, at: int, pieces: list[Piece]) -> int:
        """Keep the line that has no end within its limit, or what is kept of it."""
        room = self._limit - len(self._carry)
        if len(data) - at <= room:
            self._carry += data[at:]
            return len(data)
        if self._overlong == "cut":
            pieces.append(bytes(self._carry) + bytes(data[at : at + room]) + b"\n")
            self.cut += 1
        else:
            self.dropped += 1
        self._carry.clear()
        self._skipping = True
        return at + room

    def finish(self) -> list[bytes]:
        """Return the line that was left unended, ended."""
        self._skipping = False
        if not self._carry:
            return []
        self._carry += b"\n"
        line = bytes(self._carry)
        self._carry.clear()
        return [line]

    def abandon(self) -> None:
        """Leave out the line that is unended, and count it."""
        self.torn += bool(self._carry)
        self._carry.clear()
        self._skipping = False

    def records(self, piece: Piece) -> Iterator[bytes]:
        """Yield each line of *piece*, with its LF."""
        *lines, rest = bytes(piece).split(b"\n")
        yield from (line + b"\n" for line in lines)
        if rest:
            yield rest

    def last_boundary(self, file: BinaryIO, start: int, end: int) -> int:
        """Return where the last LF of the file's part ends; *start* when there is none."""
        while start < end:
            block = os.pread(file.fileno(), min(_BLOCK, end - start), max(start, end - _BLOCK))
            found = block.rfind(b"\n")
            if found >= 0:
                return max(start, end - _BLOCK) + found + 1
            end = max(start, end - _BLOCK)
        return start


def _find_lf(data: Piece, start: int, end: int) -> int:
    """Return where the first LF is, or -1."""
    if isinstance(data, bytes):
        return data.find(b"\n", start, end)
    for at in range(start, end, _BLOCK):
        found = bytes(data[at : min(at + _BLOCK, end)]).find(b"\n")
        if found >= 0:
            return at + found
    return -1


def _find_lf_backwards(data: Piece, start: int, end: int) -> int:
    """Return where the last LF is, or -1."""
    if isinstance(data, bytes):
        return data.rfind(b"\n", start, end)
    size = 256  # the end of an ordinary line is near: little is copied to find it
    while start < end:
        begin = max(start, end - size)
        found = bytes(data[begin:end]).rfind(b"\n")
        if found >= 0:
            return begin + found
        end, size = begin, min(size * 4, _BLOCK)
    return -1
