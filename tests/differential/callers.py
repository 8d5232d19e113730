"""The clients' ends: sockets that never block, moved on by whoever turns the reactor.

They know nothing of the server's side.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from typing import Any

from OpenSSL import SSL

_PIECE = 1 << 16


class Caller:
    """A client in the clear.

    *got* is what it received; *ended* is ``open``, ``fin`` or ``reset``.
    """

    def __init__(self, own: socket.socket) -> None:
        self.socket = own
        self.outbox = bytearray()
        self.rate = 0
        self.got = bytearray()
        self.ended = "open"
        self.reading = True
        self.closed = False
        self.finishing = False
        self.sent = bytearray()

    def send(self, data: bytes) -> None:
        self.sent += data
        self.outbox += data

    def finish(self) -> None:
        """End its own half of the connection, once all that it says has left."""
        self.finishing = True

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.socket.close()

    def reset(self) -> None:
        if not self.closed:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close()

    def move(self) -> int:
        """Send and receive what can be; return how many bytes moved."""
        if self.closed:
            return 0
        moved = self.receive() if self.reading else 0
        return moved + self._push()

    def _push(self) -> int:
        sent = 0
        if self.outbox:
            try:
                sent = self.socket.send(self.outbox[: self.rate or _PIECE])
            except BlockingIOError:
                return 0
            except OSError:
                self.outbox.clear()
                return 1
            del self.outbox[:sent]
        elif self.finishing:
            self.finishing = False
            sent = 1
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_WR)
        return sent

    def receive(self, most: int = 1 << 30) -> int:
        """Read up to *most* bytes; return how many, or 1 for an end."""
        moved = 0
        while self.ended == "open" and moved < most:
            try:
                data = self.socket.recv(min(_PIECE, most - moved))
            except BlockingIOError:
                break
            except OSError:
                self.ended = "reset"
                return moved + 1
            if not data:
                self.ended = "fin"
                self.take_end()
                return moved + 1
            moved += len(data)
            self.take(data)
        return moved

    def take(self, data: bytes) -> None:
        self.got += data

    def take_end(self) -> None:
        pass


class SecureCaller(Caller):
    """A client that speaks TLS, from memory, so that its bytes can be sent as one likes.

    What it says before its handshake is complete leaves together with the end of it.
    """

    def __init__(self, own: socket.socket, context: SSL.Context) -> None:
        super().__init__(own)
        self.tls: Any = SSL.Connection(context, None)
        self.tls.set_tlsext_host_name(b"localhost")
        self.tls.set_connect_state()
        self.shaken = False
        self.notified = False
        self.broken = False
        self._unsaid = bytearray()
        self._shake()

    def send(self, data: bytes) -> None:
        self.sent += data
        self._unsaid += data
        self._say()

    def notify(self) -> None:
        """Say that it has finished, and leave the socket open."""
        self._say_goodbye()

    def take(self, data: bytes) -> None:
        try:
            self.tls.bio_write(data)
            if not self.shaken:
                self._shake()
            while self.shaken:
                self.got += self.tls.recv(_PIECE)
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            if not self.notified:
                self.notified = True
                self._say_goodbye()
        except SSL.Error:
            self.broken = True
        self._collect()

    def _shake(self) -> None:
        try:
            self.tls.do_handshake()
        except SSL.WantReadError:
            self._collect()
        else:
            self.shaken = True
            self._say()

    def _say(self) -> None:
        if self.shaken and self._unsaid and not self.broken:
            try:
                for start in range(0, len(self._unsaid), 1 << 14):
                    self.tls.send(bytes(self._unsaid[start : start + (1 << 14)]))
            except SSL.Error:
                self.broken = True
            self._unsaid.clear()
        self._collect()

    def _say_goodbye(self) -> None:
        with contextlib.suppress(SSL.Error):
            self.tls.shutdown()
        self._collect()

    def _collect(self) -> None:
        while True:
            try:
                self.outbox += self.tls.bio_read(_PIECE)
            except SSL.Error:
                return
