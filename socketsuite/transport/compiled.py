"""The compiled half of the burst transport, where it was built and is wanted.

``_burst.c`` takes over what a burst does for each message of a plain TCP or Unix connection; the
pure-Python burst beside it defines what that is, and does everything else.  Where the module was
not built (no compiler, not Linux), or where the environment has ``SOCKETSUITE_PURE=1``,
:data:`AVAILABLE` is false and the pure burst does all of it.  This module must not know how it is
built, nor who asks for it.
"""

from __future__ import annotations

import os
import select
import socket
from time import monotonic

from socketsuite.transport import burst_loop
from socketsuite.transport.burst_loop import BUSY, Burst
from socketsuite.transport.connection import (
    EMPTY,
    BurstTCPServer,
    BurstUNIXServer,
    _Connection,
)

PURE = os.environ.get("SOCKETSUITE_PURE", "") not in ("", "0")
"""Whether the environment forbids it."""

try:
    if PURE:
        raise ImportError("the environment forbids it")
    from socketsuite.transport import _burst

    _burst.set_up(_Connection, Burst, socket.socket, EMPTY)
    Writer = _burst.Writer
    """What a class of connections begins with, to have its writes compiled."""

    AVAILABLE = True
    """Whether there is a compiled burst."""
except (ImportError, TypeError):
    # A type error: this interpreter's objects are not as the module knows them.
    AVAILABLE = False

    class Writer:  # type: ignore[no-redef]
        """Stands where the compiled one would."""

        __slots__ = ()


class CompiledBurst(Burst):
    """A burst whose loop is compiled; only where that is :data:`AVAILABLE`."""

    __slots__ = ()

    def _run(self, epoll: select.epoll) -> None:
        due = monotonic() + burst_loop.SECONDS_PER_TURN
        most = self.most_at_once()
        descriptor = epoll.fileno()
        while True:
            self.active = True
            try:
                ready = _burst.read(self, descriptor, most)
            finally:
                self.end()
            if ready < BUSY or monotonic() > due or epoll.closed:
                return

    def end(self) -> None:
        """Flush everything that protocols wrote in this burst, and end it."""
        self.flushing = True
        try:
            _burst.flush(self)
        finally:
            self.dirty.clear()
            self.active = self.flushing = False
            self.current = None


class CompiledTCPServer(Writer, BurstTCPServer):
    """An accepted TCP connection of a compiled burst."""


class CompiledUNIXServer(Writer, BurstUNIXServer):
    """An accepted Unix socket connection of a compiled burst."""


def server_class(*, local: bool, pure: bool) -> type:
    """Return the class of plain connections, over Unix sockets if they are *local*."""
    if pure or not AVAILABLE:
        return BurstUNIXServer if local else BurstTCPServer
    return CompiledUNIXServer if local else CompiledTCPServer


if __name__ == "__main__" and not AVAILABLE:
    print("the burst transport is not compiled here: connections are served by Python alone")
