"""The matrix of transports: the service is the same behind each of them.

Must not know what the service says.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from socketsuite.testing import proxy
from socketsuite.testing.certificates import Certificate
from socketsuite.testing.checks.base import Check
from socketsuite.testing.conversation import Conversation
from socketsuite.testing.daemon import Daemon
from socketsuite.testing.replies import NonConformance

_UNIX = "matrix.sock"
_FROM_PROXY = ("--proxy-from", "127.0.0.1")
_UNIX_TOO = ("--proxy-from", "unix")

Way = tuple[str, Callable[[], socket.socket]]


class Matrix(Check):
    """All of ``talk`` is answered over TCP, Unix sockets, TLS and behind PROXY headers 1 and 2.

    By both transports (``--transport``).  The log names the right peer: the caller's own
    address, or the one that the header tells.  TLS and PROXY stand together, and plain TCP by
    the burst transport is left to the other checks, all of which use it; at ``scale=1`` each
    stands alone, too.
    """

    name = "matrix"

    def run(self, folder: Path) -> None:
        """Start the service for each combination."""
        self._certificate = Certificate.make(folder)
        tls = self._certificate.arguments
        rows: list[tuple[str, ...]] = [
            ("burst", *tls, *_FROM_PROXY, "--unix", _UNIX),
            ("twisted", "--unix", _UNIX),
            ("twisted", *tls, *_FROM_PROXY, *_UNIX_TOO, "--unix", _UNIX),
        ]
        if self.kit.scale >= 1:
            both = ("burst", "twisted")
            rows += [(one, *more) for one in both for more in (tls, _FROM_PROXY, ())]
            rows += [("burst", *_UNIX_TOO, "--unix", _UNIX)]
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
        said = {value for flag, value in pairwise(arguments) if flag == "--proxy-from"}
        secured = bool(daemon.ports("tls"))
        ways: list[Way] = []
        for version in (1, 2) if said - {"unix"} else (0,):
            name = "TLS" if secured else "TCP"
            connect = self._connect(daemon, _header(version), secured=secured)
            ways.append((name + _behind(version), connect))
        if "--unix" in arguments:
            version = 2 if "unix" in said else 0
            ways.append(("Unix" + _behind(version), _connect_unix(daemon, _header(version))))
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


def _header(version: int) -> bytes:
    return proxy.header(version) if version else b""


def _behind(version: int) -> str:
    return f" behind PROXY {version}" if version else ""


def _connect_unix(daemon: Daemon, header: bytes) -> Callable[[], socket.socket]:
    def connect() -> socket.socket:
        made = daemon.connect_unix(_UNIX)
        made.sendall(header)
        return made

    return connect
