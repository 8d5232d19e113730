"""Tells subscribers when a file changes.

The wire, server → client; what the client says is discarded.  Text (LF ends a line; a
path's control characters are made visible, so that a line stays a line)::

    Now watching PATH for changes...
    File changed: PATH (modified) at 2026-11-21T06:54:24.123Z

or, with ``--format json``, one object per line; *timestamp* is milliseconds since the
Unix epoch::

    {"type":"watching","file":"PATH"}
    {"type":"changed","timestamp":1795244064123,"file":"PATH","change":"modified"}

The first line comes on connect (behind the banner, if there is one), one of the second
kind on each change: ``modified``, ``replaced`` (another file has its name now),
``removed``, ``created`` or ``touched`` (times, mode or owner only).

This module must not know how changes are found out.
"""

from __future__ import annotations

import json
import os
import time
import typing
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.python.failure import Failure

from socketsuite.services.stream import IStreamTransport, greeting
from socketsuite.services.watch.changes import Change
from socketsuite.services.watch.watcher import Watcher
from socketsuite.settings import SettingsError, setting
from socketsuite.wire.printable import printable


class Notices(typing.Protocol):
    """The lines of one format, for one file."""

    def watching(self) -> bytes:
        """Return the line for a new subscriber."""

    def changed(self, change: Change, milliseconds: int) -> bytes:
        """Return the line for *change*, at *milliseconds* since the Unix epoch."""


class TextNotices:
    """The lines for people."""

    def __init__(self, path: Path) -> None:
        self._path = printable(os.fsencode(path))

    def watching(self) -> bytes:
        """Return the line for a new subscriber."""
        return b"Now watching %b for changes...\n" % self._path

    def changed(self, change: Change, milliseconds: int) -> bytes:
        """Return the line for *change*, at *milliseconds* since the Unix epoch."""
        seconds, rest = divmod(milliseconds, 1000)
        moment = f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:03}Z"
        what = f"({change.value}) at {moment}"
        return b"File changed: %b %b\n" % (self._path, what.encode("ascii"))


class JSONNotices:
    """The lines for programs."""

    def __init__(self, path: Path) -> None:
        # A lone surrogate is not JSON that every reader takes.
        self._path = os.fsencode(path).decode("utf-8", "replace")

    def watching(self) -> bytes:
        """Return the line for a new subscriber."""
        return self._line({"type": "watching", "file": self._path})

    def changed(self, change: Change, milliseconds: int) -> bytes:
        """Return the line for *change*, at *milliseconds* since the Unix epoch."""
        return self._line(
            {
                "type": "changed",
                "timestamp": milliseconds,
                "file": self._path,
                "change": change.value,
            }
        )

    def _line(self, fields: dict[str, object]) -> bytes:
        return json.dumps(fields, separators=(",", ":")).encode("ascii") + b"\n"


class Subscriber(Protocol):
    """One client who wants to know."""

    transport: IStreamTransport
    factory: WatchFactory

    def __init__(self, factory: WatchFactory) -> None:
        self.factory = factory

    def connectionMade(self) -> None:
        """Say what is being watched, and subscribe."""
        banner = greeting(self.factory.banner, self.transport.getHost())
        self.transport.write(banner + self.factory.notices.watching())
        self.factory.subscribe(self)

    def drain(self) -> None:
        """Flush, and close."""
        self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Unsubscribe."""
        self.factory.unsubscribe(self)


@dataclass(eq=False)
class WatchFactory(ServerFactory):
    """Watches one file while anybody listens for subscribers, or subscribes.

    :param reactor: the clock, and the reactor for inotify.
    :param now: returns seconds since the Unix epoch, for the timestamps.
    """

    reactor: IReactorTime
    now: Callable[[], float] = time.time
    file: Path = setting(help="the file to watch; it need not exist yet", metavar="PATH")
    format: Literal["text", "json"] = setting("text", "how changes are told")
    banner: str = setting("", "a line every caller is greeted with; {port} is the port")

    def __post_init__(self) -> None:
        as_json = self.format == "json"
        self.notices: Notices = JSONNotices(self.file) if as_json else TextNotices(self.file)
        self._subscribers: dict[Subscriber, None] = {}
        self._listening = False
        self._watcher = Watcher(self.file, self.reactor, self._tell)
        self._watching = False

    def check_start(self) -> None:
        """See that the file could be watched.

        :raises SettingsError: when it is a folder, or its folder does not exist.
        """
        folder = self.file.parent
        if not folder.is_dir():
            raise SettingsError(f"cannot watch {self.file}: create its folder {folder} first")
        if self.file.is_dir():
            raise SettingsError(f"cannot watch {self.file}: it is a folder; name a file")

    def startFactory(self) -> None:
        """Begin to watch.

        :raises SettingsError: as :meth:`check_start`.
        """
        self.check_start()
        self._listening = True
        self._watch_if_needed()

    def stopFactory(self) -> None:
        """Watch no longer than for the subscribers who are still there."""
        self._listening = False
        self._watch_if_needed()

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """Return a subscriber for one caller."""
        return Subscriber(self)

    def subscribe(self, subscriber: Subscriber) -> None:
        """Tell *subscriber* every change from now on."""
        self._subscribers[subscriber] = None
        self._watch_if_needed()

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Tell *subscriber* nothing more."""
        self._subscribers.pop(subscriber, None)
        self._watch_if_needed()

    def _watch_if_needed(self) -> None:
        needed = self._listening or bool(self._subscribers)
        if needed and not self._watching:
            self._watcher.start()
        elif self._watching and not needed:
            self._watcher.stop()
        self._watching = needed

    def _tell(self, change: Change) -> None:
        notice = self.notices.changed(change, round(self.now() * 1000))
        for subscriber in tuple(self._subscribers):
            subscriber.transport.write(notice)
