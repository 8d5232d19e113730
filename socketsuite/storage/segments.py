"""Closed segments of a file: ``NAME~000001``, ``NAME~000002.zst``; which there are, and which go.

A segment is written no more.  It may be compressed, and deleted when there are too many.

This module must not know what is in a segment, nor when one is closed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import threading
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from socketsuite.storage.beneath import Folder
from socketsuite.storage.retention import over_quota, surplus
from socketsuite.storage.segment_reading import (
    SUFFIXES,
    Compression,
    DamagedSegmentError,
    open_segment,
    reader_of,
)

__all__ = [
    "SUFFIXES",
    "Compression",
    "DamagedSegmentError",
    "Segment",
    "clean",
    "compress",
    "find_segments",
    "is_segment_of",
    "list_segments",
    "lower_priority",
    "next_number",
    "open_segment",
    "over_quota",
    "segment_name",
    "surplus",
]

DEFAULT_LEVELS: dict[Compression, int] = {"none": 0, "gzip": 6, "zstd": 3}

_OWN = re.compile(r"(?P<name>.+)~(?P<number>[0-9]{6,18})(?P<suffix>\.gz|\.zst)?", re.DOTALL)
_UNFINISHED = re.compile(r".+~[0-9]{6,18}(\.gz|\.zst)~tmp", re.DOTALL)
_COMPRESSIONS = {suffix: compression for compression, suffix in SUFFIXES.items()}
_BLOCK = 262144


@dataclass(frozen=True)
class Segment:
    """A closed segment.

    :ivar number: its place among the others of the same file.
    :ivar name: its path beneath the folder.
    :ivar file: the path of the file whose segment it is.
    :ivar size: bytes on disk.
    :ivar modified: when it was last written, in nanoseconds since 1970.
    """

    number: int
    name: str
    file: str
    size: int
    modified: int
    compression: Compression


def segment_name(file: str, number: int, compression: Compression = "none") -> str:
    """Return the name of a segment."""
    return f"{file}~{number:06d}{SUFFIXES[compression]}"


def is_segment_of(name: str, file: str) -> bool:
    """Whether *name* is that of a segment of *file*."""
    own = _OWN.fullmatch(name)
    return own is not None and own["name"] == file


def list_segments(folder: Folder, file: str) -> list[Segment]:
    """Return the segments of a file, in their order; none where its folder is missing."""
    above, _, name = file.rpartition("/")
    return _segments_in(folder, above, _listed(folder, above), name)


def find_segments(folder: Folder, depth: int = 0) -> Iterator[Segment]:
    """Yield the segments of all files, in no order.

    :param depth: how many levels of folders beneath are looked into.
    """
    for above, names in _walk(folder, depth):
        yield from _segments_in(folder, above, names, None)


def next_number(segments: Sequence[Segment]) -> int:
    """Return the number that the next segment of the same file has."""
    return max((one.number for one in segments), default=0) + 1


def clean(folder: Folder, depth: int = 0) -> list[str]:
    """Delete what an interrupted compression has left; return the names.

    Where a segment is there twice, the one that is not compressed stays.  Must not be called
    while something is compressed.
    """
    removed = []
    for above, names in _walk(folder, depth):
        for name in names:
            own = _OWN.fullmatch(name)
            twice = own and own["suffix"] and name.removesuffix(own["suffix"]) in names
            if twice or _UNFINISHED.fullmatch(name):
                with contextlib.suppress(FileNotFoundError):
                    folder.unlink(_join(above, name))
                    removed.append(_join(above, name))
    return removed


def lower_priority() -> None:
    """Let other threads and processes go before this thread, for as long as it lives."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)


