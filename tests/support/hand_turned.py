"""A reactor that a test turns by hand, one port on it, and callers that never block."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Callable
from typing import Any

from twisted.internet.epollreactor import EPollReactor

TIMEOUT = 10.0


class HandTurned:
    """The reactor; whoever inherits it opens the port."""

    def __init__(self) -> None:
        self.reactor: Any = EPollReactor()
        self.port: Any = None
        self.callers: list[socket.socket] = []

    def call(self) -> socket.socket:
        """Return a caller who is connected, as far as the kernel is concerned."""
        caller = socket.create_connection(("127.0.0.1", self.port.getHost().port))
        caller.setblocking(False)
        self.callers.append(caller)
        return caller

    def turn(self) -> None:
        """Let the reactor do what there is to do just now."""
        self.reactor.runUntilCurrent()
        self.reactor.doIteration(0.01)

    def until(self, true: Callable[[], Any]) -> None:
        """Turn the reactor until *true* says so."""
        deadline = time.monotonic() + TIMEOUT
        while not true():
            assert time.monotonic() < deadline, "it never came true"
            self.turn()

    def read(self, caller: Any, count: int) -> bytes:
        """Return at least *count* bytes of what the caller receives."""
        got = b""

        def enough() -> bool:
            nonlocal got
            with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError):
                while len(got) < count:
                    piece = caller.recv(1 << 16)
                    assert piece, f"closed after {len(got)} bytes"
                    got += piece
            return len(got) >= count

        self.until(enough)
        return got

    def close(self) -> None:
        """End the callers, and what the reactor still holds."""
        for caller in self.callers:
            caller.close()
        self.reactor.disconnectAll()
        # Nobody runs it to its end, where it would give back what it opened for itself.
        for reader in self.reactor._internalReaders:
            reader.connectionLost(None)
        self.reactor._poller.close()
