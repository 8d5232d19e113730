"""Accumulator: one sum of the integers that all clients send, pushed to each of them.

The wire, both ways: signed little-endian integers of 32 (or 64) bits, one after another,
without any framing.  Client to server: the numbers to add.  Server to client: the sum of
everybody's numbers, every *interval* seconds after that client's own connect.

The sum itself has no limit; only the integer that carries it to a client has one.

This module must not know what is summed, or for whom.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, cast

from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.python.failure import Failure

from socketsuite.services.stream import IStreamTransport
from socketsuite.settings import setting
from socketsuite.wire.integers import IntegerFramer, IntegerOverflow, Width, encode


def _width(raw: Any) -> int:
    if str(raw).strip() not in ("32", "64"):
        raise ValueError("32 or 64")
    return int(raw)


@dataclass(eq=False)
class AccumulatorFactory(ServerFactory):
    """Holds the sum.

    :param reactor: the clock for the pushes.
    """

    reactor: IReactorTime
    interval: float = setting(
        3.0, "seconds between two pushes of the sum", minimum=0.01, unit="seconds"
    )
    width: int = setting(32, "bits per integer: 32 or 64", parse=_width, metavar="32|64")
    overflow: Literal["wrap", "saturate", "close"] = setting(
        "wrap",
        "when the sum does not fit: wrap it, send the nearest that fits, or close",
    )

    def __post_init__(self) -> None:
        self.total = 0
        self.bits = cast(Width, self.width)

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """Return an accumulator for one client."""
        return Accumulator(self)


class Accumulator(Protocol):
    """Adds what one client sends, and tells it the sum at its own rhythm."""

    transport: IStreamTransport
    factory: AccumulatorFactory

    def __init__(self, factory: AccumulatorFactory) -> None:
        self.factory = factory
        self._framer = IntegerFramer(factory.bits)
        self._ticks = 0
        self._next: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """Start this client's rhythm."""
        self._connected_at = self.factory.reactor.seconds()
        self._schedule()

    def dataReceived(self, data: bytes) -> None:
        """Add the integers that are complete."""
        self.factory.total += sum(self._framer.feed(data))

    def drain(self) -> None:
        """Stop the pushes, flush, close."""
        self._stop()
        self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Stop the pushes."""
        self._stop()

    def _schedule(self) -> None:
        # Tick k is due k intervals after the connect, so lateness does not add up; ticks
        # that are past already are skipped.  "+ 1" twice: rounding must not let a timer
        # that fires a hair early fire again for the same tick.
        reactor, interval = self.factory.reactor, self.factory.interval
        age = reactor.seconds() - self._connected_at
        self._ticks = max(self._ticks + 1, int(age / interval) + 1)
        self._next = reactor.callLater(max(0.0, self._ticks * interval - age), self._push)

    def _push(self) -> None:
        self._next = None
        factory = self.factory
        try:
            self.transport.write(encode(factory.total, factory.bits, factory.overflow))
        except IntegerOverflow:
            self.transport.loseConnection()
        else:
            self._schedule()

    def _stop(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None
