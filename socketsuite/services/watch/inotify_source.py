"""Events from Linux's inotify(7), on top of Twisted's descriptor for it.

The *folder* is watched, not the file: a watch on a file dies with the file, and most
programs save by putting a new file in its place.

Twisted's own reading of the events is not used.  It loses the one that says that the
kernel's queue overflowed (its watch descriptor, −1, belongs to no watch), and closes the
descriptor when the folder is deleted, but not when it is moved or unmounted.

This module must not know what becomes of the events.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

from twisted.internet.inotify import (
    IN_ATTRIB,
    IN_CLOSE_WRITE,
    IN_CREATE,
    IN_DELETE,
    IN_DELETE_SELF,
    IN_IGNORED,
    IN_MODIFY,
    IN_MOVE_SELF,
    IN_MOVED_FROM,
    IN_MOVED_TO,
    IN_ONLYDIR,
    IN_Q_OVERFLOW,
    IN_UNMOUNT,
    INotify,
    INotifyError,
)
from twisted.internet.interfaces import IDelayedCall, IReactorFDSet, IReactorTime
from twisted.python.failure import Failure
from twisted.python.filepath import FilePath

from socketsuite.services.watch.changes import Event, Signature, compare
from socketsuite.services.watch.source import Emit, signature

RETURN_INTERVAL = 1.0
"""Seconds between two looks for a folder that has vanished."""

_HEADER = struct.Struct("=iIII")  # watch descriptor, mask, cookie, length of the name
_READ_SIZE = 64 * 1024
_FOLDER_LOST = IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED
_EVENTS = {
    IN_MODIFY: Event.WRITTEN,
    IN_CLOSE_WRITE: Event.CLOSED,
    IN_ATTRIB: Event.ATTRIBUTES,
    IN_CREATE: Event.CREATED,
    IN_MOVED_TO: Event.MOVED_IN,
    IN_MOVED_FROM: Event.GONE,
    IN_DELETE: Event.GONE,
}
# Twisted has no name for it.  Without it, whoever still writes to a deleted file is heard
# under the name that the file no longer has.
_IN_EXCL_UNLINK = 0x04000000
_MASK = sum(_EVENTS) | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | _IN_EXCL_UNLINK


def parse_events(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the mask and the file name (empty: the folder itself) of each event in *data*."""
    offset = 0
    while offset < len(data):
        _, mask, _, length = _HEADER.unpack_from(data, offset)
        offset += _HEADER.size
        yield mask, data[offset : offset + length].rstrip(b"\0")
        offset += length


class FolderDescriptor(INotify):
    """The inotify descriptor of one folder, as the reactor reads it.

    :param receive: called with the bytes of some whole events; empty when the descriptor
        cannot be read any more.
    :raises OSError: when the folder cannot be watched.
    """

    def __init__(self, folder: Path, reactor: IReactorFDSet, receive: Callable[[bytes], None]):
        try:
            super().__init__(reactor)
        except INotifyError:
            raise OSError("no inotify instance left (see fs.inotify.max_user_instances)") from None
        self._receive = receive
        try:
            self.watch(FilePath(os.fsencode(folder)), _MASK)
        except INotifyError:
            self.loseConnection()
            raise OSError(f"cannot watch the folder {folder}") from None
        self.startReading()

    def doRead(self) -> None:
        """Hand over the events that are waiting."""
        if not self.connected:
            return
        try:
            data = os.read(self.fileno(), _READ_SIZE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._receive(data)

    def connectionLost(self, reason: Failure) -> None:
        """Close the descriptor, once: a stopping reactor says this to one already closed."""
        if self.connected:
            super().connectionLost(reason)


class InotifySource:
    """Tells the events of one file as the kernel sees them.

    :param reactor: must be a reactor of descriptors (``IReactorFDSet``) and time.
    """

    def __init__(self, path: Path, reactor: IReactorTime, emit: Emit) -> None:
        self._path = path
        self._name = os.fsencode(path.name)
        self._reactor = reactor
        self._emit = emit
        self._descriptor: FolderDescriptor | None = None
        self._seen: Signature | None = None
        self._return: IDelayedCall | None = None

    def start(self) -> bool:
        """Begin to watch.

        :raises OSError: when there is no inotify to be had, or no folder.
        """
        self._watch()
        self._seen = signature(self._path)
        return self._seen is not None

    def look(self) -> None:
        """Read the events that are waiting."""
        if self._descriptor is not None:
            self._descriptor.doRead()

    def stop(self) -> None:
        """End."""
        if self._descriptor is not None:
            self._descriptor.loseConnection()
            self._descriptor = None
        if self._return is not None:
            self._return.cancel()
            self._return = None

    def _watch(self) -> None:
        reactor = cast(IReactorFDSet, self._reactor)
        self._descriptor = FolderDescriptor(self._path.parent, reactor, self._receive)

    def _receive(self, data: bytes) -> None:
        events = []
        overflow = lost = False
        for mask, name in parse_events(data):
            overflow = overflow or bool(mask & IN_Q_OVERFLOW)
            lost = lost or (not name and bool(mask & _FOLDER_LOST))
            if name == self._name:
                events += [event for bit, event in _EVENTS.items() if mask & bit]
        if lost or not data:
            self._lose_folder()
        elif overflow:
            # Some events are lost; the state of the file tells what they came to.
            self._compare()
        elif events:
            self._seen = signature(self._path)
            for event in events:
                self._emit(event)

    def _compare(self) -> None:
        before, self._seen = self._seen, signature(self._path)
        for event in compare(before, self._seen):
            self._emit(event)

    def _lose_folder(self) -> None:
        self.stop()
        self._seen = None
        self._return = self._reactor.callLater(RETURN_INTERVAL, self._look_for_folder)
        self._emit(Event.GONE)

    def _look_for_folder(self) -> None:
        try:
            self._watch()
        except OSError:
            self._return = self._reactor.callLater(RETURN_INTERVAL, self._look_for_folder)
        else:
            self._return = None
            self._compare()
