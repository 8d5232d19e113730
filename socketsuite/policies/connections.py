"""The connections of one service: admitted or refused, counted, listed, told of as events.

The registry observes every transport.  Must not know how bytes move, nor what a protocol says.
"""

from __future__ import annotations

import errno
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.python.failure import Failure

from socketsuite.addresses import address_text
from socketsuite.observe.events import Closed, Connected, Events, Received, Refused
from socketsuite.policies.admission import AdmissionPolicy
from socketsuite.policies.settings import LimitSettings
from socketsuite.policies.slow_consumers import SlowConsumers
from socketsuite.reasons import (
    ABORTED_BY_SERVICE,
    CLOSED_BY_PEER,
    CLOSED_BY_SERVICE,
    ERROR_IN_PROTOCOL,
    LOST,
    NO_DESCRIPTORS,
    NO_MEMORY,
    Reason,
)
from socketsuite.service import MAIN
from socketsuite.transport.options import Connection, PortOptions

_ids = itertools.count(1)


@dataclass(eq=False, slots=True)
class ConnectionRecord:
    """One accepted connection: who it is, and since when (in the clock's seconds).

    *id* is its own in this process.  *host* is the peer's address, ``None`` on a Unix
    socket.  One that comes by a proxy is not *admitted* before its real peer is known.
    """

    id: int
    transport: Connection
    opened_at: float
    peer: str
    local: str
    host: str | None
    admitted: bool


