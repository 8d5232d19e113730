"""Brings streams into line with what their files hold, and makes them ready to be gone on with.

All of this blocks.  This module must not know how files were checked.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import BinaryIO

from socketsuite.storage import events
from socketsuite.storage.beneath import Folder
from socketsuite.storage.extents import StreamDataError, hash_extents, read_extents
from socketsuite.storage.journal_file import extents_in, places_in
from socketsuite.storage.journal_lines import Extent
from socketsuite.storage.journal_state import JournalState, KnownStream, add_extent, cut_extents
from socketsuite.storage.streams import Stream
from socketsuite.wire.merkle import HASH_SIZE, LEAF, TreeHash


def all_extents(old: BinaryIO, streams: Iterable[int]) -> dict[int, list[Extent]]:
    """Return where the bytes of *streams* lie, by their numbers."""
    wanted: dict[int, list[Extent]] = {stream: [] for stream in streams}
    for one in places_in(old):
        if one.stream not in wanted:
            continue
        if isinstance(one, Extent):
            add_extent(wanted[one.stream], one)
        else:
            cut_extents(wanted[one.stream], one.offset)
    return wanted


def recede(folder: Folder, state: JournalState, old: BinaryIO) -> None:
    """Let each stream end where the first of its bytes is in no file."""
    offsets: dict[int, int] = {}
    for one in extents_in(old):
        file = state.files.get(one.file)
        if offsets.get(one.stream, -1) >= one.offset:
            del offsets[one.stream]  # what is missing was written anew
        if file is None or one.stream not in state.streams:
            continue
        kept = max(0, min(one.length, file.written - one.at))
        if kept < one.length:
            end = one.offset + kept
            offsets[one.stream] = min(end, offsets.get(one.stream, end))
    for number in state.receded & state.streams.keys():
        offsets.setdefault(number, state.streams[number].offset)
    extents = all_extents(old, offsets)
    for number, offset in offsets.items():
        stream = state.streams[number]
        if offset < stream.offset or number in state.receded:
            _set_back(folder, state, stream, extents[number], min(offset, stream.offset))


def _set_back(
    folder: Folder, state: JournalState, stream: KnownStream, extents: list[Extent], offset: int
) -> None:
    kept = [
        Extent(one.stream, one.offset, min(one.length, offset - one.offset), one.file, one.at)
        for one in extents
        if one.offset < offset
    ]
    stream.offset = offset
    stream.tail = [one for one in kept if one.offset + one.length > offset // LEAF * LEAF]
    if stream.leaves * LEAF > offset:
        try:
            tree = hash_extents(folder, state.files, kept, offset)
        except StreamDataError as error:
            stream.trouble = str(error)
            return
        stream.leaves, hashes = tree.frontier()
        stream.hashes = b"".join(hashes).hex()


def restored(
    folder: Folder, state: JournalState
) -> tuple[list[Stream], list[events.StreamDropped]]:
    """Make of what the journal says streams that can be gone on with.

    :return: these, and those that cannot, which are taken out of *state*.
    """
    streams: list[Stream] = []
    dropped: list[events.StreamDropped] = []
    for known in list(state.streams.values()):
        try:
            streams.append(_restored(folder, state, known))
        except (StreamDataError, ValueError) as error:
            del state.streams[known.number]
            dropped.append(events.StreamDropped(known.name, str(error)))
    return streams, dropped


def _restored(folder: Folder, state: JournalState, known: KnownStream) -> Stream:
    if known.trouble:
        raise StreamDataError(known.trouble)
    hashes = bytes.fromhex(known.hashes)
    frontier = [hashes[at : at + HASH_SIZE] for at in range(0, len(hashes), HASH_SIZE)]
    tree = TreeHash.restore(known.leaves, frontier)
    rest = known.offset - tree.size
    if rest:
        for data in read_extents(folder, state.files, known.tail, tree.size, rest):
            tree.feed(data)
    receipt = known.offset, tree.root()
    stream = Stream(known.name, known.number, tree, receipt, float(known.used), known.offset)
    stream.leaves = known.leaves
    stream.durable = known.offset
    return stream
