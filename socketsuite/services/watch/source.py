"""Where the events of a file come from: the interface, and looking every half second.

This module must not know what becomes of the events.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from socketsuite.services.watch.changes import Event, Signature, compare

LOOK_INTERVAL = 0.5
"""Seconds between two looks at the file."""

Emit = Callable[[Event], None]


class Source(Protocol):
    """Tells the events of one file, from :meth:`start` to :meth:`stop`."""

    def start(self) -> bool:
        """Begin; return whether the file is there.

        :raises OSError: when this kind of source cannot be had.
        """

    def look(self) -> None:
        """Tell at once whatever has happened and has not been told."""

    def stop(self) -> None:
        """End; tell nothing more."""


def signature(path: Path) -> Signature | None:
    """Return the signature of the file at *path*; ``None`` when there is none to be seen."""
    try:
        seen = os.stat(path)
    except OSError:
        return None
    return Signature(
        seen.st_dev,
        seen.st_ino,
        seen.st_size,
        seen.st_mtime_ns,
        seen.st_mode,
        seen.st_uid,
        seen.st_gid,
    )


class PollingSource:
    """Looks at the file every :data:`LOOK_INTERVAL`; for where there is no inotify."""

    def __init__(self, path: Path, reactor: IReactorTime, emit: Emit) -> None:
        self._path = path
        self._reactor = reactor
        self._emit = emit
        self._seen: Signature | None = None
        self._next: IDelayedCall | None = None

    def start(self) -> bool:
        """Take the first look."""
        self._seen = signature(self._path)
        self._schedule()
        return self._seen is not None

    def look(self) -> None:
        """Compare with the last look."""
        before, self._seen = self._seen, signature(self._path)
        for event in compare(before, self._seen):
            self._emit(event)

    def stop(self) -> None:
        """Look no more."""
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _schedule(self) -> None:
        self._next = self._reactor.callLater(LOOK_INTERVAL, self._look_and_go_on)

    def _look_and_go_on(self) -> None:
        self._schedule()
        self.look()
