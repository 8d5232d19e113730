"""Signed little-endian integers of fixed width, out of a stream and back into bytes.

This module must not know what the integers are for.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from typing import Literal

Width = Literal[32, 64]
Overflow = Literal["wrap", "saturate", "close"]

_ARRAY_CODES: dict[Width, Literal["i", "q"]] = {32: "i", 64: "q"}


class IntegerOverflow(Exception):
    """A value does not fit the width, and it was asked not to bend it."""


class IntegerFramer:
    """Finds the integers in a stream, however it was cut into chunks.

    :param width: 32 or 64 bits; signed (two's complement), little-endian.
    """

    def __init__(self, width: Width) -> None:
        self._code = _ARRAY_CODES[width]
        self._size = width // 8
        self._tail = b""

    @property
    def pending(self) -> int:
        """How many bytes wait for the rest of their integer."""
        return len(self._tail)

    def feed(self, data: bytes) -> Sequence[int]:
        """Take the next chunk; return the integers it completes."""
        if self._tail:
            data = self._tail + data
        whole = len(data) - len(data) % self._size
        integers = array(self._code)
        integers.frombytes(memoryview(data)[:whole])
        if sys.byteorder == "big":
            integers.byteswap()
        self._tail = data[whole:]
        return integers


def wrap(value: int, width: Width) -> int:
    """Return *value* modulo 2^width, as a two's complement integer reads it."""
    half = 1 << (width - 1)
    return (value + half) % (2 * half) - half


def saturate(value: int, width: Width) -> int:
    """Return the integer of *width* bits that is nearest to *value*."""
    half = 1 << (width - 1)
    return max(-half, min(value, half - 1))


def encode(value: int, width: Width, overflow: Overflow) -> bytes:
    """Return *value* as a signed little-endian integer of *width* bits.

    :param overflow: what becomes of a value that does not fit: ``wrap`` (two's
        complement), ``saturate`` (the nearest that fits), or ``close``, which refuses.
    :raises IntegerOverflow: when it does not fit and *overflow* is ``close``.
    """
    if overflow == "wrap":
        value = wrap(value, width)
    elif overflow == "saturate":
        value = saturate(value, width)
    try:
        return value.to_bytes(width // 8, "little", signed=True)
    except OverflowError:
        raise IntegerOverflow(f"the value does not fit {width} bits") from None
