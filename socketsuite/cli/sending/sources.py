"""What is sent: files, pipes, and folders of files, each as bytes that can be read again.

This module must not know of streams, connections or receipts.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from socketsuite.cli.descriptors import InputDescriptor
from socketsuite.transport.dial.failed import Failed, os_cause

MOST_HELD = 8 << 20
"""Bytes of a pipe that are kept for as long as they may have to be sent again."""
_CHUNK = 1 << 17


class Source(Protocol):
    """Bytes that are sent; an offset counts from the first of them.

    :ivar name: what a person knows it as.
    :ivar end: how many bytes there are, once that is known.
    """

    name: str
    end: int | None

    def open(self, reactor: Any) -> None:
        """Begin; the second time nothing is done.

        :raises Failed: when it cannot be read.
        """

    def read(self, offset: int, most: int) -> bytes:
        """Return up to *most* bytes; none where there are none yet.

        :raises Failed: when it cannot be read, or is not what it was.
        """

    def more(self) -> Deferred[None]:
        """Return what fires as soon as there is more to read than now, or the end is known."""

    def release(self, offset: int) -> None:
        """Say that nothing before *offset* is read again."""

    def close(self) -> None:
        """End."""


class FileSource:
    """A regular file, as long as it was when it was opened."""

    def __init__(self, name: str, path: str, *, follow: bool) -> None:
        self.name = name
        self.end: int | None = None
        self._path = path
        self._flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
        if not follow:
            self._flags |= os.O_NOFOLLOW
        self._descriptor = -1

    def open(self, reactor: Any) -> None:
        """See :class:`Source`."""
        if self._descriptor >= 0:
            return
        try:
            self._descriptor = os.open(self._path, self._flags)
            status = os.fstat(self._descriptor)
        except OSError as error:
            raise Failed(f"cannot read {self.name}: {os_cause(error)}", "input") from None
        if not stat.S_ISREG(status.st_mode):
            raise Failed(f"cannot read {self.name}: it is no longer a regular file", "input")
        self.end = status.st_size

    def read(self, offset: int, most: int) -> bytes:
        """See :class:`Source`."""
        assert self.end is not None
        most = min(most, self.end - offset)
        if most <= 0:
            return b""
        try:
            data = os.pread(self._descriptor, most, offset)
        except OSError as error:
            raise Failed(f"cannot read {self.name}: {os_cause(error)}", "input") from None
        if not data:
            raise Failed(f"{self.name} became shorter while it was sent", "input")
        return data

    def more(self) -> Deferred[None]:
        """See :class:`Source`."""
        raise AssertionError("all of a file is there")

    def release(self, offset: int) -> None:
        """See :class:`Source`."""

    def close(self) -> None:
        """See :class:`Source`."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


class PipeSource:
    """A pipe, or whatever else is read once: what may have to be sent again is kept."""

    def __init__(self, name: str, descriptor: int) -> None:
        self.name = name
        self.end: int | None = None
        self._descriptor = descriptor
        self._kept = bytearray()
        self._kept_from = 0
        self._input: InputDescriptor | None = None
        self._is_paused = False
        self._error: OSError | None = None
        self._waiting: list[Deferred[None]] = []

    def open(self, reactor: Any) -> None:
        """See :class:`Source`."""
        if self._input is None:
            self._input = InputDescriptor(reactor, self._descriptor, self._took, self._ended)
            self._input.resumeProducing()

    def _took(self, data: bytes) -> None:
        assert self._input is not None
        self._kept += data
        if len(self._kept) > MOST_HELD - _CHUNK:
            self._is_paused = True
            self._input.pauseProducing()
        self._tell()

    def _ended(self, error: OSError | None) -> None:
        self._error = error
        if error is None:
            self.end = self._kept_from + len(self._kept)
        self._tell()

    def _tell(self) -> None:
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.callback(None)

    def read(self, offset: int, most: int) -> bytes:
        """See :class:`Source`."""
        start = offset - self._kept_from
        assert start >= 0, "read again after release"
        data = bytes(memoryview(self._kept)[start : start + most])
        if not data and self._error is not None:
            raise Failed(f"cannot read {self.name}: {os_cause(self._error)}", "input")
        return data

    def more(self) -> Deferred[None]:
        """See :class:`Source`."""
        waits: Deferred[None] = Deferred(self._forget)
        self._waiting.append(waits)
        return waits

    def _forget(self, waits: Deferred[None]) -> None:
        if waits in self._waiting:
            self._waiting.remove(waits)

    def release(self, offset: int) -> None:
        """See :class:`Source`."""
        del self._kept[: offset - self._kept_from]
        self._kept_from = offset
        if self._is_paused and len(self._kept) <= MOST_HELD - _CHUNK:
            assert self._input is not None
            self._is_paused = False
            self._input.resumeProducing()

    def close(self) -> None:
        """See :class:`Source`."""
        if self._input is not None:
            self._input.stopProducing()


def files_beneath(folder: str, skipped: Callable[[str], None]) -> Iterator[tuple[str, str]]:
    """Yield the relative and the whole path of every regular file beneath *folder*, in order.

    :param skipped: is told in a sentence of what is none, and of folders that cannot be read.
        Symbolic links are not followed.
    """
    waiting = [("", folder)]
    while waiting:
        relative, path = waiting.pop()
        try:
            with os.scandir(path) as found:
                entries = sorted(found, key=lambda entry: os.fsencode(entry.name))
        except OSError as error:
            skipped(f"cannot read {path}: {os_cause(error)}")
            continue
        folders = []
        for entry in entries:
            name = f"{relative}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                folders.append((f"{name}/", entry.path))
            elif entry.is_file(follow_symlinks=False):
                yield name, entry.path
            else:
                kind = "a symbolic link" if entry.is_symlink() else "no regular file"
                skipped(f"{entry.path} is skipped: it is {kind}")
        waiting += reversed(folders)
