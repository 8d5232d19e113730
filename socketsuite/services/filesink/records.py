"""Makes of what a sender sent what is written: pieces of whole records, small enough to rotate.

This module must not know where pieces go.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from socketsuite.wire.records import Piece, RawFramer, RecordFramer

LONGEST_HEADER = 256
"""Bytes that a length, and the line in front of it, have at most."""


def record_header(peer: str, now: float) -> bytes:
    """Return the line in front of a record: when it came, in UTC, and from whom."""
    day = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
    return f"{day}.{int(now % 1 * 1000):03d}Z {peer}\n".encode()


def headed(
    pieces: list[Piece], framer: RecordFramer, header: bytes
) -> tuple[list[Piece], list[bool]]:
    """Return *pieces* with *header* before each record, and which of them are the sender's."""
    made: list[Piece] = []
    for piece in pieces:
        for record in framer.records(piece):
            made += (header, record)
    return made, [False, True] * (len(made) // 2)


def portions(pieces: list[Piece], framer: RecordFramer, most: int) -> Iterator[list[Piece]]:
    """Yield *pieces* in portions of up to *most* bytes, a longer record alone; 0 is no limit."""
    if not most or sum(map(len, pieces)) <= most:
        yield pieces
        return
    portion: list[Piece] = []
    size = 0
    for piece in pieces:
        for part in _parts(piece, framer, most):
            if portion and size + len(part) > most:
                yield portion
                portion, size = [], 0
            portion.append(part)
            size += len(part)
    if portion:
        yield portion


def _parts(piece: Piece, framer: RecordFramer, most: int) -> Iterator[Piece]:
    if len(piece) <= most:
        yield piece
    elif isinstance(framer, RawFramer):
        view = memoryview(piece)
        yield from (view[at : at + most] for at in range(0, len(view), most))
    else:
        yield from framer.records(piece)
