"""What the campaigns' senders send: numbered lines with a checksum each, the same every time.

A line is ``SOURCE NUMBER CRC FILLER``; whoever reads one knows whether it is whole, who sent it,
and which it is.  This module must not know how anything is sent.
"""

from __future__ import annotations

import binascii
import random
import threading
from bisect import bisect_left
from collections.abc import Iterable

from socketsuite.wire.merkle import TreeHash


class BrokenRecordError(AssertionError):
    """A line that nobody has sent, or that is there twice."""


def record(source: str, number: int, filler: str) -> bytes:
    """Return one line."""
    body = f"{source} {number} {filler}"
    return f"{source} {number} {binascii.crc32(body.encode()):08x} {filler}\n".encode()


def parse(line: bytes) -> tuple[str, int]:
    """Return who has sent *line*, and which of its lines it is.

    :raises BrokenRecordError: when it is not whole.
    """
    try:
        source, number, checksum, filler = line.decode().removesuffix("\n").split(" ")
        if binascii.crc32(f"{source} {number} {filler}".encode()) != int(checksum, 16):
            raise ValueError("its checksum is wrong")
    except ValueError as error:
        raise BrokenRecordError(f"a torn record, {line[:80]!r}: {error}") from None
    return source, int(number)


def numbers(lines: Iterable[bytes]) -> dict[str, list[int]]:
    """Return the numbers of each source's lines, in the order in which they lie.

    :raises BrokenRecordError: when a line is torn, or there twice.
    """
    found: dict[str, list[int]] = {}
    seen: set[tuple[str, int]] = set()
    for line in lines:
        which = parse(line)
        if which in seen:
            raise BrokenRecordError(f"record {which} is there twice")
        seen.add(which)
        found.setdefault(which[0], []).append(which[1])
    return found


class Source:
    """All that one stream will ever have, made as far as somebody has asked for it."""

    def __init__(self, name: str, seed: int, longest: int = 3000) -> None:
        self.name = name
        self._dice = random.Random(f"{seed} {name}")
        self._longest = longest
        self._made = bytearray()
        self._ends = [0]
        self._lock = threading.Lock()

    def _grow(self, length: int) -> None:
        while len(self._made) < length:
            size = int(self._longest ** self._dice.random())
            self._made += record(self.name, len(self._ends) - 1, "x" * size)
            self._ends.append(len(self._made))

    def data(self, start: int, end: int) -> bytes:
        """Return the bytes from *start* to *end*."""
        with self._lock:
            self._grow(end)
            return bytes(self._made[start:end])

    def end_of_record(self, least: int) -> int:
        """Return where the first record ends that ends at *least* or behind it."""
        with self._lock:
            self._grow(least)
            return self._ends[bisect_left(self._ends, least)]


class Proof:
    """The tree hash of a source's first bytes, which only grow."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._tree = TreeHash()

    def root(self, offset: int) -> bytes:
        """Return the hash of the first *offset* bytes; not fewer than the last time."""
        assert offset >= self._tree.size, f"{offset} after {self._tree.size}"
        self._tree.feed(self._source.data(self._tree.size, offset))
        return self._tree.root()
