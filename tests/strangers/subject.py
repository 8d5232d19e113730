"""What a stranger's service is in these tests: its source, its clients, its listeners.

Knows nothing of any service, nor of how a daemon is started.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.strangers.bridge import bridged

SECONDS = 20.0
LISTENERS = ("tcp", "tls", "unix", "proxy")
TRANSPORTS = ("burst", "twisted")


@dataclass(frozen=True)
class Listener:
    """One way to a service under test.

    :ivar kind: one of :data:`LISTENERS`; ``proxy`` is TCP behind a PROXY header.
    :ivar folder: where ``ca.pem`` is, the authority of the daemon's certificate.
    :ivar datagrams: the port for UDP, 0 for none.
    """

    kind: str
    transport: str
    folder: Path
    port: int
    path: Path
    datagrams: int = 0

    def __str__(self) -> str:
        return f"{self.kind}, --transport {self.transport}"

    @property
    def transport_name(self) -> str:
        """What the daemon calls its transport, in the log and by label."""
        return "tcp" if self.kind == "proxy" else self.kind

    @property
    def authority(self) -> str:
        """The file of the authority that signed the daemon's certificate."""
        return str(self.folder / "ca.pem")

    def trust(self, *protocols: str) -> ssl.SSLContext:
        """Return a client's TLS context, which offers *protocols* by ALPN."""
        context = ssl.create_default_context(cafile=self.authority)
        if protocols:
            context.set_alpn_protocols(list(protocols))
        return context

    def dial(self, *protocols: str) -> socket.socket:
        """Return a connection on which the service itself is next to speak."""
        if self.kind == "unix":
            made = socket.socket(socket.AF_UNIX)
            made.settimeout(SECONDS)
            made.connect(str(self.path))
            return made
        made = socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.kind == "proxy":
            made.sendall(self.header(made.getsockname()[1]))
        if self.kind == "tls":
            return self.trust(*protocols).wrap_socket(made, server_hostname="127.0.0.1")
        return made

    def header(self, port: int) -> bytes:
        """Return what a proxy says of a client that called from *port*."""
        return f"PROXY TCP4 192.0.2.7 127.0.0.1 {port} {self.port}\r\n".encode()

    @contextlib.contextmanager
    def as_tcp(self) -> Iterator[int]:
        """Return a port of this machine for clients that can speak plain TCP alone."""
        if self.kind == "tcp":
            yield self.port
        else:
            with bridged(self) as port:
                yield port

    @contextlib.contextmanager
    def endpoint(self) -> Iterator[str]:
        """Return the description of an endpoint for Twisted's own clients."""
        if self.kind == "unix":
            yield f"unix:{self.path}"
        elif self.kind == "tls":
            yield f"tls:127.0.0.1:{self.port}:trustRoots={self.folder / 'roots'}"
        else:
            with self.as_tcp() as port:
                yield f"tcp:127.0.0.1:{port}"

    def curl(self, scheme: str, *, secure: str = "") -> tuple[list[str], str]:
        """Return curl's options for this listener, and how a URL begins.

        :param secure: the scheme over TLS, where it is not *scheme* and an ``s``.
        """
        base = f"{scheme}://127.0.0.1:{self.port}"
        if self.kind == "tls":
            return ["--cacert", self.authority], f"{secure or scheme + 's'}://127.0.0.1:{self.port}"
        if self.kind == "unix":
            return ["--unix-socket", str(self.path)], f"{scheme}://127.0.0.1"
        return (["--haproxy-protocol"] if self.kind == "proxy" else []), base


@dataclass(frozen=True)
class Fault:
    """Why a factory does not work on a listener, through no fault of the daemon's.

    :ivar reason: for the table.
    :ivar seen: a pattern that the daemon's log has then; without one nothing is tried.
    """

    reason: str
    seen: str = ""


@dataclass(frozen=True)
class Stranger:
    """One factory of somebody else, unchanged, and who talks to it.

    :ivar name: a short one, unique; the service's in the daemon's log.
    :ivar factory: for the table.
    :ivar clients: who talks to it, for the table.
    :ivar source: a module whose ``factory`` is the plugin's target.
    :ivar talk: has clients talk to it by one listener, and checks what they get.
    :ivar transfer: begins something large or long, yields in its middle, and checks at the end
        that it is whole; the connection is closed then.
    :ivar drained: what is under way then, for the table.
    :ivar faults: what does not work, by listener, or by transport and listener.
    :ivar absent: the listeners that make no sense for it, with the reason.
    :ivar note: for the table.
    :ivar programs: what has to be installed, by the names of its programs.
    :ivar packages: and what has to be there to import.
    :ivar reasons: those of its closed connections.
    """

    name: str
    factory: str
    clients: str
    source: str
    talk: Callable[[Listener], None]
    transfer: Callable[[Listener], Generator[None]] | None = None
    drained: str = ""
    faults: Mapping[tuple[str, str], Fault] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    programs: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ("closed_by_peer", "closed_by_service")

    @property
    def listeners(self) -> list[str]:
        """The listeners that make sense for it."""
        return [kind for kind in LISTENERS if kind not in self.absent]
