"""The matrix of transports: the service is the same behind each of them.

Must not know what the service says.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

from socketsuite.testing import proxy
from socketsuite.testing.certificates import Certificate
from socketsuite.testing.checks.base import Check
from socketsuite.testing.conversation import Conversation
from socketsuite.testing.daemon import Daemon
from socketsuite.testing.replies import NonConformance

_UNIX = "matrix.sock"
_FROM_PROXY = ("--proxy-from", "127.0.0.1")

Way = tuple[str, Callable[[], socket.socket]]


class Matrix(Check):
    """All of ``talk`` is answered over TCP, Unix sockets, TLS and behind PROXY headers 1 and 2.

    By both transports (``--transport``), but PROXY, which the burst transport alone has.  The
    log names the right peer: the caller's own address, or the one that the header tells.  TLS
    and PROXY stand together, and plain TCP by the burst transport is left to the other checks,
    all of which use it; at ``scale=1`` each stands alone, too.
    """

    name = "matrix"

    def run(self, folder: Path) -> None:
        """Start the service for each combination."""
        self._certificate = Certificate.make(folder)
        tls = self._certificate.arguments
        rows: list[tuple[str, ...]] = [
            ("burst", *tls, *_FROM_PROXY, "--unix", _UNIX),
            ("twisted", "--unix", _UNIX),
            ("twisted", *tls),  # which has no PROXY protocol
        ]
        if self.kit.scale >= 1:
            rows += [("burst", *tls), ("burst", *_FROM_PROXY), ("burst",)]
        for transport, *row in rows:
            try:
                self.run_on(folder, "--transport", transport, *row)
            except NonConformance as error:
                raise NonConformance(f"--transport {transport}, {error}") from None

    def examine(self, daemon: Daemon) -> None:
        """Talk over every listener of this process."""
        for name, connect in self._ways(daemon):
            told = len(daemon.lines)
            try:
                with self.kit.converse(daemon, connect) as caller:
                    peer = self._peer(name, caller)
                    self._talk(caller)
                for _ in range(1 if caller.ear is caller.socket else 2):
                    daemon.wait_for_line(rf" connected transport=\w+ {peer}", told)
            except NonConformance as error:
                raise NonConformance(f"{name}: {error}") from None

    def conclude(self, daemon: Daemon) -> None:
        """End it; that it serves was seen, and not by plain TCP alone."""
        self.end(daemon)

    def _ways(self, daemon: Daemon) -> list[Way]:
        arguments = daemon.arguments
        secured, proxied = bool(daemon.ports("tls")), "--proxy-from" in arguments
        ways: list[Way] = []
        for version in (1, 2) if proxied else (0,):
            header = proxy.header(version) if version else b""
            name = "TLS" if secured else "TCP"
            name += f" behind PROXY {version}" if version else ""
            ways.append((name, self._connect(daemon, header, secured=secured)))
        if "--unix" in arguments:
            ways.append(("Unix", lambda: daemon.connect_unix(_UNIX)))
        return ways

    def _connect(
        self, daemon: Daemon, header: bytes, *, secured: bool
    ) -> Callable[[], socket.socket]:
        def connect() -> socket.socket:
            if secured:
                return daemon.connect_tls(self._certificate.client(), header)
            made = daemon.connect()
            made.sendall(header)
            return made

        return connect

    def _peer(self, name: str, caller: Conversation) -> str:
        if "PROXY" in name:
            return f"peer={proxy.CLIENT} local={proxy.SERVER}"
        return "peer=" if name == "Unix" else f"peer={caller.peer} "

    def _talk(self, caller: Conversation) -> None:
        for request, reply in self.kit.talk[: 1 if self.kit.closes else None]:
            caller.exchange(request, reply)
        if not self.kit.talk and self.kit.alive is not None:
            caller.exchange(*self.kit.alive)
