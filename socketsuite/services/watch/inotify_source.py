"""Events from Linux's inotify(7), on top of Twisted's descriptor for it.

The file's *folder* is watched, not the file: a watch on a file dies with the file, and most
programs save by putting a new file in its place.  So is what decides where the path leads:
the folder of each symbolic link on the way, and every folder itself, which may be moved or
unmounted.  Where that has changed, the path is resolved anew, and the file that it names now
is compared with the one before.

Twisted's own reading of the events is not used.  It loses the one that says that the
kernel's queue overflowed (its watch descriptor, −1, belongs to no watch), and closes the
descriptor when one folder is deleted, but not when it is moved or unmounted.

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
    IN_DONT_FOLLOW,
    IN_IGNORED,
    IN_MASK_ADD,
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
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.filepath import FilePath

from socketsuite.services.watch.changes import Event, Signature, compare
from socketsuite.services.watch.path_resolution import Resolution, resolve
from socketsuite.services.watch.source import Emit, signature

RETURN_INTERVAL = 1.0
"""Seconds between two looks at a path that leads to no file, or cannot be watched whole.

Nobody tells that something has been mounted, and a folder that may not be read cannot be
watched.
"""

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
_ENTRY = IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE
# Twisted has no name for it.  Without it, whoever still writes to a deleted file is heard
# under the name that the file no longer has.
_IN_EXCL_UNLINK = 0x04000000
_FOLDER = (
    IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_DONT_FOLLOW | IN_MASK_ADD | _IN_EXCL_UNLINK
)
# The path may change again while its folders are being watched.
_TRIES = 5
_log = Logger()


def parse_events(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield the watch, the mask and the name of each event in *data*.

    The name is empty where the watched folder itself is meant.
    """
    offset = 0
    while offset < len(data):
        watch, mask, _, length = _HEADER.unpack_from(data, offset)
        offset += _HEADER.size
        yield watch, mask, data[offset : offset + length].rstrip(b"\0")
        offset += length


class FolderDescriptor(INotify):
    """The inotify descriptor of some folders, as the reactor reads it.

    :param receive: called with the bytes of some whole events; empty when the descriptor
        cannot be read any more.
    :raises OSError: when there is none to be had.
    """

    def __init__(self, reactor: IReactorFDSet, receive: Callable[[bytes], None]):
        try:
            super().__init__(reactor)
        except INotifyError:
            raise OSError("no inotify instance left (see fs.inotify.max_user_instances)") from None
        self._receive = receive

    def add(self, folder: bytes, mask: int) -> int | None:
        """Watch *folder*; return its number, or ``None`` when it cannot be watched."""
        try:
            return cast(int, self.watch(FilePath(folder), mask))
        except INotifyError:
            return None

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
        self._reactor = reactor
        self._emit = emit
        self._descriptor: FolderDescriptor | None = None
        self._resolution: Resolution | None = None
        self._seen: Signature | None = None
        self._again: IDelayedCall | None = None
        self._complained = False
        # What is listened for, by the number of the folder's watch and the name in it.
        self._file: set[tuple[int, bytes]] = set()
        self._entries: set[tuple[int, bytes]] = set()
        self._whole = False
        self._stopped = True

    def start(self) -> bool:
        """Begin to watch.

        :raises OSError: when there is no inotify to be had, or not for the file's folder.
        """
        self._watch()
        self._stopped = False
        self._seen = signature(self._path)
        self._schedule()
        return self._seen is not None

    def look(self) -> None:
        """Read the events that are waiting."""
        if self._descriptor is not None:
            self._descriptor.doRead()

    def stop(self) -> None:
        """End."""
        self._stopped = True
        self._close()
        if self._again is not None:
            self._again.cancel()
            self._again = None

    # ── what is watched ─────────────────────────────────────────────────────────────

    def _watch(self) -> None:
        """Resolve the path, and watch what it leads through.

        :raises OSError: when there is no inotify to be had, or not for the file's folder.
        """
        resolution = resolve(self._path)
        for _ in range(_TRIES):
            self._close()
            self._watch_all(resolution)
            before, resolution = resolution, resolve(self._path)
            if resolution == before:
                break
        else:
            self._whole = False
        self._resolution = resolution

    def _watch_all(self, resolution: Resolution) -> None:
        masks = dict.fromkeys(resolution.folders, _FOLDER)
        for folder, _, _ in resolution.entries:
            masks[folder] = _FOLDER | _ENTRY
        if resolution.file is not None:
            masks[resolution.file[0]] = _FOLDER | sum(_EVENTS)
        descriptor = FolderDescriptor(cast(IReactorFDSet, self._reactor), self._receive)
        numbers = {folder: descriptor.add(folder, mask) for folder, mask in masks.items()}
        if resolution.file is not None and numbers[resolution.file[0]] is None:
            descriptor.loseConnection()
            shown = os.fsdecode(resolution.file[0])
            cause = "it may not be read, or fs.inotify.max_user_watches is reached"
            raise OSError(f"cannot watch the folder {shown}: {cause}")
        self._whole = None not in numbers.values()
        found = {folder: number for folder, number in numbers.items() if number is not None}
        names = [resolution.file] if resolution.file is not None else []
        self._file = {(found[folder], name) for folder, name in names}
        self._entries = {
            (found[folder], name) for folder, name, _ in resolution.entries if folder in found
        }
        self._descriptor = descriptor
        descriptor.startReading()

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            descriptor.loseConnection()

    def _schedule(self) -> None:
        """Look again in a while, if there is something that no event would tell."""
        told = self._descriptor is not None and self._whole and self._seen is not None
        if not told and self._again is None and not self._stopped:
            self._again = self._reactor.callLater(RETURN_INTERVAL, self._look_again)

    def _look_again(self) -> None:
        self._again = None
        self.look()
        if self._descriptor is None or self._has_moved():
            self._follow([])
        self._schedule()

    def _has_moved(self) -> bool:
        try:
            return resolve(self._path) != self._resolution
        except OSError:
            return True

    # ── what is told ────────────────────────────────────────────────────────────────

    def _receive(self, data: bytes) -> None:
        events = []
        moved = not data
        for watch, mask, name in parse_events(data):
            if not name:
                moved = moved or bool(mask & (_FOLDER_LOST | IN_Q_OVERFLOW))
            if (watch, name) in self._entries:
                moved = moved or bool(mask & _ENTRY)
            if (watch, name) in self._file:
                events += [event for bit, event in _EVENTS.items() if mask & bit]
        if moved:
            self._follow(events)
        elif events:
            self._seen = signature(self._path)
            for event in events:
                self._emit(event)
        self._schedule()

    def _follow(self, events: list[Event]) -> None:
        """Watch the way anew, and tell what has become of the file meanwhile.

        :param events: what was read of the way that is left now: told only where the state of
            the file does not tell it.
        """
        try:
            self._watch()
            self._complained = False
        except OSError as error:
            self._close()
            self._complain(error)
        before, self._seen = self._seen, signature(self._path)
        for event in _unfinished(compare(before, self._seen)) or events:
            self._emit(event)

    def _complain(self, error: OSError) -> None:
        if not self._complained:
            self._complained = True
            _log.warn(
                "{error}: looking at {path} every {interval} s until that is over",
                error=str(error),
                path=str(self._path),
                interval=RETURN_INTERVAL,
            )


def _unfinished(found: list[Event]) -> list[Event]:
    """Return *found* as what is perhaps still going on.

    The rest of it may be waiting to be read already, and is the same change.
    """
    if found == [Event.MOVED_IN]:
        return [Event.CREATED]
    return [event for event in found if event is not Event.CLOSED]
