"""Finds the ends of records in a stream of bytes: raw, lines, or behind a length.

This module must not know who sends, where the records go, or what is in them.
"""

from __future__ import annotations

from typing import Literal

from socketsuite.wire.length_records import LengthRecords
from socketsuite.wire.line_records import LineRecords
from socketsuite.wire.record_framer import Overlong, Piece, RawFramer, RecordFramer

__all__ = [
    "Framing",
    "LengthRecords",
    "LineRecords",
    "Overlong",
    "Piece",
    "RawFramer",
    "RecordFramer",
    "new_framer",
]

Framing = Literal["raw", "lines", "length"]


def new_framer(framing: Framing, limit: int, overlong: Overlong) -> RecordFramer:
    """Return a framer for one stream.

    :param limit: the longest record, in bytes, without its LF or length; raw has no records.
    """
    if framing == "lines":
        return LineRecords(limit, overlong)
    if framing == "length":
        return LengthRecords(limit, overlong)
    return RawFramer()
