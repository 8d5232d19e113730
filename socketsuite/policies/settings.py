"""The limits of every daemon, as settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from socketsuite.policies.networks import network_word
from socketsuite.policies.proxies import proxy_word
from socketsuite.settings import byte_size, setting


@dataclass(eq=False)
class AdmissionSettings:
    """Admission."""

    max_connections: int = setting(
        0,
        "connections at one time, further ones are closed at once; 0 is no limit",
        minimum=0,
        reload=True,
    )
    max_connections_per_host: int = setting(
        0,
        "the same for one host (an IPv4 address, an IPv6 /64); 0 is no limit",
        minimum=0,
        reload=True,
    )
    max_rate_per_host: int = setting(
        0,
        "new connections of one host within --rate-window; 0 is no limit",
        minimum=0,
        reload=True,
    )
    rate_window: float = setting(
        60.0,
        "what --max-rate-per-host is counted over",
        minimum=0.1,
        unit="seconds",
        reload=True,
    )
    allow: tuple[str, ...] = setting(
        (),
        "admit only these networks; @FILE has one on each line; may be repeated",
        metavar="CIDR",
        parse=network_word,
        reload=True,
    )
    deny: tuple[str, ...] = setting(
        (),
        "admit none of these networks, whatever --allow says; may be repeated",
        metavar="CIDR",
        parse=network_word,
        reload=True,
    )
    proxy_from: tuple[str, ...] = setting(
        (),
        "each connection of a TCP port begins with a PROXY protocol header, 1 or 2, and only these"
        " networks connect; the word unix asks for a header on Unix sockets too, or with no network"
        " beside it on them alone; may be repeated",
        metavar="CIDR",
        parse=proxy_word,
        reload=True,
    )


@dataclass(eq=False)
class LimitSettings:
    """Limits."""

    first_byte_timeout: float = setting(
        0.0,
        "close a connection that has said nothing for this long after it was made; 0 is never",
        minimum=0,
        unit="seconds",
        reload=True,
    )
    idle_timeout: float = setting(
        0.0,
        "close a connection after this long without a byte either way; 0 is never",
        minimum=0,
        unit="seconds",
        reload=True,
    )
    handshake_timeout: float = setting(
        10.0,
        "how long a peer has for its TLS handshake",
        minimum=0.1,
        unit="seconds",
        reload=True,
    )
    write_timeout: float = setting(
        10.0,
        "drop a peer that has taken nothing of what waits for it for this long; 0 is never",
        minimum=0,
        unit="seconds",
        reload=True,
    )
    half_close_timeout: float = setting(
        3.0,
        "how long a service that does not know of half-closed connections has for its answer, when"
        " the caller has closed its half (nc -N) and not been answered yet; 0 closes at once",
        minimum=0,
        unit="seconds",
        reload=True,
    )
    send_queue: int = setting(
        64 << 20,
        "drop a peer to whom more is written while it has left more than this unread of what was"
        " written before; K, M and G are understood",
        metavar="BYTES",
        parse=byte_size,
        show="64M",
    )
    send_queue_soft: int = setting(
        1 << 20,
        "drop a peer that leaves more than this unread for --send-queue-seconds, unless it takes"
        " more than is written to it",
        metavar="BYTES",
        parse=byte_size,
        show="1M",
        reload=True,
    )
    send_queue_seconds: float = setting(
        60.0,
        "how long --send-queue-soft may be exceeded",
        minimum=0.1,
        unit="seconds",
        reload=True,
    )
    start_timeout: float = setting(
        60.0,
        "how long the service's own start_service() may take before anything is accepted",
        minimum=0.1,
        unit="seconds",
    )
    drain_timeout: float = setting(
        10.0,
        "how long connections have to finish after SIGTERM",
        minimum=0,
        unit="seconds",
        reload=True,
    )
    stop_timeout: float = setting(
        10.0,
        "how long the service's own stop_service() may take when nothing is open any more",
        minimum=0,
        unit="seconds",
        reload=True,
    )


@dataclass(eq=False)
class DatagramLimits:
    """UDP limits."""

    udp_rate: float = setting(
        1000.0,
        "datagrams a second that one host is answered; 0 is no limit",
        minimum=0,
        metavar="NUMBER",
        reload=True,
    )
    udp_source_ports: Literal["any", "unprivileged"] = setting(
        "unprivileged",
        "whose datagrams are answered: of any port, or not of those below 1024 and 2049, which"
        " are servers', so that no loop begins with one",
        reload=True,
    )
