"""How a connection ends whose peer is still sending: our words reach it nevertheless.

A socket that is closed with bytes unread sends a reset, and the reset overtakes what was written
last.  So our half is closed first, and what still comes is read and dropped by the protocol.
Who observes the connections may be told why.  This module must not know what is spoken.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IHalfCloseableDescriptor

from socketsuite.reasons import Reason


def say_why(transport: Any, reason: Reason) -> None:
    """Give the reason to a transport that keeps one, if it has none yet."""
    while hasattr(transport, "wrappedProtocol"):
        transport = transport.transport
    if getattr(transport, "why", reason) is None:
        transport.why = reason


def end_politely(transport: Any) -> None:
    """Send what is written, and then the end; the caller has a deadline for the peer's."""
    wrapped = hasattr(transport, "wrappedProtocol")  # Twisted's TLS, which has no half-close
    if wrapped or not IHalfCloseableDescriptor.providedBy(transport):
        transport.loseConnection()  # that TLS reads on until the peer's close alert
    else:
        transport.loseWriteConnection()  # type: ignore[attr-defined]
