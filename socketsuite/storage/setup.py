"""What all destinations of a sink have in common: where, how, and whom they tell.

This module must not know how a file is written.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from socketsuite.storage.beneath import Folder
from socketsuite.storage.disk_threads import DiskThreads
from socketsuite.storage.in_use import InUse
from socketsuite.storage.journal_lines import Entry
from socketsuite.wire.headed_records import HeadedRecords
from socketsuite.wire.records import RecordFramer

_MOST_REMEMBERED = 10_000

Sync = Literal["always", "interval", "none"]


class KnownAs(NamedTuple):
    """A file that was written before: what the journal calls it, and how long it is known to be.

    :ivar settled: whether all behind *length* may be cut off: nobody was promised it.
    """

    number: int
    inode: int
    length: int
    settled: bool


class SegmentClosed(NamedTuple):
    """The file *name* was closed, and is the segment *segment* from now on."""

    name: str
    segment: str


@dataclass(eq=False)
class Setup:
    """What destinations share; all but *seconds* is called in the disk's threads.

    :param sync: when what was written is synced: before it is committed, now and then, or never.
    :param rotate_size: bytes that a file may come to; 0 is no limit.
    :param rotate_every: seconds, of which each has a file of its own; 0 is for ever.
    :param framer: knows records, for the end of a file that nothing else is known of.
    :param longest: bytes that one may have; a longer end of a file is no torn record.
    :param journaled: whether a journal says what is in the files.
    :param own_files: whether each stream has files of its own, so that one that is there already,
        and that the journal does not know, is nobody's.
    :param devices: whether a character device will do for a file.
    :param commit: is given what the journal is to say, whether to sync it, and what to call in
        the reactor's thread then.
    :param declare: has the journal say something, and waits until it is on disk.
    :param no_room: given a number of bytes, returns why they must not be written, or ``None``.
    :param closed: is told of each closed segment.
    :param written: is told when bytes that there was room for are in the file, or will not be.
    :param tell: is told in the reactor's thread what an operator should know.
    :ivar files: files that were written before, by name.
    :ivar in_use: destinations that there are.
    """

    folder: Folder
    threads: DiskThreads
    sync: Sync
    rotate_size: int
    rotate_every: float
    framer: RecordFramer | HeadedRecords
    journaled: bool
    own_files: bool
    devices: bool
    seconds: Callable[[], float]
    clock: Callable[[], float]
    commit: Callable[[list[Entry], bool, Callable[[], object]], object]
    declare: Callable[[list[Entry]], object]
    no_room: Callable[[int], str | None]
    closed: Callable[[SegmentClosed], object]
    tell: Callable[[object, str], object]
    longest: int = 0
    written: Callable[[int], object] = lambda size: None
    retry_seconds: float = 0.25
    files: dict[str, KnownAs] = field(default_factory=dict)
    last_number: int = 0
    in_use: InUse = field(default_factory=InUse)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers: dict[str, int] = {}

    def number_of(self, name: str) -> int:
        """Return the highest number that a file of *name* had; 0 where none is remembered."""
        with self._lock:
            return self._numbers.get(name, 0)

    def set_number(self, name: str, number: int) -> None:
        """Remember that a file of *name* has this number: none of a lower one is written to."""
        with self._lock:
            self._numbers.pop(name, None)
            self._numbers[name] = number
            if len(self._numbers) > _MOST_REMEMBERED:
                del self._numbers[next(iter(self._numbers))]

    def remember(self, name: str, known: KnownAs) -> None:
        """Remember a file that was closed; without a journal only some: it may be opened as new."""
        with self._lock:
            self.files[name] = known
            if not self.journaled and len(self.files) > _MOST_REMEMBERED:
                del self.files[next(iter(self.files))]

    def forget(self, name: str) -> None:
        """Forget a file that is open, or gone."""
        with self._lock:
            self.files.pop(name, None)

    def next_number(self) -> int:
        """Return a number for a file that has none."""
        with self._lock:
            self.last_number += 1
            return self.last_number
