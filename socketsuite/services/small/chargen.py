"""Character generator (RFC 864): characters without end; TCP and UDP.

The wire, server → client: on TCP, lines of 72 printable ASCII characters and CRLF, each
starting one further in the alphabet of 95 than the one before, until the caller closes;
what the caller says is discarded.  On UDP, one datagram of 0 to 512 characters for each
datagram received.

This module must not know what the characters are good for.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from twisted.internet.interfaces import IAddress, IHalfCloseableProtocol, IPullProducer
from twisted.internet.protocol import DatagramProtocol, Protocol, ServerFactory
from zope.interface import implementer

from socketsuite.services.datagrams import AnswerDatagram
from socketsuite.services.stream import IStreamTransport

ALPHABET = bytes(range(0x20, 0x7F))
LINE_LENGTH = 72
PATTERN = b"".join(
    (ALPHABET * 2)[start : start + LINE_LENGTH] + b"\r\n" for start in range(len(ALPHABET))
)
"""One full rotation; repeated, it is the whole service."""

LONGEST_DATAGRAM = 512
_BLOCK = PATTERN * 4  # 28 KB a time: every caller shares these very bytes


@implementer(IHalfCloseableProtocol, IPullProducer)
class Chargen(Protocol):
    """Writes the pattern at the pace of the one who reads it.

    It is a *pull* producer: asked for one block whenever the last one is sent.  One that
    pushes until told to stop would, to a fast enough reader, never let go of the reactor.
    """

    transport: IStreamTransport

    def connectionMade(self) -> None:
        """Start."""
        self.transport.registerProducer(self, False)

    def resumeProducing(self) -> None:
        """Write the next block."""
        self.transport.write(_BLOCK)

    def stopProducing(self) -> None:
        """The connection is gone; nothing to clear away."""

    def drain(self) -> None:
        """Finish the block that is on its way, and close."""
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def readConnectionLost(self) -> None:
        """The caller has closed, which is how this service ends."""
        self.drain()

    def writeConnectionLost(self) -> None:
        """Never happens by itself: we close both halves at once."""


@dataclass(eq=False)
class ChargenFactory(ServerFactory):
    """Makes character generators, for TCP and UDP.

    :param chance: chooses the length of each datagram.
    """

    chance: random.Random = field(default_factory=random.Random)

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """Return a generator for one caller."""
        return Chargen()

    def buildDatagramProtocol(self) -> DatagramProtocol:
        """Return the generator for a UDP port."""
        return AnswerDatagram(lambda _: PATTERN[: self.chance.randint(0, LONGEST_DATAGRAM)])
