"""Reads a closed segment as it was before it was compressed by gzip or zstd (RFC 1952, RFC 8878).

How a segment is compressed its name says: what a peer sent may itself begin like a compressed
file.  Memory stays flat, whatever a file expands to.

This module must not know what is in a segment, nor how segments are made.
"""

from __future__ import annotations

import contextlib
import errno
import gzip
import io
import os
import stat
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Literal

Compression = Literal["none", "gzip", "zstd"]

SUFFIXES: dict[Compression, str] = {"none": "", "gzip": ".gz", "zstd": ".zst"}
"""How the name of a segment ends."""

LARGEST_WINDOW = 1 << 27
"""How far back zstd may refer, in bytes, as of the zstd command; so much memory may be needed."""

_MAGIC: dict[Compression, bytes] = {"gzip": b"\x1f\x8b\x08", "zstd": b"\x28\xb5\x2f\xfd"}
_READ = 131072


class DamagedSegmentError(OSError):
    """A compressed segment is truncated, or is not what its name says."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(errno.EILSEQ, why, name)


def compression_of(name: str) -> Compression:
    """Return how the segment of this name is compressed."""
    for compression, suffix in SUFFIXES.items():
        if suffix and name.endswith(suffix):
            return compression
    return "none"


def open_segment(path: Path) -> io.BufferedReader:
    """Open a segment for reading; only forwards, where it is compressed.

    What of a damaged segment can be read is had by ``read1()``; then that raises.

    :raises DamagedSegmentError: when opened or read, where the compressed file is damaged.
    :raises OSError: with the path, where it cannot be opened or is no regular file.
    """
    # O_NONBLOCK: a FIFO must not be waited for.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        # It may have been compressed since somebody looked which there are.
        for suffix in filter(None, SUFFIXES.values()):
            with contextlib.suppress(FileNotFoundError):
                beside = Path(f"{path}{suffix}")
                return reader_of(os.open(beside, flags), str(beside))
        raise
    return reader_of(descriptor, str(path))


def reader_of(descriptor: int, name: str) -> io.BufferedReader:
    """Return a reader of what the segment of this name held, which owns *descriptor*.

    :raises OSError: as :func:`open_segment` does; *descriptor* is closed then.
    """
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.ENXIO, "it is no regular file", name)
    compression = compression_of(name)
    file: io.BufferedReader = io.BufferedReader(io.FileIO(descriptor), _READ)
    if compression == "none":
        return file
    try:
        magic = _MAGIC[compression]
        if os.pread(descriptor, len(magic), 0) != magic:
            raise DamagedSegmentError(name, f"it is no {compression} file")
        if compression == "gzip":
            raw = _Decompressed(name, file, gzip.GzipFile(fileobj=file), (EOFError, zlib.error))
        else:
            raw = _zstd_reader(name, file)
    except BaseException:
        file.close()
        raise
    return io.BufferedReader(raw, _READ)


def _zstd_reader(name: str, file: BinaryIO) -> _Decompressed:
    # Not for everyone who reads a plain file.
    import zstandard

    decompressor = zstandard.ZstdDecompressor(max_window_size=LARGEST_WINDOW)
    reader = decompressor.stream_reader(file, read_size=_READ, read_across_frames=True)
    return _Decompressed(name, file, reader, (zstandard.ZstdError,), has_whole_frames)


class _Decompressed(io.RawIOBase):
    """What a decompressor yields, with one kind of error for all of them.

    :param is_whole: looks, at the end, whether the descriptor's file has its end.
    """

    def __init__(
        self,
        name: str,
        file: BinaryIO,
        reader: Any,
        errors: tuple[type[Exception], ...],
        is_whole: Callable[[int], bool] | None = None,
    ) -> None:
        self.name = name
        self._file = file
        self._reader = reader
        self._errors: tuple[type[Exception], ...] = (*errors, gzip.BadGzipFile)
        self._is_whole = is_whole

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        try:
            count = int(self._reader.readinto(buffer))
        except self._errors as error:
            raise DamagedSegmentError(self.name, f"it is damaged: {error}") from None
        if not count and len(buffer) and self._is_whole is not None:
            if not self._is_whole(self._file.fileno()):
                raise DamagedSegmentError(self.name, "it is truncated")
            self._is_whole = None
        return count

    def close(self) -> None:
        if not self.closed:
            self._reader.close()
            self._file.close()
        super().close()


def has_whole_frames(descriptor: int) -> bool:
    """Return whether a zstd file ends where a frame ends: its reader does not tell.

    Goes from block to block (RFC 8878, 3.1), and reads nothing of what is in them.
    """
    at, size = 0, os.fstat(descriptor).st_size
    while at < size:
        head = os.pread(descriptor, 8, at)
        if len(head) < 8:
            return False
        magic, length = struct.unpack("<II", head)
        if magic & 0xFFFFFFF0 == 0x184D2A50:  # a skippable frame
            at += 8 + length
            continue
        at = _end_of_frame(descriptor, at, head[4])
    return at == size


def _end_of_frame(descriptor: int, at: int, flags: int) -> int:
    """Return where the frame ends, or beyond the end of the file; *flags* are of its header."""
    single = flags >> 5 & 1
    at += 5 + (1 - single) + (0, 1, 2, 4)[flags & 3] + (single, 2, 4, 8)[flags >> 6]
    while True:
        header = os.pread(descriptor, 3, at)
        if len(header) < 3:
            return at + 3
        block = int.from_bytes(header, "little")
        # A run of one byte repeated has its length where the others have their size.
        at += 3 + (1 if block >> 1 & 3 == 1 else block >> 3)
        if block & 1:
            return at + (4 if flags >> 2 & 1 else 0)
