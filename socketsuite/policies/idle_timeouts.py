"""Time limits that concern every connection, found by looking at the byte counters.

No timer is re-armed when bytes move, so the limits cost nothing per message; with all of
them off nothing runs.  Must not know what the bytes are.
"""

from __future__ import annotations

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from socketsuite.policies.connections import ConnectionRecord, Connections
from socketsuite.policies.settings import LimitSettings
from socketsuite.policies.slow_consumers import LATE
from socketsuite.reasons import FIRST_BYTE_TIMEOUT, IDLE_TIMEOUT
from socketsuite.transport.options import Connection

_SWEEPS_PER_LIMIT = 8
_SHORTEST, _LONGEST = 0.02, 1.0


class IdleTimeouts:
    """Looks at every connection eight times within the shortest limit, once a second at least.

    One whose counters have not moved for ``idle_timeout`` seconds is closed, unless it is the
    service that keeps its peer waiting, and says so; and one that
    has said nothing ``first_byte_timeout`` seconds after it was made, at the first look
    after that.  A look that comes late (the process was stopped, a callback blocked) closes
    nobody: what peers have said meanwhile has not been read yet.
    """

    def __init__(
        self, reactor: IReactorTime, connections: Connections, limits: LimitSettings
    ) -> None:
        self._reactor = reactor
        self._connections = connections
        self._limits = limits
        self._seen: dict[Connection, tuple[int, float]] = {}
        self._call: IDelayedCall | None = None
        self._due = 0.0

    def start(self) -> None:
        """Begin to look, if there is a limit."""
        on = [s for s in (self._limits.idle_timeout, self._limits.first_byte_timeout) if s > 0]
        if on:
            interval = min(_LONGEST, max(_SHORTEST, min(on) / _SWEEPS_PER_LIMIT))
            self._due = self._reactor.seconds() + interval
            self._call = self._reactor.callLater(interval, self._sweep)

    def stop(self) -> None:
        """Look no more."""
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def restart(self) -> None:
        """Begin anew, with limits that may have changed."""
        self.stop()
        self.start()

    def _sweep(self) -> None:
        self._call = None
        now = self._reactor.seconds()
        late = now > self._due + LATE
        seen = {}
        for connection in list(self._connections.open.values()):
            transport = connection.transport
            moved = transport.bytes_in + transport.bytes_out
            before, since = self._seen.get(transport, (0, connection.opened_at))
            if moved != before or self._waits_for_service(transport, now - since):
                since = now
            seen[transport] = (moved, since)
            if not late:
                self._judge(connection, now, now - since)
        self._seen = seen
        self.start()

    def _waits_for_service(self, transport: Connection, still: float) -> bool:
        """Whether it is time to close *transport*, and it is still by no fault of its peer."""
        limit = self._limits.idle_timeout
        return 0 < limit <= still and self._connections.unfinished(transport)

    def _judge(self, connection: ConnectionRecord, now: float, still: float) -> None:
        limits, transport = self._limits, connection.transport
        age = now - connection.opened_at
        if 0 < limits.first_byte_timeout <= age and not transport.bytes_in:
            transport.close(FIRST_BYTE_TIMEOUT)
        elif 0 < limits.idle_timeout <= still:
            transport.close(IDLE_TIMEOUT)
