"""What a sink's operator should know of its files, as events of the log.

This module must not know who logs them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TailCut:
    """At the end of *file* *bytes* were cut off, which nobody was promised."""

    file: str
    bytes: int
    why: str


@dataclass(frozen=True)
class FileShort:
    """*file* lacks *bytes* at its end that the journal says were in it."""

    file: str
    bytes: int


@dataclass(frozen=True)
class FileRotated:
    """*file* was closed, and is *segment* from now on."""

    file: str
    segment: str
    bytes: int


@dataclass(frozen=True)
class FileReplaced:
    """Somebody else moved, removed or truncated *file*: a new one is begun."""

    file: str
    how: str


@dataclass(frozen=True)
class FileFailed:
    """*file* could not be written or synced; nothing of it is acknowledged until a reload."""

    file: str
    why: str


@dataclass(frozen=True)
class FileRefused:
    """A sender named *file*, which cannot be made; others can."""

    file: str
    why: str


@dataclass(frozen=True)
class NotWritten:
    """The sink ended while so many files, *names* among them, waited for a disk."""

    files: int
    names: str


@dataclass(frozen=True)
class NoRoom:
    """*file* cannot be written for *why*; senders wait."""

    file: str
    why: str


@dataclass(frozen=True)
class RoomAgain:
    """*file* is written again."""

    file: str


@dataclass(frozen=True)
class SegmentRemoved:
    """The closed segment was removed: more are not kept, for *why*."""

    segment: str
    why: str


@dataclass(frozen=True)
class SegmentNotCompressed:
    """The closed segment stays as it is."""

    segment: str
    why: str


@dataclass(frozen=True)
class JournalFailed:
    """The journal cannot be written: nothing is acknowledged any more."""

    journal: str
    why: str


@dataclass(frozen=True)
class JournalSetAside:
    """A damaged journal was moved to *aside*, and written anew from what was whole and proven."""

    journal: str
    aside: str
    why: str
    streams: int
    dropped: int


@dataclass(frozen=True)
class Recovered:
    """The sink had not ended in good order; what it found."""

    streams: int
    files: int
    cut_bytes: int


@dataclass(frozen=True)
class StreamDropped:
    """The sink cannot go on with *stream*: whoever sends it begins anew, in another file."""

    stream: str
    why: str
