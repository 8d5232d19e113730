"""Where a client connects to, and by which way.

Must not import Twisted, which takes longer than a command's ``--help`` may.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class TLSChoice:
    """How to speak TLS.

    :ivar name: the name that the server's certificate must be for; also sent as SNI.
    :ivar cafile: authorities to trust instead of the system's (PEM).
    :ivar cert: our own certificate, and the chain behind it (PEM).
    :ivar key: its private key; ``None`` when *cert* holds it too.
    """

    name: str
    cafile: Path | None = None
    cert: Path | None = None
    key: Path | None = None


@dataclass(frozen=True)
class Target:
    """A server: an Internet address or a Unix socket, and the way to it.

    :ivar timeout: seconds for resolving, connecting and the TLS handshake together.
    """

    host: str
    port: int
    unix: str | None
    tls: TLSChoice | None
    timeout: float

    def __str__(self) -> str:
        return self.unix or f"{self.host} {self.port}"

    @property
    def peer(self) -> str:
        """Who that is, before an address is known: ``localhost:9000``, ``unix:/run/x``."""
        if self.unix is not None:
            return f"unix:{self.unix}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"
