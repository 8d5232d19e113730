"""Puts the extents of many streams into as few lines of the journal as they need.

Small records of several senders lie between one another in a file: no two extents can be joined,
and their lines would be several times as long as what they say.  This module must not know of
files.
"""

from __future__ import annotations

from collections.abc import Iterator

from socketsuite.storage.journal_lines import (
    Entry,
    Extent,
    JournalError,
    Skipped,
    decode,
    encode,
    encode_pieces,
    is_pieces,
)
from socketsuite.storage.journal_state import JournalState

_MOST_OF_A_LINE = 500
_MOST_OF_ALL = 20_000


class CompactExtents:
    """Extents on their way into a new journal.

    What *state* does not have, of streams and files, is left out.
    """

    def __init__(self, state: JournalState) -> None:
        self._state = state
        self._waiting: dict[int, list[Extent]] = {}
        self._count = 0
        self.reached = dict.fromkeys(state.streams, 0)

    def take(self, line: bytes) -> Iterator[bytes]:
        """Yield what is to be written when *line*, of the old journal, has been read."""
        try:
            entries = decode(line.removesuffix(b"\n"))
        except JournalError:
            return
        extents = [one for one in entries if isinstance(one, Extent)]
        if is_pieces(line) and extents and self._holds_still(extents):
            # Most of a journal, and whole as it is.
            yield from self._flush(extents[0].stream)
            yield from self._placed(extents[0], extents[-1].offset + extents[-1].length, line)
            return
        for one in extents:
            yield from self._add(one)

    def rest(self) -> Iterator[bytes]:
        """Yield what has waited for more of its kind."""
        for number in list(self._waiting):
            yield from self._flush(number)

    def _holds_still(self, extents: list[Extent]) -> bool:
        stream, last = self._state.streams.get(extents[0].stream), extents[-1]
        return (
            stream is not None
            and last.offset + last.length <= stream.offset
            and last.file in self._state.files
        )

    def _add(self, extent: Extent) -> Iterator[bytes]:
        stream = self._state.streams.get(extent.stream)
        if stream is None or extent.file not in self._state.files:
            return
        length = min(extent.length, stream.offset - extent.offset)
        if length <= 0:
            return
        waiting = self._waiting.get(extent.stream, [])
        if waiting:
            last = waiting[-1]
            end = last.at + last.length
            follows = last.file == extent.file and last.offset + last.length == extent.offset
            if follows and end == extent.at:
                extent = waiting.pop()
                length += extent.length
                self._count -= 1
            elif not follows or end > extent.at or len(waiting) >= _MOST_OF_A_LINE:
                yield from self._flush(extent.stream)
        one = Extent(extent.stream, extent.offset, length, extent.file, extent.at)
        self._waiting.setdefault(extent.stream, []).append(one)
        self._count += 1
        if self._count > _MOST_OF_ALL:
            yield from self.rest()

    def _flush(self, number: int) -> Iterator[bytes]:
        extents = self._waiting.pop(number, None)
        if extents:
            self._count -= len(extents)
            last = extents[-1]
            line = encode(extents) if len(extents) == 1 else encode_pieces(extents)
            yield from self._placed(extents[0], last.offset + last.length, line)

    def _placed(self, first: Extent, end: int, line: bytes) -> Iterator[bytes]:
        if self.reached[first.stream] != first.offset:
            entries: list[Entry] = [Skipped(first.stream, first.offset)]
            yield encode(entries)
        self.reached[first.stream] = end
        yield line