def compress(
    folder: Folder,
    segment: Segment,
    how: Compression,
    *,
    level: int | None = None,
    stop: threading.Event | None = None,
) -> Segment | None:
    """Compress a segment, and return what it is then; it is read back before the original goes.

    It is a file of its own until it is whole and on disk.

    :param stop: when it is set, the segment stays as it is, and ``None`` is returned.
    :raises FileNotFoundError: when it was removed, before or meanwhile.
    :raises OSError: when the disk is full, or for any other reason; the segment stays as it is.
    """
    name = segment.name + SUFFIXES[how]
    unfinished = f"{name}~tmp"
    with contextlib.suppress(FileNotFoundError):
        folder.unlink(unfinished)
    source = folder.open(segment.name, os.O_RDONLY)
    try:
        target = folder.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        try:
            _take_over(source, target)
            if not _copy(source, target, name, _compressor(how, level), stop):
                folder.unlink(unfinished)
                return None
            os.utime(target, ns=(segment.modified, segment.modified))
            os.fsync(target)
            size = os.fstat(target).st_size
            folder.rename(unfinished, name)
        except BaseException:
            with contextlib.suppress(OSError):
                folder.unlink(unfinished)
            raise
        finally:
            os.close(target)
    finally:
        os.close(source)
    folder.sync_folder_of(name)
    try:
        folder.unlink(segment.name)
    except FileNotFoundError:
        # Somebody has removed it meanwhile: then it is not to come back.
        folder.unlink(name)
        raise
    return replace(segment, name=name, size=size, compression=how)


def _take_over(source: int, target: int) -> None:
    """Give the new file the rights of the old one, as far as this process may."""
    status = os.fstat(source)
    with contextlib.suppress(OSError):
        os.fchown(target, status.st_uid, status.st_gid)
    os.fchmod(target, stat.S_IMODE(status.st_mode))


def _copy(
    source: int, target: int, name: str, compressor: Any, stop: threading.Event | None
) -> bool:
    """Compress one descriptor's file into another's; return whether that was not stopped.

    :raises OSError: when it cannot be written, or does not read as what was compressed.
    """
    checksum = size = 0
    while block := os.read(source, _BLOCK):
        if stop is not None and stop.is_set():
            return False
        checksum = zlib.crc32(block, checksum)
        size += len(block)
        _write(target, compressor.compress(block))
    _write(target, compressor.flush())
    found = found_size = 0
    os.lseek(target, 0, os.SEEK_SET)
    with reader_of(os.dup(target), name) as reader:
        while block := reader.read(_BLOCK):
            if stop is not None and stop.is_set():
                return False
            found = zlib.crc32(block, found)
            found_size += len(block)
    if (found, found_size) != (checksum, size):
        raise OSError(errno.EIO, "it does not read as what was compressed", name)
    if os.fstat(source).st_size != size:
        raise OSError(errno.EBUSY, "it was written to meanwhile", name)
    return True


def _compressor(how: Compression, level: int | None) -> Any:
    level = DEFAULT_LEVELS[how] if level is None else level
    if how == "gzip":
        return zlib.compressobj(level, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    # Not for everyone who compresses nothing.
    import zstandard

    return zstandard.ZstdCompressor(level=level, write_checksum=True).compressobj()


def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _segments_in(folder: Folder, above: str, names: list[str], file: str | None) -> list[Segment]:
    """Return the segments in one folder, of all files or of one, in their order."""
    found: dict[tuple[str, int], Segment] = {}
    for name in names:
        own = _OWN.fullmatch(name)
        if own is None or file not in (None, own["name"]):
            continue
        key = own["name"], int(own["number"])
        compression = _COMPRESSIONS[own["suffix"] or ""]
        # Of a segment that is there twice the first is the one that is not compressed.
        if key in found or segment_name(*key, compression) != name:
            continue
        path = _join(above, name)
        with contextlib.suppress(FileNotFoundError):
            status = folder.stat(path)
            if stat.S_ISREG(status.st_mode):
                size, modified = status.st_size, status.st_mtime_ns
                file_of = _join(above, key[0])
                found[key] = Segment(key[1], path, file_of, size, modified, compression)
    return sorted(found.values(), key=lambda one: (one.file, one.number))


def _walk(folder: Folder, depth: int, above: str = "") -> Iterator[tuple[str, list[str]]]:
    """Yield the paths of folders, and what is in each in order; what cannot be read is left out."""
    names = _listed(folder, above)
    yield above, names
    for name in names if depth > 0 else ():
        path = _join(above, name)
        with contextlib.suppress(OSError):
            if stat.S_ISDIR(folder.stat(path).st_mode):
                yield from _walk(folder, depth - 1, path)


def _listed(folder: Folder, above: str) -> list[str]:
    try:
        return sorted(folder.listdir(above))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _join(above: str, name: str) -> str:
    return f"{above}/{name}" if above else name
