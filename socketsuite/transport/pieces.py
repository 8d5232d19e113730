"""Keeps a queue of many small pieces from costing more memory than its bytes.

A ``bytes`` object of one byte takes 34, and a place in a list eight more.  This module must not
know who waits for the bytes.
"""

from __future__ import annotations

_MANY = 256


def join_tail(pieces: list[bytes], joined: int) -> int:
    """Join what was added to *pieces* behind the first *joined*, where that is many.

    So each byte is copied once.

    :return: how many of the pieces are joined now.
    """
    if joined > len(pieces):
        joined = 0  # they have been sent meanwhile
    if len(pieces) - joined < _MANY:
        return joined
    pieces[joined:] = [b"".join(pieces[joined:])]
    return joined + 1