class Connections:
    """Every open connection of one service.

    :param seconds: a monotonic clock.
    :param policy: decides who is let in.
    :ivar admitted: how many of the open ones were let in; the others' headers are awaited.
    :ivar slow: looks after those whose peers are behind, if anybody does.
    :ivar is_unfinished: whether a protocol has yet to do what its peer asked, as it says itself.
    :ivar is_busy: whether a protocol is at work on an answer; ``None`` if that cannot be known.
    """

    def __init__(
        self, service: str, events: Events, seconds: Callable[[], float], policy: AdmissionPolicy
    ) -> None:
        self.service = service
        self.events = events
        self.seconds = seconds
        self.policy = policy
        self.slow: SlowConsumers | None = None
        self.limits = LimitSettings()
        self.is_busy: Callable[[Any], bool | None] = lambda _: None
        self.is_unfinished: Callable[[Any], bool] = lambda _: False
        self.open: dict[Connection, ConnectionRecord] = {}
        self.admitted = 0
        self._when_empty: list[Callable[[], None]] = []

    def __len__(self) -> int:
        return len(self.open)

    @property
    def hosts(self) -> list[str | None]:
        """The hosts of those that were let in, one for each connection."""
        return [one.host for one in self.open.values() if one.admitted]

    # ── who comes in ────────────────────────────────────────────────────────────────

    def refusal(self, address: Any) -> Reason | None:
        """Return why a caller is not let in, or ``None`` to let it in."""
        # One whose header is awaited is in the list already, and takes no place of its own.
        return self.policy.refusal(getattr(address, "host", None), self.admitted)

    def refused(self, address: Any, kind: str, reason: Reason, frontend: str = MAIN) -> None:
        """Tell that a caller was not let in."""
        peer = address_text(address)
        self.events.emit(Refused(self.service, kind, peer, reason.label, reason.detail, frontend))

    def opened(self, transport: Connection) -> None:
        """Take a new connection in; by a proxy, until it says for whom."""
        peer = transport.getPeer()
        connection = ConnectionRecord(
            next(_ids),
            transport,
            self.seconds(),
            address_text(peer),
            address_text(transport.getHost()),
            getattr(peer, "host", None),
            admitted=False,
        )
        self.open[transport] = connection
        if transport.options.proxy is None:
            self._admit(connection)

    def refusal_behind_proxy(self, transport: Connection) -> Reason | None:
        """Decide about a connection whose real peer a proxy has named; see :meth:`refusal`."""
        connection, peer = self.open[transport], transport.getPeer()
        connection.peer = address_text(peer)
        connection.local = address_text(transport.getHost())
        # A proxy of HTTP has connections for many, and says for whom one is once it is known.
        header = getattr(transport, "header", None)
        itself = header is not None and header.version == 0
        connection.host = None if itself else getattr(peer, "host", None)
        return self.policy.refusal(connection.host, self.admitted)

    def forwarded(self, transport: Any, host: str) -> Reason | None:
        """Have a connection that was let in as a proxy's be *host*'s, whom HTTP has named.

        Of none (``None``) it is only said whether the lists let that host in.

        :return: why that host is not let in, or ``None``; a refusal is told.
        """
        connection = self.open.get(transport)
        if connection is None:
            return self.policy.lists.refusal(host)
        refusal = self.policy.refusal(host, self.admitted - 1)
        if refusal is None:
            self.policy.hosts.closed(connection.host)
            self.policy.hosts.opened(host)
            connection.host = connection.peer = host
        else:
            options, why = connection.transport.options, (refusal.label, refusal.detail)
            self.events.emit(Refused(self.service, options.kind, host, *why, options.frontend))
        return refusal

    def admit(self, transport: Connection) -> None:
        """Let a connection in that came by a proxy."""
        self._admit(self.open[transport])

    def _admit(self, connection: ConnectionRecord) -> None:
        connection.admitted = True
        self.admitted += 1
        self.policy.hosts.opened(connection.host)
        options = connection.transport.options
        self.events.emit(
            Connected(
                self.service, options.kind, connection.peer, connection.local, options.frontend
            )
        )

    # ── what becomes of them ────────────────────────────────────────────────────────

    def received(self, transport: Connection, data: bytes) -> None:
        """Tell of bytes that came in, for ``--log-data``."""
        peer, options = self.open[transport].peer, transport.options
        self.events.emit(Received(self.service, options.kind, peer, data, options.frontend))

    def backpressured(self, transport: Connection) -> None:
        """Have *transport* looked after, whose peer does not take all that is sent."""
        if self.slow is not None:
            self.slow.grown(transport)

    def busy(self, transport: Connection) -> bool | None:
        """Whether the service is at work on an answer for *transport*."""
        return self.is_busy(transport.protocol)

    def unfinished(self, transport: Connection) -> bool:
        """Whether the service says that it has yet to do what the peer of *transport* asked."""
        return self.is_unfinished(transport.protocol)

    def end(self, transport: Connection, reason: Reason) -> None:
        """Close *transport*; at once, where its peer would take a FIN for a good end."""
        if self.unfinished(transport):
            transport.abort(reason)
        else:
            transport.close(reason)

    def half_close_seconds(self) -> float:
        """Return how long a service has for an answer whose caller has closed its half."""
        return self.limits.half_close_timeout

    def exhausted(self, options: PortOptions, error: OSError) -> None:
        """Tell that callers wait because this process can have no more descriptors."""
        reason = NO_MEMORY if error.errno == errno.ENOMEM else NO_DESCRIPTORS
        kind, frontend = options.kind, options.frontend
        self.events.emit(Refused(self.service, kind, "-", reason.label, frontend=frontend))

    def closed(self, transport: Connection, reason: Failure) -> None:
        """Let a connection go, and tell how it was; of one never let in, that it was refused."""
        connection = self.open.pop(transport)
        if self.slow is not None:
            self.slow.behind.pop(transport, None)
        why, options = closing_reason(transport, reason), transport.options
        if connection.admitted:
            self.admitted -= 1
            self.policy.hosts.closed(connection.host)
            self.events.emit(
                Closed(
                    self.service,
                    options.kind,
                    connection.peer,
                    transport.bytes_in,
                    transport.bytes_out,
                    self.seconds() - connection.opened_at,
                    why.label,
                    why.detail,
                    options.frontend,
                )
            )
        else:
            self.events.emit(
                Refused(
                    self.service,
                    options.kind,
                    connection.peer,
                    why.label,
                    why.detail,
                    options.frontend,
                )
            )
        if not self.open:
            waiting, self._when_empty = self._when_empty, []
            for callback in waiting:
                callback()

    def when_empty(self, callback: Callable[[], None]) -> None:
        """Call *callback* once, as soon as no connection is open; at once if none is."""
        if self.open:
            self._when_empty.append(callback)
        else:
            callback()

    def enforce(self, policy: AdmissionPolicy) -> None:
        """Let *policy* decide from now on, and drop those whom its lists keep out."""
        self.policy = policy
        for connection in list(self.open.values()):
            reason = policy.lists.refusal(connection.host) if connection.admitted else None
            if reason is not None:
                connection.transport.abort(reason)


def closing_reason(transport: Connection, reason: Failure) -> Reason:
    """Return why a connection ended: as somebody said, or else as it looks."""
    if transport.why is not None:
        return transport.why
    if isinstance(reason.value, ConnectionDone):  # almost always so
        return CLOSED_BY_PEER if transport.peer_finished else CLOSED_BY_SERVICE
    if reason.check(ConnectionAborted):
        return ABORTED_BY_SERVICE
    if reason.check(ConnectionLost):
        # A Unix socket tells of a peer that has closed as of one that is lost, when nobody reads:
        # at the peer's own end, or while ours is under way.
        if transport.queued or not (transport.peer_finished or transport.disconnecting):
            return LOST
        return CLOSED_BY_PEER if transport.peer_finished else CLOSED_BY_SERVICE
    return ERROR_IN_PROTOCOL.because(reason.type.__name__) if reason.type else ERROR_IN_PROTOCOL
