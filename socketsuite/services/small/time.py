"""Time (RFC 868): the time for machines; TCP and UDP.

The wire, server → client: an unsigned 32-bit big-endian integer, the seconds since
1 January 1900, 00:00 UTC; then, on TCP, the close.  It wraps in 2036: a reader takes it
modulo 2^32.

This module must not know time zones.
"""

from __future__ import annotations

import math
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass

from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import DatagramProtocol, Protocol, ServerFactory

from socketsuite.services.datagrams import AnswerDatagram
from socketsuite.services.small.answer import AnswerOnce

EPOCH = 2_208_988_800
"""Seconds from 1900 to 1970."""


def seconds_since_1900(unix: float) -> bytes:
    """Return the wire form of *unix*, which is seconds since the Unix epoch."""
    return struct.pack(">I", (math.floor(unix) + EPOCH) % (1 << 32))


@dataclass(eq=False)
class TimeFactory(ServerFactory):
    """Tells the seconds since 1900, over TCP and UDP.

    :param reactor: the clock for closing politely.
    :param now: returns seconds since the Unix epoch.
    """

    reactor: IReactorTime
    now: Callable[[], float] = time.time

    def integer(self) -> bytes:
        """Return the answer, as of now."""
        return seconds_since_1900(self.now())

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """Return the answer for one caller."""
        return AnswerOnce(self.reactor, self.integer)

    def buildDatagramProtocol(self) -> DatagramProtocol:
        """Return the answers for a UDP port."""
        return AnswerDatagram(lambda _: self.integer())
