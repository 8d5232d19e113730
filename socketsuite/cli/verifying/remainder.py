"""Holds what is left of a stream against the lines of leaves, where its first bytes are deleted.

A receipt is for all bytes before an offset, so it can prove nothing by itself then; but the hashes
of leaves that it proves do.  This module must not know what becomes of a verdict.
"""

from __future__ import annotations

from collections.abc import Callable

from socketsuite.cli.verifying.checking import Place, Verdict
from socketsuite.cli.verifying.index import ReceiptIndex
from socketsuite.cli.verifying.locating import Difference, leaves_of, place_in
from socketsuite.storage.reading import StorageError, StreamReader
from socketsuite.wire.merkle import LEAF
from socketsuite.wire.receipts import Leaf, locate


def check_remainder(
    reader: StreamReader, index: ReceiptIndex, stream: str, advanced: Callable[[int], None]
) -> tuple[Verdict, Difference | None]:
    """Judge the bytes that are there, and say where they first differ.

    ``proven`` of the verdict is up to where they are as acknowledged, from the first whole leaf on;
    0 where nothing is.
    """
    verdict = Verdict(stream, gone=reader.first, size=reader.first)
    ends = list(index.proven_ends(stream))
    proven, last_leaf = ends[-1] if ends else (0, b"")
    found: Difference | None = None
    try:
        for number, data, places in leaves_of(reader):
            advanced(len(data))
            origin = number * LEAF
            verdict.size = origin + len(data)
            verdict.end = place_in(places, len(data))
            length = min(LEAF, proven - origin)
            if length <= 0 or found is not None:
                continue
            lines = index.leaves(stream, number, length)
            line = next((one for one in lines if length == LEAF or one.hash == last_leaf), None)
            if line is None:
                continue
            found = _difference(line, data[:length], places)
            if found is None and len(data) >= length:
                verdict.proven = origin + length
    except StorageError as error:
        verdict.trouble = str(error)
    offsets = [said.offset for said in index.acknowledged(stream)]
    verdict.receipts = len(offsets)
    verdict.held = sum(end <= verdict.proven for end, _ in ends)
    verdict.missing = max(0, max(offsets, default=0) - verdict.size)
    if found is not None:
        verdict.differs = (found.start, found.end)
    return verdict, found


def _difference(line: Leaf, data: bytes, places: list[tuple[int, Place]]) -> Difference | None:
    """Return where a leaf differs from what its line says."""
    found = locate(data, line)
    if found is None:
        return None
    start, end = (line.index * LEAF + at for at in found)
    return Difference(start, end, place_in(places, found[0]), "leaves")
