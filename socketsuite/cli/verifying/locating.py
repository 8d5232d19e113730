"""Where a stream first differs from what was acknowledged, as exactly as can be told.

An original tells the byte.  Without one the lines of leaves beside the receipts tell the leaf, its
locators the block, and often the byte.  This module must not know how receipts are checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from socketsuite.cli.verifying.checking import Place
from socketsuite.cli.verifying.index import ReceiptIndex
from socketsuite.storage.reading import StreamReader
from socketsuite.transport.dial.failed import Failed, os_cause
from socketsuite.wire.merkle import LEAF, TreeHash
from socketsuite.wire.receipts import locate

Evidence = Literal["original", "leaves", "unproven-leaves", "receipts"]

_READ = 1 << 18


@dataclass(frozen=True)
class Difference:
    """The first difference: in the bytes of the stream from *start* up to *end*.

    :ivar evidence: by what this is known; ``unproven-leaves`` are lines that no receipt proves.
    """

    start: int
    end: int
    place: Place
    evidence: Evidence

    def __str__(self) -> str:
        if self.end - self.start == 1:
            return f"byte {self.start:,} of the stream differs: {self.place}"
        return (
            f"the first difference is in bytes {self.start:,} to {self.end - 1:,} of the stream:"
            f" from {self.place}"
        )


def by_original(
    reader: StreamReader, original: Path, proven: int, acknowledged: dict[bytes, int], end: int
) -> Difference | None:
    """Return the first byte that differs from the file *original*.

    :param proven: so many bytes are known to be right.
    :param acknowledged: hashes, one of which the first *end* bytes of the original must have.
    :return: ``None`` when the original is not what was acknowledged, either.
    :raises Failed: when the original cannot be read.
    """
    found: Difference | None = None
    tree = TreeHash()
    try:
        with original.open("rb") as file:
            while tree.size < end and (data := file.read(min(_READ, end - tree.size))):
                tree.feed(data)
            if tree.root() not in acknowledged:
                return None
            file.seek(0)
            start = 0
            for data, path, at in reader.chunks():
                right = file.read(len(data))
                if right != data and start + len(data) > proven:
                    place = _first_different(data, right)
                    if place is not None:
                        offset = start + place
                        found = Difference(offset, offset + 1, Place(path, at + place), "original")
                        break
                start += len(data)
    except OSError as error:
        raise Failed(f"cannot read {original}: {os_cause(error)}", "input") from None
    return found


def _first_different(data: bytes, right: bytes) -> int | None:
    """Return where two pieces first differ, as far as the shorter of them goes."""
    low, high = 0, min(len(data), len(right))
    if data[:high] == right[:high]:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if data[low:middle] != right[low:middle]:
            high = middle
        else:
            low = middle
    return low


def by_leaves(
    reader: StreamReader, index: ReceiptIndex, stream: str, proven: int, end: int
) -> Difference:
    """Return the first difference between *proven* and *end*, as far as the leaves' lines tell."""
    first: Place | None = None
    known = True
    for number, data, places in leaves_of(reader):
        origin = number * LEAF
        if origin >= end or not known:
            break
        if origin + len(data) <= proven:
            continue
        if first is None:
            first = place_in(places, max(proven - origin, 0))
        for line in (lines := index.leaves(stream, number)):
            found = locate(data[: line.length], line)
            if found is None or origin + found[1] <= proven or origin + found[0] >= end:
                continue
            begin = max(origin + found[0], proven)
            is_proven = index.proves_leaf(stream, number)
            evidence: Evidence = "leaves" if is_proven else "unproven-leaves"
            place = place_in(places, begin - origin)
            return Difference(begin, min(origin + found[1], end), place, evidence)
        known = any(line.length >= min(len(data), end - origin) for line in lines)
    assert first is not None, "the bytes that differ are there"
    return Difference(proven, end, first, "receipts")


def leaves_of(reader: StreamReader) -> Iterator[tuple[int, bytes, list[tuple[int, Place]]]]:
    """Yield each leaf's number, bytes, and from which of them on it lies where.

    Of a leaf whose first bytes are deleted nothing is told.
    """
    leaf = bytearray()
    places: list[tuple[int, Place]] = []
    left_out = -reader.first % LEAF
    number = (reader.first + left_out) // LEAF
    for data, path, at in reader.chunks():
        done = min(left_out, len(data))
        left_out -= done
        while done < len(data):
            count = min(LEAF - len(leaf), len(data) - done)
            places.append((len(leaf), Place(path, at + done)))
            leaf += data[done : done + count]
            done += count
            if len(leaf) == LEAF:
                yield number, bytes(leaf), places
                leaf.clear()
                places = []
                number += 1
    if leaf:
        yield number, bytes(leaf), places


def place_in(places: list[tuple[int, Place]], offset: int) -> Place:
    """Return where the byte *offset* of a leaf lies."""
    start, place = next(one for one in reversed(places) if one[0] <= offset)
    return Place(place.file, place.at + offset - start)
