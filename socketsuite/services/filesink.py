"""File sink: everything that any client sends is appended to one file.

The wire: bytes, one way.  Clients may come one after another or at once; what arrives in
one chunk stays together in the file.  A client whose bytes could not be written is reset,
so that it knows; one that was closed in order has all its bytes written (not synced).

This module must not know what the bytes mean, and never reads the file.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from socketsuite.services.stream import IStreamTransport
from socketsuite.settings import SettingsError, setting

_CURES = {
    errno.ENOENT: "its folder does not exist: create it",
    errno.ENOTDIR: "a part of its path is not a folder",
    errno.EISDIR: "it is a folder: name a file",
    errno.ENXIO: "it is a pipe or a socket: name a file",
    errno.EACCES: "permission denied: let this user write it, or name another file",
    errno.EROFS: "the file system is read-only: name a file elsewhere",
}


def open_for_appending(path: Path, *, create: bool = True) -> int:
    """Open *path* and return its descriptor; create it (0640) if there is none.

    Regular files and character devices are taken.

    :param create: whether a file that is not there is made; else that is ``FileNotFoundError``.
    :raises SettingsError: with the path and the cure, for anything else.
    """
    # O_NONBLOCK: opening a FIFO that nobody reads must fail, not hang.
    flags = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags | os.O_CREAT if create else flags, 0o640)
    except OSError as error:
        if not create and error.errno == errno.ENOENT:
            raise
        cure = _CURES.get(error.errno or 0, error.strerror)
        raise SettingsError(f"cannot append to {path}: {cure}") from None
    mode = os.fstat(descriptor).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISCHR(mode)):
        os.close(descriptor)
        raise SettingsError(f"cannot append to {path}: {_CURES[errno.ENXIO]}")
    os.set_blocking(descriptor, True)
    return descriptor


@dataclass(eq=False)
class FileSinkFactory(ServerFactory):
    """Holds the file open while anybody listens for it or writes to it."""

    file: Path = setting(help="the file that is appended to", metavar="PATH")

    _log = Logger()

    def __post_init__(self) -> None:
        self._descriptor = -1
        self._holders = 0
        self._failing = False

    def check_start(self) -> None:
        """See that the file could be opened; one that is not there is not made.

        :raises SettingsError: when it could not.
        """
        try:
            os.close(open_for_appending(self.file, create=False))
        except FileNotFoundError:
            folder = self.file.parent
            if not folder.is_dir():
                cure = _CURES[errno.ENOENT]
                raise SettingsError(f"cannot append to {self.file}: {cure}") from None
            if not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
                cure = _CURES[errno.EACCES]
                raise SettingsError(f"cannot append to {self.file}: {cure}") from None

    def startFactory(self) -> None:
        """Open the file.

        :raises SettingsError: when it cannot be opened.
        """
        self.hold()

    def stopFactory(self) -> None:
        """Let the file go; connections that are still there keep it open."""
        self.release()

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """Return a sink for one client."""
        return FileSink(self)

    def hold(self) -> None:
        """Keep the file open until the matching :meth:`release`."""
        if self._descriptor < 0:
            self._descriptor = open_for_appending(self.file)
        self._holders += 1

    def release(self) -> None:
        """Undo one :meth:`hold`; the last one closes the file."""
        self._holders -= 1
        if self._holders == 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def append(self, data: bytes | memoryview) -> bool:
        """Write all of *data*, and return whether that succeeded.

        This blocks until the kernel has the bytes, which is the back-pressure: nobody is
        read from meanwhile.  Trouble is logged once, until it is over.
        """
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            if not self._failing:
                self._log.error(
                    "cannot write to {file}: {why}; clients are reset until this is over",
                    file=str(self.file),
                    why=error.strerror,
                )
            self._failing = True
            return False
        if self._failing:
            self._log.info("{file} can be written again", file=str(self.file))
        self._failing = False
        return True


class FileSink(Protocol):
    """Appends what one client sends."""

    transport: IStreamTransport
    factory: FileSinkFactory
    borrows_buffer = True
    """Whoever can lend a buffer need not make ``bytes``: they go to the kernel at once."""

    def __init__(self, factory: FileSinkFactory) -> None:
        self.factory = factory
        self._refused = False

    def connectionMade(self) -> None:
        """Keep the file open for this client."""
        self.factory.hold()

    def dataReceived(self, data: bytes | memoryview) -> None:
        """Append *data*; reset the client if that fails."""
        if not self._refused and not self.factory.append(data):
            self._refused = True
            self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Let the file go."""
        self.factory.release()
