"""Addresses as an operator reads them: ``127.0.0.1:7``, ``[::1]:7``, ``unix:/run/x``.

Pure: addresses in, text or what they are counted by out.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress

_MAPPED = "::ffff:"
_PACKED_MAPPED = b"\0" * 10 + b"\xff\xff"


def host_text(host: str) -> str:
    """Return *host* without the IPv6 wrapping that a dual-stack socket puts around IPv4."""
    if host.startswith(_MAPPED) and "." in host:
        return host[len(_MAPPED) :]
    return host


def endpoint_text(host: str, port: int) -> str:
    """Return ``host:port``, with brackets around an IPv6 host."""
    host = host_text(host)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def address_text(address: Any) -> str:
    """Return one word for a Twisted address; never one with control characters in it."""
    if isinstance(address, (IPv4Address, IPv6Address)):
        return endpoint_text(address.host, address.port)
    if isinstance(address, UNIXAddress):
        name = address.name
        return f"unix:{path_text(name)}" if name else "unix"
    return path_text(str(address))


def path_text(path: str | bytes | os.PathLike[str]) -> str:
    """Return a path as one printable word, whatever bytes it is made of."""
    text = os.fsdecode(path)
    return "".join(c if c.isprintable() and c != " " else ascii(c)[1:-1] for c in text)


def packed_host(host: Any) -> bytes | None:
    """Return an address as its 4 or 16 bytes; ``None`` for what is none, such as a path.

    The scope of a link-local address is no part of it.
    """
    if not isinstance(host, str):
        return None
    try:
        if ":" not in host:
            return socket.inet_pton(socket.AF_INET, host)
        packed = socket.inet_pton(socket.AF_INET6, host.partition("%")[0])
    except (OSError, ValueError):
        return None
    return packed[12:] if packed.startswith(_PACKED_MAPPED) else packed


def host_key(host: Any) -> bytes | None:
    """Return what one host is counted by: its IPv4 address, or its IPv6 network of 64 bits.

    A caller is usually given so many IPv6 addresses, and can use a new one each time.
    """
    packed = packed_host(host)
    return packed if packed is None or len(packed) == 4 else packed[:8]
