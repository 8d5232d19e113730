"""A port of any kind on the burst transport, turned by hand, and callers of that kind."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import trustme
from OpenSSL import SSL
from twisted.internet.protocol import Factory, Protocol

from socketsuite.transport.burst import accelerate, burst_of
from socketsuite.transport.burst_loop import Burst
from socketsuite.transport.options import PortOptions, TLSOptions
from socketsuite.transport.tls import BurstTLSServer
from tests.support.hand_turned import HandTurned

KINDS = ("tcp", "unix", "tls")
_AUTHORITY = trustme.CA(key_type=trustme.KeyType.ECDSA)
_LEAF = _AUTHORITY.issue_cert("localhost")


def server_context() -> SSL.Context:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    _LEAF.configure_cert(context)
    return context


def client_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    _AUTHORITY.configure_trust(context)
    return context


class TLSCaller:
    """Our end of a TLS connection, whose every byte goes over the wire when the test says."""

    def __init__(self, raw: socket.socket) -> None:
        self.raw = raw
        self._heard, self._unsent = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = client_context().wrap_bio(self._heard, self._unsent, server_hostname="localhost")

    def flight(self) -> bytes:
        """Go on with the handshake; return what is to be sent next, and send nothing."""
        self.hear()
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.do_handshake()
        return self._unsent.read()

    def hear(self) -> None:
        """Take what has come over the wire."""
        with contextlib.suppress(BlockingIOError):
            while piece := self.raw.recv(1 << 16):
                self._heard.write(piece)

    def encrypted(self, data: bytes) -> bytes:
        """Return what carries *data*, without sending it."""
        self.tls.write(data)
        return self._unsent.read()

    def send(self, data: bytes) -> None:
        """Send *data* whole."""
        self.raw.sendall(self.encrypted(data))

    def recv(self, size: int) -> bytes:
        """Return what has come, as a socket would that does not block."""
        self.hear()
        try:
            return self.tls.read(size)
        except ssl.SSLWantReadError:
            raise BlockingIOError from None
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    def close(self) -> None:
        self.raw.close()


class ServedPort(HandTurned):
    """A port of *kind*, whose connections speak *protocol*; ``made`` lists the protocols."""

    def __init__(self, kind: str, folder: Path, protocol: type[Protocol]) -> None:
        super().__init__()
        self.kind = kind
        self.made: list[Any] = []
        factory = Factory()
        factory.noisy = False

        def build() -> Protocol:
            self.made.append(protocol())
            return self.made[-1]  # type: ignore[no-any-return]

        factory.protocol = build
        self.path = str(folder / "sock")
        if kind == "unix":
            self.port = accelerate(self.reactor.listenUNIX(self.path, factory))
        else:
            port = self.reactor.listenTCP(0, factory, interface="127.0.0.1")
            if kind == "tls":
                options = PortOptions(tls=TLSOptions(server_context))
                self.port = accelerate(port, options, BurstTLSServer)
            else:
                self.port = accelerate(port)

    @property
    def burst(self) -> Burst:
        return burst_of(self.reactor)

    def call(self, buffer: int = 0) -> Any:
        """Return a caller that the kernel has connected; *buffer* bytes are held for it."""
        made = socket.socket(socket.AF_UNIX if self.kind == "unix" else socket.AF_INET)
        if buffer:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        host = self.port.getHost()
        made.connect(self.path if self.kind == "unix" else (host.host, host.port))
        made.setblocking(False)
        self.callers.append(made)
        return made

    def connect(self, buffer: int = 0) -> tuple[Any, Any]:
        """Return a caller whose protocol is connected, and that protocol."""
        caller = self.call(buffer)
        if self.kind == "tls":
            caller = TLSCaller(caller)
            known = len(self.made)
            caller.raw.sendall(caller.flight())

            def secured() -> bool:
                caller.raw.sendall(caller.flight())
                return len(self.made) > known and self.made[known].transport is not None

            self.until(secured)
            self.turn()
            return caller, self.made[known]
        known = len(self.made)
        self.until(lambda: len(self.made) > known)
        return caller, self.made[known]


@contextlib.contextmanager
def served_port(kind: str, folder: Path, protocol: type[Protocol]) -> Iterator[ServedPort]:
    """A :class:`ServedPort` that is taken down again."""
    made = ServedPort(kind, folder, protocol)
    try:
        yield made
    finally:
        made.close()
