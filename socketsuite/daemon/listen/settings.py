"""Where a daemon listens, as settings; the sockets themselves are made in ``sockets``."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from socketsuite.daemon.listen.endpoints import what_is_wrong
from socketsuite.settings import setting

LOOPBACK = ("127.0.0.1", "::1")


def _octal_mode(raw: Any) -> int:
    """Read a file mode from octal digits.

    Text only: TOML's ``0o440`` and ``440`` are whole numbers alike, and one of them would be
    another mode than it says.
    """
    if isinstance(raw, str):
        digits = raw.strip().removeprefix("0o")
        if (
            digits
            and len(digits) < 9
            and set(digits) <= set("01234567")
            and int(digits, 8) <= 0o777
        ):
            return int(digits, 8)
    raise ValueError("an octal file mode from 0000 to 0777 (in TOML in quotes), such as 0660")


def _address(raw: Any) -> str:
    """Read an IPv4 or IPv6 address; whether this machine has it is another question."""
    if isinstance(raw, str) and raw:
        try:
            ipaddress.ip_address(raw)
            return raw
        except ValueError:
            pass
        try:
            # What the kernel takes too, such as 127.1.  Bytes, as in ``sockets``.
            socket.getaddrinfo(raw.encode("ascii"), 0, flags=socket.AI_NUMERICHOST)
            return raw
        except (OSError, ValueError):
            pass
    raise ValueError(
        "an IPv4 or IPv6 address of this machine, such as 127.0.0.1, ::1, 0.0.0.0 or ::"
    )


_ENDPOINTS = "a Twisted server endpoint such as tcp:9000 or unix:/run/chat.sock"


def _endpoint(raw: Any) -> str:
    """Read a server endpoint string; whether it can be opened is another question."""
    if not isinstance(raw, str):
        raise ValueError(_ENDPOINTS)
    wrong = what_is_wrong(raw)
    if wrong:
        raise ValueError(f"{_ENDPOINTS} ({wrong})")
    return raw


@dataclass(eq=False)
class ListenSettings:
    """Listening."""

    port: tuple[int, ...] = setting(
        (),
        "TCP port to listen on; may be repeated; 0 lets the kernel choose",
        minimum=0,
        maximum=65535,
        metavar="PORT",
    )
    tls_port: tuple[int, ...] = setting(
        (),
        "TCP port to speak TLS on, beside those that do not; may be repeated; needs --tls-cert",
        minimum=0,
        maximum=65535,
        metavar="PORT",
    )
    interface: tuple[str, ...] = setting(
        LOOPBACK,
        "address to listen on; may be repeated; '::' is every address, IPv6 and IPv4",
        metavar="ADDRESS",
        parse=_address,
    )
    listen: tuple[str, ...] = setting(
        (),
        "a Twisted server endpoint, such as 'tcp:9000' or 'systemd:domain=INET:index=0';"
        " may be repeated",
        metavar="ENDPOINT",
        parse=_endpoint,
    )
    unix: tuple[Path, ...] = setting(
        (), "Unix socket to listen on; may be repeated", metavar="PATH"
    )
    unix_mode: int = setting(
        0o660,
        "permissions of the Unix sockets, octal",
        metavar="MODE",
        parse=_octal_mode,
        show="0660",
    )
    backlog: int = setting(
        511, "connections the kernel holds until they are accepted", minimum=1, maximum=65535
    )
    reuse_port: bool = setting(
        False, "let several processes share the port (SO_REUSEPORT); the kernel spreads the load"
    )
    transport: Literal["burst", "burst-pure", "twisted"] = setting(
        "burst",
        "how accepted connections are read and written; burst needs Linux's epoll, and is compiled"
        " where that was built; burst-pure is the same in Python alone",
    )
    keepalive: float = setting(
        0.0,
        "probe a silent TCP peer after this many seconds; 0 is off",
        minimum=0,
        maximum=32767,
        unit="seconds",
    )
    user_timeout: float = setting(
        30.0,
        "give up a TCP peer that acknowledges nothing of what was sent, or takes nothing, for this"
        " long (TCP_USER_TIMEOUT); 0 leaves it to the kernel, which tries for a quarter of an hour",
        minimum=0,
        maximum=86400,
        unit="seconds",
    )


@dataclass(eq=False)
class TransportSettings:
    """TCP and UDP, for a service that speaks both."""

    tcp: bool = setting(True, "serve TCP")
    udp: bool = setting(True, "serve UDP, on the same port numbers")
