"""What a framer of records can do, and the one that frames nothing.

A framer gives back what it was fed as few, large pieces of whole records, so that records of
several senders can be written to one file.

This module must not know who sends, where the records go, or what is in them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Literal, Protocol

Overlong = Literal["drop", "cut"]
"""What becomes of a record over the limit: it is left out, or its first bytes are kept."""

Piece = bytes | memoryview


class RecordFramer(Protocol):
    """What every framer can do.

    :ivar dropped: how many records were left out, since they were over the limit.
    :ivar cut: of how many only the first bytes were kept.
    :ivar torn: of how many the end never came.
    """

    dropped: int
    cut: int
    torn: int

    @property
    def pending(self) -> int:
        """How many bytes wait for the end of their record."""

    def feed(self, data: Piece) -> list[Piece]:
        """Take the next chunk; return the whole records it completes, in order, in few pieces.

        A piece may be a view of *data*, and is good for as long as *data* is.
        """

    def finish(self) -> list[bytes]:
        """Take the orderly end of the sender; return what is a record by that."""

    def abandon(self) -> None:
        """Take any other end of the sender: an unfinished record is left out and counted."""

    def records(self, piece: Piece) -> Iterator[bytes]:
        """Yield each record of *piece*, with its LF or header."""

    def last_boundary(self, file: BinaryIO, start: int, end: int) -> int:
        """Return where the last whole record ends in an open file.

        :param start: where a record begins.
        :param end: where to stop; no more than the size of the file.
        """


class RawFramer:
    """Every byte is a record of its own."""

    dropped = cut = torn = pending = 0

    def feed(self, data: Piece) -> list[Piece]:
        """Return *data* as it is."""
        return [data] if data else []

    def finish(self) -> list[bytes]:
        """Return nothing: nothing waits."""
        return []

    def abandon(self) -> None:
        """Do nothing: nothing waits."""

    def records(self, piece: Piece) -> Iterator[bytes]:
        """Yield the piece: what arrived together is taken for one."""
        if piece:
            yield bytes(piece)

    def last_boundary(self, file: BinaryIO, start: int, end: int) -> int:
        """Return *end*."""
        return end


def part_of(data: Piece, start: int, end: int) -> Piece:
    """Return a part of *data* without copying it."""
    if end - start == len(data):
        return data
    return memoryview(data)[start:end]
