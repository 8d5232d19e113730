"""Who a request is from: its socket's peer, or whom a trusted proxy names.

This module must not know who is trusted, nor why.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address

from socketsuite.addresses import host_text
from socketsuite.wire.forwarded import believed_host


def believed_address(request: Any, is_trusted: Callable[[str | None], bool]) -> Any:
    """Return the address that *request* is from; with port 0, where a proxy named it.

    :param is_trusted: given a host, or ``None`` for a Unix socket's peer.
    :raises ForwardedError: when a trusted proxy's words make no sense.
    """
    peer = request.client
    host = getattr(peer, "host", None)
    known = None if host is None else host_text(host)
    headers = request.requestHeaders
    believed = believed_host(
        known,
        headers.getRawHeaders(b"forwarded", []),
        headers.getRawHeaders(b"x-forwarded-for", []),
        is_trusted,
    )
    if believed is None or believed == known:
        return peer
    return (IPv6Address if ":" in believed else IPv4Address)("TCP", believed, 0)
