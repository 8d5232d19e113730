"""Reads the bytes of a stream from the files that they lie in.

This module must not know of senders, nor of the sink that wrote the files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO

from socketsuite.storage.beneath import Folder
from socketsuite.storage.journal_lines import Extent
from socketsuite.storage.journal_state import KnownFile, KnownStream
from socketsuite.storage.segments import open_known
from socketsuite.wire.merkle import LEAF, TreeHash

_BLOCK = 1 << 20


class StreamDataError(Exception):
    """Bytes of a stream are not where the journal says."""


def read_extents(
    folder: Folder,
    files: Mapping[int, KnownFile],
    extents: Sequence[Extent],
    start: int,
    length: int,
) -> Iterator[bytes]:
    """Yield *length* bytes of a stream from *start* on.

    :raises StreamDataError: when they are not there.
    """
    at, end = start, start + length
    opened: tuple[int, BinaryIO] | None = None
    try:
        for one in extents:
            if one.offset + one.length <= at or at >= end:
                continue
            if one.offset > at:
                break
            if opened is None or opened[0] != one.file:
                if opened is not None:
                    opened[1].close()
                opened = one.file, _open(folder, files, one.file)
            until = min(end, one.offset + one.length)
            yield from _read(opened[1], one.at + at - one.offset, until - at)
            at = until
    finally:
        if opened is not None:
            opened[1].close()
    if at < end:
        raise StreamDataError(f"its bytes from {at} on are in no file any more")


def _open(folder: Folder, files: Mapping[int, KnownFile], number: int) -> BinaryIO:
    known = files.get(number)
    if known is None:
        raise StreamDataError("a file that holds a part of it is gone")
    try:
        return open_known(folder, known.name)
    except OSError as error:
        raise StreamDataError(f"{known.name} cannot be read: {error.strerror or error}") from None


def _read(file: BinaryIO, at: int, length: int) -> Iterator[bytes]:
    try:
        file.seek(at)
        while length:
            data = file.read(min(length, _BLOCK))
            if not data:
                raise StreamDataError("a file that holds a part of it is too short")
            yield data
            length -= len(data)
    except (OSError, EOFError) as error:
        raise StreamDataError(f"a file that holds a part of it cannot be read: {error}") from None


def hash_extents(
    folder: Folder, files: Mapping[int, KnownFile], extents: Sequence[Extent], length: int
) -> TreeHash:
    """Return the tree hash of the first *length* bytes of a stream.

    :raises StreamDataError: when they are not there.
    """
    tree = TreeHash()
    for data in read_extents(folder, files, extents, 0, length):
        tree.feed(data)
    return tree


def whole_tree(
    folder: Folder, files: Mapping[int, KnownFile], extents: Sequence[Extent], stream: KnownStream
) -> int | None:
    """Return how many bytes of *stream* the data prove, by the tree hash that is known of it."""
    length = stream.leaves * LEAF
    if not length:
        return None
    try:
        tree = hash_extents(folder, files, extents, length)
    except StreamDataError:
        return None
    return length if b"".join(tree.frontier()[1]).hex() == stream.hashes else None
