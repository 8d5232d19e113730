"""The file that receipts are written to as they come.

This module must not know of connections, nor how a receipt is checked.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from socketsuite.transport.dial.failed import Failed, os_cause
from socketsuite.wire.receipts import HEADER, LONGEST_LINE, Key


class ReceiptsFile:
    """A file of receipts that is appended to, by one process at a time.

    What an interrupted run left of a last line is cut off.

    :raises Failed: when it cannot be opened or written, or is not such a file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._key: bytes | None = None
        self._descriptor = -1
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            self._begin()
        except OSError as error:
            self._let_go()
            raise self._failed(os_cause(error)) from None
        except Failed:
            self._let_go()
            raise

    def _begin(self) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise self._failed("another process writes it") from None
        size = os.fstat(self._descriptor).st_size
        first = os.pread(self._descriptor, len(HEADER), 0)
        if not HEADER.startswith(first):
            raise self._failed("it is no file of receipts")
        tail = os.pread(self._descriptor, LONGEST_LINE, max(0, size - LONGEST_LINE))
        end = size - len(tail) + tail.rfind(b"\n") + 1
        if first == HEADER and b"\n" not in tail:
            raise self._failed("it is no file of receipts")
        os.ftruncate(self._descriptor, end if first == HEADER else 0)
        os.lseek(self._descriptor, 0, os.SEEK_END)
        if first != HEADER:
            self.write(HEADER)

    def write(self, data: bytes) -> None:
        """Append whole lines."""
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError as error:
            raise self._failed(os_cause(error)) from None

    def use_key(self, key: bytes | None) -> None:
        """Say by which key the receipts that follow are signed."""
        if key is not None and key != self._key:
            self._key = key
            self.write(Key(key).encode())

    def close(self) -> None:
        """Make it durable, and let go of it."""
        if self._descriptor < 0:
            return
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise self._failed(os_cause(error)) from None
        finally:
            self._let_go()

    def _let_go(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1

    def _failed(self, cause: str) -> Failed:
        return Failed(f"cannot write {self._path}: {cause}", "file")
