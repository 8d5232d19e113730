"""A client's conversation with an accumulator: integers out, sums in.

The wire, both ways: signed little-endian integers of 32 or 64 bits, without framing.  This
module must not know of the command line, nor how a sum is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from socketsuite.cli.output import Output
from socketsuite.cli.waiting import first_of
from socketsuite.transport.dial.dialing import NoServer, StreamClient, check_end, dial
from socketsuite.transport.dial.target import Target
from socketsuite.wire.integers import IntegerFramer, Width, encode

_FIRST_AFTER = 1.5


@dataclass(frozen=True)
class Plan:
    """What to send, and when to end.

    :ivar integers: that fit *width*.
    :ivar every: seconds between two of them, or 0 for all at once.  The first goes after
        one and a half of it, so that none coincides with a server's own timer, which
        began at the same moment.
    :ivar sums: end after so many; ``None`` to end right after the last integer.
    """

    width: Width
    integers: Sequence[int]
    every: float
    sums: int | None


class _Summing(StreamClient):
    def __init__(self, reactor: Any, plan: Plan, show: Callable[[int, float], None]) -> None:
        super().__init__()
        self.enough: Deferred[None] = Deferred()
        self.seen = 0
        self._reactor = reactor
        self._plan = plan
        self._show = show
        self._framer = IntegerFramer(plan.width)
        self._sent = 0
        self._began = 0.0
        self._timer: IDelayedCall | None = None

    def start(self) -> None:
        self._began = self._reactor.seconds()
        if self._plan.every:
            self._wait()
        else:
            self.transport.write(b"".join(map(self._encoded, self._plan.integers)))
            self._sent = len(self._plan.integers)

    def _encoded(self, number: int) -> bytes:
        return encode(number, self._plan.width, "close")

    def _wait(self) -> None:
        # From the start, not from the last one: delays must not add up.
        due = self._began + (_FIRST_AFTER + self._sent) * self._plan.every
        self._timer = self._reactor.callLater(max(0.0, due - self._reactor.seconds()), self._send)

    def _send(self) -> None:
        self._timer = None
        self.transport.write(self._encoded(self._plan.integers[self._sent]))
        self._sent += 1
        if self._sent < len(self._plan.integers):
            self._wait()
        elif self._plan.sums is None:
            self._end()

    def dataReceived(self, data: bytes) -> None:
        for value in self._framer.feed(data):
            if self.enough.called:
                return
            self.seen += 1
            self._show(value, self._reactor.seconds() - self._began)
            if self.seen == self._plan.sums:
                self._end()

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.enough.callback(None)
        self.transport.loseConnection()


async def accumulate_with(
    reactor: Any,
    target: Target,
    plan: Plan,
    report: Output,
    show: Callable[[int, float], None],
) -> int:
    """Carry out *plan*; return how many sums came.

    :param report: is told who the peer is.
    :param show: called with each sum and the seconds since the connect.
    :raises NoServer: when there is none, or it went away before the plan was through.
    """
    client = _Summing(reactor, plan, show)
    report.peer = await dial(reactor, target, client)
    client.start()
    reason, index = await first_of(client.enough, client.gone)
    if index == 1:
        check_end(target, client, reason)
        if plan.sums is None:
            raise NoServer(target, "it closed before the last integer", "closed")
    else:
        await client.gone
    return client.seen
