"""Closes connections that have been silent for too long, at no cost per message.

A sweep over the byte counters finds them: no timer is re-armed when bytes move.
"""

from __future__ import annotations

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from socketsuite.policies.connections import Connections
from socketsuite.transport.watched import Watched

_SWEEPS_PER_TIMEOUT = 8
IDLE = "idle timeout"


class IdleSweep:
    """Looks every eighth of *timeout* seconds (and at least each second) at every connection.

    A connection whose counters have not moved for *timeout* seconds is closed, at the
    first sweep after that.
    """

    def __init__(self, reactor: IReactorTime, connections: Connections, timeout: float) -> None:
        self._reactor = reactor
        self._connections = connections
        self._timeout = timeout
        self._seen: dict[Watched, tuple[int, float]] = {}
        self._call: IDelayedCall | None = None

    def start(self) -> None:
        """Begin to sweep."""
        self._call = self._reactor.callLater(
            min(1.0, self._timeout / _SWEEPS_PER_TIMEOUT), self._sweep
        )

    def stop(self) -> None:
        """Sweep no more."""
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _sweep(self) -> None:
        now = self._reactor.seconds()
        seen = {}
        for connection in list(self._connections.open.values()):
            transport = connection.transport
            moved = transport.bytes_in + transport.bytes_out
            before, since = self._seen.get(transport, (0, connection.opened_at))
            if moved != before:
                since = now
            if now - since >= self._timeout:
                _close(transport)
            seen[transport] = (moved, since)
        self._seen = seen
        self.start()


def _close(transport: Watched) -> None:
    transport.why = transport.why or IDLE
    if transport.queued:
        # The peer does not read: a polite close would wait for it for ever.
        transport.abortConnection()
    else:
        transport.loseConnection()
