"""A TLS caller whose every flight is in the test's hands: sent whole, in pieces, or not at all.

Knows nothing of certificates: a context is handed in.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import sys
from dataclasses import dataclass

from socketsuite.testing import Daemon


@dataclass(frozen=True)
class Ending:
    """What a caller got from the service, up to the end, and how the end came.

    *how* is ``goodbye`` (the close_notify alert), ``FIN`` or ``RST`` without one, TLS's own
    words for another alert, or ``none yet``.
    """

    served: bytes
    how: str


class Caller:
    """One connection to a daemon's TLS port.

    :ivar peer: how the daemon's log calls it.
    """

    def __init__(
        self, daemon: Daemon, context: ssl.SSLContext, session: ssl.SSLSession | None = None
    ) -> None:
        self.socket = daemon.connect(port=daemon.port("tls"))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        self.peer = "{}:{}".format(*self.socket.getsockname())
        self._heard, self._unsent = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(
            self._heard, self._unsent, server_hostname="localhost", session=session
        )
        self.secured = False

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def flight(self) -> bytes:
        """Go on with the handshake, and return what is to be sent next, if anything."""
        if not self.secured:
            try:
                self.tls.do_handshake()
                self.secured = True
            except ssl.SSLWantReadError:
                pass
        return self.unsent()

    def unsent(self) -> bytes:
        """Return what TLS has made to be sent."""
        return self._unsent.read()

    def hear(self) -> None:
        """Take the next bytes that the daemon sends."""
        data = self.socket.recv(1 << 16)
        if data:
            self._heard.write(data)
        else:
            self._heard.write_eof()

    def shake_hands(self, request: bytes = b"") -> Caller:
        """Make the whole handshake, with *request* in its last flight already."""
        while True:
            flight = self.flight()
            if self.secured and request:
                flight += self.sealed(request)
            if flight:
                self.socket.sendall(flight)
            if self.secured:
                return self
            self.hear()

    def sealed(self, data: bytes) -> bytes:
        """Return the record that says *data*."""
        self.tls.write(data)
        return self.unsent()

    def say(self, data: bytes) -> None:
        """Send *data*."""
        self.socket.sendall(self.sealed(data))

    def goodbye(self) -> bytes:
        """Return our close_notify alert."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        return self.unsent()

    def read(self, count: int) -> bytes:
        """Return *count* bytes of what the service says."""
        data = b""
        while len(data) < count:
            data += self._piece()
        return data

    def _piece(self) -> bytes:
        while True:
            try:
                return self.tls.read(1 << 16)
            except ssl.SSLWantReadError:
                self.hear()

    def to_the_end(self, request: bytes = b"", most: int = sys.maxsize) -> Ending:
        """Make the handshake, if need be, and take all that comes until the end.

        :param most: bytes of service after which the end is not waited for.
        """
        served = b""
        try:
            if not self.secured:
                self.shake_hands(request)
            while len(served) < most:
                piece = self._piece()
                if not piece:
                    return Ending(served, "goodbye")
                served += piece
        except ssl.SSLZeroReturnError:
            return Ending(served, "goodbye")
        except ssl.SSLEOFError:
            return Ending(served, "FIN")
        except ssl.SSLError as error:
            return Ending(served, error.reason.lower().replace("_", " "))
        except ConnectionError:
            return Ending(served, "RST")
        return Ending(served, "none yet")
