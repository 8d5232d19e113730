"""A chat's server that a test speaks through."""

from __future__ import annotations

import contextlib
import queue
import socket
import struct

from tests.cli.servers import TIMEOUT, goodbye


class Room:
    """A handler for a server: what it says, and what it hears, line by line."""

    def __init__(self) -> None:
        self.connections: queue.Queue[socket.socket] = queue.Queue()
        self.heard: queue.Queue[str] = queue.Queue()
        self._now: socket.socket | None = None
        self._rude = False

    def __call__(self, connection: socket.socket) -> None:
        self.connections.put(connection)
        # A client that leaves with something of ours unread ends by a reset.
        with contextlib.suppress(ConnectionResetError), connection.makefile("rb") as lines:
            for line in lines:
                self.heard.put(line.decode().removesuffix("\n"))
        self.heard.put("(end)")
        if not self._rude:
            goodbye(connection)

    @property
    def connection(self) -> socket.socket:
        if self._now is None:
            self._now = self.connections.get(timeout=TIMEOUT)
        return self._now

    def say(self, *lines: str) -> None:
        self.connection.sendall("".join([f"{line}\n" for line in lines]).encode())

    def hear(self) -> str:
        return self.heard.get(timeout=TIMEOUT)

    def drop(self, *, rudely: bool = False) -> None:
        """End the connection; the next one is the one that is spoken through."""
        connection, self._now = self.connection, None
        if rudely:  # the close will be a reset
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._rude = True
        connection.shutdown(socket.SHUT_RD)
