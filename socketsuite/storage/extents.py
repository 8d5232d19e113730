"""Reads the bytes of a stream from the files that they lie in.

This module must not know of senders, nor of the sink that wrote the files.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO

from socketsuite.storage.beneath import Folder
from socketsuite.storage.journal_lines import Extent
from socketsuite.storage.journal_state import KnownFile, KnownStream
from socketsuite.storage.segment_reading import SUFFIXES, reader_of
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
    opened: OpenedFile | None = None
    try:
        for one in extents:
            if one.offset + one.length <= at or at >= end:
                continue
            if one.offset > at:
                break
            begin, until = one.at + at - one.offset, min(end, one.offset + one.length)
            if opened is None or not opened.reaches(one.file, begin):
                if opened is not None:
                    opened.file.close()
                opened = OpenedFile(one.file, open_file(folder, files, one.file))
            yield from opened.read(begin, until - at)
            at = until
    finally:
        if opened is not None:
            opened.file.close()
    if at < end:
        raise StreamDataError(f"its bytes from {at} on are in no file any more")


class OpenedFile:
    """A file that is read; only forwards, where it is compressed."""

    def __init__(self, number: int, file: BinaryIO) -> None:
        self.number = number
        self.file = file
        self._at = 0

    def reaches(self, number: int, at: int) -> bool:
        """Whether it is that file, and byte *at* can be read."""
        return number == self.number and (at >= self._at or self.file.seekable())

    def read(self, at: int, length: int, *, short: bool = False) -> Iterator[bytes]:
        """Yield *length* bytes from *at* on; with *short* only those that there are.

        :raises StreamDataError: when they cannot be read, or are not there.
        """
        try:
            if self.file.seekable():
                self.file.seek(at)
            else:
                for _ in self._blocks(at - self._at, short):
                    pass
            self._at = at
            yield from self._blocks(length, short)
        except (OSError, EOFError) as error:
            raise StreamDataError(f"a file that holds a part of it: {error}") from None

    def _blocks(self, length: int, short: bool) -> Iterator[bytes]:
        while length:
            data = self.file.read(min(length, _BLOCK))
            if not data:
                if short:
                    return
                raise StreamDataError("a file that holds a part of it is too short")
            self._at += len(data)
            length -= len(data)
            yield data


def open_file(folder: Folder, files: Mapping[int, KnownFile], number: int) -> BinaryIO:
    """Open the file that the journal calls *number*.

    :raises StreamDataError: when it is not there.
    """
    known = files.get(number)
    if known is None:
        raise StreamDataError("a file that holds a part of it is gone")
    try:
        return open_known(folder, known.name)
    except OSError as error:
        raise StreamDataError(f"{known.name} cannot be read: {error.strerror or error}") from None


def open_known(folder: Folder, name: str) -> BinaryIO:
    """Open a file for reading, whether or not it was compressed since it was given its name.

    :raises OSError: when it is not there.
    """
    for suffix in SUFFIXES.values():
        with contextlib.suppress(FileNotFoundError):
            return reader_of(folder.open(name + suffix, os.O_RDONLY), name + suffix)
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)


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
