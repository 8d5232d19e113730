"""What a batch of writes comes to: extents of streams, their tree hashes, receipts.

This module must not know how anything is written, nor when.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from socketsuite.storage.buffers import Lease
from socketsuite.storage.journal_lines import Entry, Extent, Leaves
from socketsuite.storage.streams import Stream
from socketsuite.wire.records import Piece

_OVERHEAD = 256
"""Bytes of memory that a piece takes besides its own, about."""


@dataclass(eq=False, slots=True)
class Write:
    """Pieces to be written, one behind the other.

    :ivar own: which of them are the stream's own bytes; ``None`` is all.
    :ivar lease: of the buffer that they are views of.
    """

    pieces: Sequence[Piece]
    size: int
    stream: Stream | None = None
    own: Sequence[bool] | None = None
    lease: Lease | None = None

    @property
    def weight(self) -> int:
        """Bytes that it takes in memory: a byte at a time may be sent."""
        return self.size + _OVERHEAD * max(1, len(self.pieces))


class Receipt(NamedTuple):
    """*stream* is kept up to *offset*; *root* is the tree hash of that.

    :ivar durable: whether the disk has it for certain.
    """

    stream: Stream
    offset: int
    root: bytes
    durable: bool


def account(
    writes: Sequence[Write], file: int, start: int, receipts: dict[Stream, Receipt]
) -> list[Entry]:
    """Feed the trees of streams with what was written, and return what the journal is to say.

    :param file: the file's number, and *start* where in it the first byte is.
    :param receipts: is given what each stream has come to.
    """
    extents: dict[Stream, list[Extent]] = {}
    at = start
    for write in writes:
        stream = write.stream
        if stream is None:
            at += write.size
            continue
        if stream not in extents:
            extents[stream] = []
            stream.rollback = stream.tree.copy()
        for index, piece in enumerate(write.pieces):
            if write.own is None or write.own[index]:
                _extend(extents[stream], stream, file, at, len(piece))
                stream.tree.feed(piece)
            at += len(piece)
    entries: list[Entry] = []
    for stream, its_extents in extents.items():
        entries += its_extents
        count, hashes = stream.tree.frontier()
        if count != stream.leaves:
            entries.append(Leaves(stream.number, count, b"".join(hashes).hex()))
            stream.leaves = count
        receipts[stream] = Receipt(stream, stream.tree.size, stream.tree.root(), durable=False)
    return entries


def _extend(extents: list[Extent], stream: Stream, file: int, at: int, length: int) -> None:
    if extents and extents[-1].at + extents[-1].length == at:
        last = extents.pop()
        extents.append(Extent(last.stream, last.offset, last.length + length, last.file, last.at))
    else:
        extents.append(Extent(stream.number, stream.tree.size, length, file, at))
