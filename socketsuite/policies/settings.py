"""The limits of every daemon, as settings."""

from __future__ import annotations

from dataclasses import dataclass

from socketsuite.settings import byte_size, setting


@dataclass(eq=False)
class LimitSettings:
    """Limits."""

    max_connections: int = setting(
        0, "connections at one time, further ones are closed at once; 0 is no limit", minimum=0
    )
    idle_timeout: float = setting(
        0.0,
        "close a connection after this many seconds without a byte either way; 0 is never",
        minimum=0,
        metavar="SECONDS",
    )
    handshake_timeout: float = setting(
        10.0, "seconds that a peer has for its TLS handshake", minimum=0.1, metavar="SECONDS"
    )
    send_queue: int = setting(
        4 << 20,
        "drop a peer that leaves more than this unread, in bytes; K, M and G are understood",
        metavar="BYTES",
        parse=byte_size,
        show="4M",
    )
    drain_timeout: float = setting(
        10.0,
        "seconds that connections have to finish after SIGTERM",
        minimum=0,
        metavar="SECONDS",
    )
