"""Daytime (RFC 867): the date and the time of day, for people; TCP and UDP.

The wire, server → client: one line, ``21 NOV 2026 06:54:24 UTC`` and CRLF; then, on TCP,
the close.

This module must not know the locale: months have their English names everywhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import DatagramProtocol, Protocol, ServerFactory

from socketsuite.services.datagrams import AnswerDatagram
from socketsuite.services.small.answer import AnswerOnce
from socketsuite.settings import setting

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


def daytime(moment: time.struct_time, zone: str) -> bytes:
    """Return the line for *moment*, which is in *zone*, with its CRLF; ASCII."""
    date = f"{moment.tm_mday:02} {_MONTHS[moment.tm_mon - 1]} {moment.tm_year:04}"
    clock = f"{moment.tm_hour:02}:{moment.tm_min:02}:{moment.tm_sec:02}"
    return f"{date} {clock} {zone}\r\n".encode("ascii", "replace")


@dataclass(eq=False)
class DaytimeFactory(ServerFactory):
    """Tells the time of day, over TCP and UDP.

    :param reactor: the clock for closing politely.
    :param now: returns seconds since the Unix epoch.
    """

    reactor: IReactorTime
    now: Callable[[], float] = time.time
    utc: bool = setting(False, "tell universal time instead of local time")

    def line(self) -> bytes:
        """Return the answer, as of now."""
        if self.utc:
            return daytime(time.gmtime(self.now()), "UTC")
        moment = time.localtime(self.now())
        return daytime(moment, moment.tm_zone)

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """Return the answer for one caller."""
        return AnswerOnce(self.reactor, self.line)

    def buildDatagramProtocol(self) -> DatagramProtocol:
        """Return the answers for a UDP port."""
        return AnswerDatagram(lambda _: self.line())
