"""Puts the extents of many streams into as few lines of the journal as they need.

Small records of several senders lie between one another in a file: no two extents can be joined,
and their lines would be several times as long as what they say.  This module must not know of
files.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterator

from socketsuite.storage.journal_lines import (
    Entry,
    Extent,
    JournalError,
    Skipped,
    encode,
    encode_pieces,
    read,
)
from socketsuite.storage.journal_state import JournalState

_MOST_OF_A_LINE = 500
_MOST_OF_ALL = 20_000


def joined(line: bytes) -> Extent | None:
    """Return what a whole line of pieces says together, from where the first lies on.

    Most of a journal of small records are such lines: where one piece is as good as another, they
    are not taken apart.
    """
    if line[8:11] != b" M " or not line.endswith(b"\n") or b";" in line:
        return None
    body = line[9:-1]
    if line[:8] != b"%08x" % binascii.crc32(body):
        return None
    try:
        _, stream, offset, length, file, at, _ = body.split(b" ")
        return Extent(int(stream), int(offset), int(length), int(file), int(at))
    except ValueError:
        return None


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
        whole = joined(line)
        if whole is not None and self._holds_still(whole):
            yield from self._flush(whole.stream)
            yield from self._placed(whole, whole.offset + whole.length, line)
            return
        for entries in read([line]):
            for one in [] if isinstance(entries, JournalError) else entries:
                if isinstance(one, Extent):
                    yield from self._add(one)
                elif isinstance(one, Skipped) and one.stream in self.reached:
                    yield from self._forget_from(one)

    def rest(self) -> Iterator[bytes]:
        """Yield what has waited for more of its kind."""
        for number in list(self._waiting):
            yield from self._flush(number)

    def _holds_still(self, one: Extent) -> bool:
        stream = self._state.streams.get(one.stream)
        if stream is None or one.file not in self._state.files:
            return False
        return one.offset + one.length <= stream.offset

    def _add(self, extent: Extent) -> Iterator[bytes]:
        stream = self._state.streams.get(extent.stream)
        if stream is None:
            return
        if extent.file not in self._state.files:
            yield from self._forget_from(extent)
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

    def _forget_from(self, gone: Extent | Skipped) -> Iterator[bytes]:
        """Forget what was written of a stream from where *gone* begins: it holds no more.

        What came in its place may be in a file that is no more.
        """
        yield from self._flush(gone.stream)
        if self.reached[gone.stream] > gone.offset:
            self.reached[gone.stream] = gone.offset
            yield encode([Skipped(gone.stream, gone.offset)])

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
