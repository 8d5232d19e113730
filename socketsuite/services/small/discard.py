"""Discard (RFC 863): reads everything, answers nothing; TCP and UDP.

This module must not know anything at all about what it reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import DatagramProtocol, Protocol, ServerFactory


class Discard(Protocol):
    """Forgets what it receives, until the caller closes."""

    def dataReceived(self, data: bytes) -> None:
        """Forget *data*."""


class DiscardDatagram(DatagramProtocol):
    """Forgets every datagram."""

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """Forget one datagram."""


@dataclass(eq=False)
class DiscardFactory(ServerFactory):
    """Makes discards, for TCP and UDP."""

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """Return a discard for one caller."""
        return Discard()

    def buildDatagramProtocol(self) -> DatagramProtocol:
        """Return the discard for a UDP port."""
        return DiscardDatagram()
