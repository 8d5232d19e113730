"""Decides what is *one* change: file system events in, changes out.

A person saves a file once; the file system sees a truncation, some writes and a close.
This machine waits for what belongs together, at most one settle period, so that one save
is one change.

This module is pure: it must not know the file system, or any clock but the one in its
arguments (seconds, from any start).
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

SETTLE = 0.05
"""Seconds that events which belong together may take."""


class Event(Enum):
    """What the file system says happened to the file."""

    WRITTEN = "its content was modified"
    CLOSED = "someone who could write it has closed it"
    ATTRIBUTES = "its times, mode or owner were set"
    CREATED = "it was made, and is perhaps still empty"
    MOVED_IN = "a finished file was moved to its name"
    GONE = "it was deleted, or moved to another name"


class Change(Enum):
    """What a subscriber is told."""

    MODIFIED = "modified"
    TOUCHED = "touched"
    CREATED = "created"
    REPLACED = "replaced"
    REMOVED = "removed"


class Signature(NamedTuple):
    """What two looks at a file compare where the file system sends no events."""

    device: int
    inode: int
    size: int
    modified_ns: int
    mode: int
    owner: int
    group: int


class ChangeMachine:
    """Turns the events of one file into changes.

    :param exists: whether the file is there at the start.
    :ivar due: when :meth:`expire` is to be called, or ``None`` while nothing waits.
    """

    def __init__(self, exists: bool) -> None:
        self._exists = exists  # as the subscribers have been told
        self._pending: Change | None = None
        self.due: float | None = None

    def feed(self, event: Event, now: float) -> Change | None:
        """Take the next event; return the change that is certain by it, if one is."""
        match event:
            case Event.WRITTEN if self._pending is None:
                self._wait(Change.MODIFIED if self._exists else Change.CREATED, now)
            case Event.CLOSED if self._pending is not Change.REMOVED:
                return self._report(self._pending)
            case Event.ATTRIBUTES if self._pending is None and self._exists:
                return Change.TOUCHED
            case Event.CREATED:
                self._wait(Change.REPLACED if self._exists else Change.CREATED, now)
            case Event.MOVED_IN:
                return self._report(Change.REPLACED if self._exists else Change.CREATED)
            case Event.GONE if self._exists:
                # Many programs save by deleting and making anew: that is one change.
                self._wait(Change.REMOVED, now)
            case Event.GONE:
                self._report(None)  # came and went before anybody was told
        return None

    def expire(self, now: float) -> Change | None:
        """Return the change whose settle period is over at *now*, if there is one."""
        if self.due is None or now < self.due:
            return None
        return self._report(self._pending)

    def _wait(self, change: Change, now: float) -> None:
        self._pending = change
        self.due = now + SETTLE

    def _report(self, change: Change | None) -> Change | None:
        self._pending = None
        self.due = None
        if change is not None:
            self._exists = change is not Change.REMOVED
        return change


def compare(before: Signature | None, after: Signature | None) -> list[Event]:
    """Return the events that explain how *before* became *after*; ``None`` is no file.

    A new modification time counts as a write: from outside, a touch looks the same.
    """
    if before == after:
        return []
    if after is None:
        return [Event.GONE]
    if before is None or (before.device, before.inode) != (after.device, after.inode):
        return [Event.MOVED_IN]
    if (before.size, before.modified_ns) != (after.size, after.modified_ns):
        return [Event.WRITTEN, Event.CLOSED]
    return [Event.ATTRIBUTES]
