"""What the journal's entries come to: which files there are, and how far each stream has come.

This module must not know where entries come from, nor touch a file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from socketsuite.storage.journal_lines import (
    Began,
    Durable,
    Ended,
    Entry,
    Extent,
    FileAdded,
    FileGone,
    FileNamed,
    JournalError,
    Leaves,
    Skipped,
    StreamAdded,
    StreamGone,
    Synced,
    Used,
    Written,
)
from socketsuite.wire.merkle import LEAF


@dataclass(slots=True)
class KnownFile:
    """A file as the journal has it.

    :ivar written: bytes in it; *durable* of them are on disk for certain.
    :ivar closed: nothing is appended to it any more.
    """

    number: int
    name: str
    inode: int
    written: int
    durable: int
    closed: bool = False


@dataclass(slots=True)
class KnownStream:
    """A stream as the journal has it.

    :ivar offset: bytes of it that are in files.
    :ivar leaves: whole leaves that *hashes* are the tree hash's state after.
    :ivar tail: where the bytes behind the last whole leaf lie, in order.
    :ivar trouble: why it cannot be gone on with; empty when it can.
    """

    number: int
    name: str
    offset: int = 0
    leaves: int = 0
    hashes: str = ""
    used: int = 0
    tail: list[Extent] = field(default_factory=list)
    trouble: str = ""


class JournalState:
    """The sum of all entries so far.

    :param tails: whether to keep where each stream's last bytes lie.
    :ivar receded: streams of which something was not kept that had been said to be written.
    """

    def __init__(self, tails: bool = False) -> None:
        self._tails = tails
        self.files: dict[int, KnownFile] = {}
        self.streams: dict[int, KnownStream] = {}
        self.boot = ""
        self.ended = True
        self.last_file = self.last_stream = 0
        self.receded: set[int] = set()

    def apply(self, entries: Iterable[Entry]) -> None:
        """Add *entries*.

        :raises JournalError: when one does not follow from those before it.
        """
        for entry in entries:
            try:
                self._apply(entry)
            except KeyError as error:
                raise JournalError(f"it names number {error}, which there is not") from None

    def forget_tails(self) -> None:
        """Keep no longer where each stream's last bytes lie."""
        self._tails = False
        for known in self.streams.values():
            known.tail = []

    def _apply(self, entry: Entry) -> None:
        match entry:
            case Extent():
                self._extend(entry)
            case Leaves(stream, count, hashes):
                known = self.streams[stream]
                known.leaves, known.hashes = count, hashes
            case Durable(file, length):
                self.files[file].written = self.files[file].durable = length
            case Written(file, length):
                self.files[file].written = length
            case Used(stream, time):
                self.streams[stream].used = time
            case StreamAdded(stream, name):
                self.streams[stream] = KnownStream(stream, name)
                self.last_stream = max(self.last_stream, stream)
            case StreamGone(stream):
                del self.streams[stream]
            case Skipped(stream, offset):
                known = self.streams[stream]
                if offset < known.offset:
                    self.receded.add(stream)
                known.offset = offset
            case FileAdded(file, name, inode, length):
                self.files[file] = KnownFile(file, name, inode, length, length)
                self.last_file = max(self.last_file, file)
            case FileNamed(file, name):
                self.files[file].name, self.files[file].closed = name, True
            case FileGone(file):
                self.files.pop(file, None)
            case Began(boot, _):
                self.boot, self.ended = boot, False
            case Ended():
                self.ended = True
            case Synced():
                pass  # it is of the journal's file, and no news of others

    def _extend(self, extent: Extent) -> None:
        known = self.streams[extent.stream]
        if extent.offset != known.offset:
            raise JournalError(f"bytes of stream {known.name} are missing in it")
        known.offset += extent.length
        if self._tails:
            first = known.offset // LEAF * LEAF
            # Of small records there are many: they are looked through once a leaf.
            if first > extent.offset:
                known.tail = [one for one in known.tail if one.offset + one.length > first]
            if known.offset > first:
                known.tail[-1:] = merged([*known.tail[-1:], extent])


def add_extent(extents: list[Extent], one: Extent) -> None:
    """Add an extent to those of the same stream; of earlier ones what it takes the place of goes.

    That is so after a failure: what was not synced is written anew.
    """
    cut_extents(extents, one.offset)
    extents[-1:] = merged([*extents[-1:], one])


def cut_extents(extents: list[Extent], offset: int) -> None:
    """Take out what is behind *offset* of a stream: it was said to be written, and is not kept."""
    while extents and extents[-1].offset >= offset:
        extents.pop()
    if extents and (last := extents[-1]).offset + last.length > offset:
        kept = offset - last.offset
        extents[-1] = Extent(last.stream, last.offset, kept, last.file, last.at)


def merged(extents: Iterable[Extent]) -> Iterator[Extent]:
    """Yield *extents* of one stream, in order; those that follow one another in a file as one."""
    last: Extent | None = None
    for one in extents:
        if (
            last is not None
            and one.file == last.file
            and one.at == last.at + last.length
            and one.offset == last.offset + last.length
        ):
            last = Extent(last.stream, last.offset, last.length + one.length, last.file, last.at)
            continue
        if last is not None:
            yield last
        last = one
    if last is not None:
        yield last
