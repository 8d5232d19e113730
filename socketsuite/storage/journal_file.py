"""The journal's file: its lines, read one by one; and written anew with what still holds.

This module must not know what is appended to the journal while a sink runs.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Container, Iterator
from typing import BinaryIO

from socketsuite.storage.beneath import Folder
from socketsuite.storage.journal_extents import CompactExtents, joined
from socketsuite.storage.journal_lines import (
    HEADER,
    LONGEST_LINE,
    Began,
    Durable,
    Entry,
    Extent,
    FileAdded,
    FileNamed,
    JournalError,
    Leaves,
    Skipped,
    StreamAdded,
    Used,
    Written,
    encode,
    read,
)
from socketsuite.storage.journal_state import JournalState


def lines_of(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of *file*, none longer than the journal's longest; a longer one in pieces."""
    while line := file.readline(LONGEST_LINE):
        yield line


def compacted(state: JournalState, old: BinaryIO | None) -> Iterator[bytes]:
    """Yield the lines of a journal that says what *state* does, with the extents of *old*.

    Extents of streams and files that *state* does not have are left out, and cut to what it has.
    """
    yield HEADER
    if not state.ended:
        yield encode([Began(state.boot, 0)])
    yield from (
        encode([FileAdded(file.number, file.name, file.inode, file.durable)])
        for file in state.files.values()
    )
    yield from (encode([StreamAdded(one.number, one.name)]) for one in state.streams.values())
    extents = CompactExtents(state)
    if old is not None:
        old.seek(len(HEADER))
        for line in lines_of(old):
            yield from extents.take(line)
    yield from extents.rest()
    for stream in state.streams.values():
        entries: list[Entry] = [Used(stream.number, stream.used)]
        if extents.reached[stream.number] != stream.offset:
            entries.append(Skipped(stream.number, stream.offset))
        if stream.leaves:
            entries.append(Leaves(stream.number, stream.leaves, stream.hashes))
        yield encode(entries)
    for file in state.files.values():
        entries = [Durable(file.number, file.durable)]
        if file.written != file.durable:
            entries.append(Written(file.number, file.written))
        if file.closed:
            entries.append(FileNamed(file.number, file.name))
        yield encode(entries)


def extents_in(old: BinaryIO | None) -> Iterator[Extent]:
    """Yield the extents that an open journal says, from its beginning; damaged lines say none."""
    return (one for one in places_in(old) if isinstance(one, Extent))


def places_in(old: BinaryIO | None) -> Iterator[Extent | Skipped]:
    """Yield the extents that an open journal says, and behind which offset they are void."""
    if old is not None:
        old.seek(len(HEADER))
        for entries in read(lines_of(old)):
            if not isinstance(entries, JournalError):
                yield from (entry for entry in entries if isinstance(entry, Extent | Skipped))


def files_of(old: BinaryIO, streams: Container[int]) -> set[int]:
    """Return the numbers of the files that bytes of *streams* lie in."""
    old.seek(len(HEADER))
    found = set[int]()
    for line in lines_of(old):
        whole = joined(line)
        entries = next(read([line])) if whole is None else [whole]
        for one in [] if isinstance(entries, JournalError) else entries:
            if isinstance(one, Extent) and one.stream in streams:
                found.add(one.file)
    return found


def replace(folder: Folder, name: str, lines: Iterator[bytes]) -> int:
    """Write *lines* to the file *name*, which is what it was or all of that, whatever happens.

    :return: a descriptor of the new file, to append to.
    :raises OSError: when it cannot be written.
    """
    new = f"{name}~tmp"
    with contextlib.suppress(FileNotFoundError):
        folder.unlink(new)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
    with open(folder.open(new, flags, 0o600), "ab") as file:
        for line in lines:
            file.write(line)
        file.flush()
        os.fsync(file.fileno())
        # Before it is in place: no other process finds it without the lock.
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        folder.rename(new, name, replace=True)
        folder.sync_folder_of(name)
        return os.dup(file.fileno())
