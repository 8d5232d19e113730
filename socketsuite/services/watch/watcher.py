"""Watches one file: drives the machine of changes by a source of events and a clock.

This module must not know who is told.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from twisted.internet.interfaces import IDelayedCall, IReactorFDSet, IReactorTime
from twisted.logger import Logger

from socketsuite.services.watch.changes import Change, ChangeMachine, Event
from socketsuite.services.watch.source import LOOK_INTERVAL, Emit, PollingSource, Source

with contextlib.suppress(ImportError):
    # Loaded before the service starts: by then a chroot may have taken it away.
    import socketsuite.services.watch.inotify_source  # noqa: F401

_log = Logger()


class Watcher:
    """Tells the changes of one file, from :meth:`start` to :meth:`stop`, and again.

    :param path: the file; it need not exist, its folder must.
    :param reactor: the clock, and the reactor for inotify.
    :param tell: called with each change.
    """

    def __init__(self, path: Path, reactor: IReactorTime, tell: Callable[[Change], None]) -> None:
        self._path = path
        self._reactor = reactor
        self._tell = tell
        self._source: Source | None = None
        self._machine = ChangeMachine(exists=False)
        self._timer: IDelayedCall | None = None
        self._timer_due: float | None = None

    def start(self) -> None:
        """Begin to watch."""
        self._source, exists = start_source(self._path, self._reactor, self._take)
        self._machine = ChangeMachine(exists)

    def stop(self) -> None:
        """End; a change that has not settled is not told."""
        if self._source is not None:
            self._source.stop()
            self._source = None
        self._set_timer(None)

    def _take(self, event: Event) -> None:
        self._report(self._machine.feed(event, self._reactor.seconds()))

    def _report(self, change: Change | None) -> None:
        self._set_timer(self._machine.due)
        if change is not None:
            self._tell(change)

    def _set_timer(self, due: float | None) -> None:
        if due == self._timer_due:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._timer_due = due
        if due is not None:
            delay = max(0.0, due - self._reactor.seconds())
            self._timer = self._reactor.callLater(delay, self._settle, due)

    def _settle(self, due: float) -> None:
        self._timer = None
        self._timer_due = None
        # The event that makes the change certain may be waiting to be read already.
        if self._source is not None:
            self._source.look()
        self._report(self._machine.expire(due))


def start_source(path: Path, reactor: IReactorTime, emit: Emit) -> tuple[Source, bool]:
    """Start the best source there is for *path*; return it, and whether the file exists.

    That is inotify, except where the platform or the reactor has none.
    """
    source: Source
    if IReactorFDSet.providedBy(reactor):
        try:
            from socketsuite.services.watch.inotify_source import InotifySource

            source = InotifySource(path, reactor, emit)
            return source, source.start()
        except (ImportError, OSError) as error:
            _log.warn(
                "no inotify ({error}): looking at {path} every {interval} s instead",
                error=str(error),
                path=str(path),
                interval=LOOK_INTERVAL,
            )
    source = PollingSource(path, reactor, emit)
    return source, source.start()
