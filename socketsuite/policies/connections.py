"""The connections of one service: admitted or refused, counted, listed, told of as events.

The registry is a transport's watcher, and the gate stands in front of the service's
factory.  Must not know how bytes move, nor what a protocol says.
"""

from __future__ import annotations

import errno
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IAddress, IProtocolFactory
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure

from socketsuite.observe.addresses import address_text
from socketsuite.observe.events import Closed, Connected, Events, Received, Refused
from socketsuite.policies.admission import Doorkeeper
from socketsuite.policies.slow import SlowReaders
from socketsuite.transport.watched import Watched

_ids = itertools.count(1)


@dataclass(eq=False, slots=True)
class Connection:
    """One accepted connection: who it is, and since when (in the clock's seconds).

    *id* is its own in this process.  *host* is the peer's address, ``None`` on a Unix
    socket.  One that comes by a proxy is not *admitted* before its real peer is known.
    """

    id: int
    transport: Watched
    opened_at: float
    peer: str
    local: str
    host: str | None
    admitted: bool


class Connections:
    """Every open connection of one service.

    :param seconds: a monotonic clock.
    :ivar admitted: how many of the open ones were let in; the others' headers are awaited.
    :ivar slow: looks after those whose peers are behind, if anybody does.
    """

    def __init__(
        self, service: str, events: Events, seconds: Callable[[], float], door: Doorkeeper
    ) -> None:
        self.service = service
        self.events = events
        self.seconds = seconds
        self.door = door
        self.slow: SlowReaders | None = None
        self.open: dict[Watched, Connection] = {}
        self.admitted = 0
        self._when_empty: list[Callable[[], None]] = []

    def __len__(self) -> int:
        return len(self.open)

    # ── who comes in ────────────────────────────────────────────────────────────────

    def refuses(self, address: Any, kind: str) -> str | None:
        """Return why a caller is not let in, and tell of it; ``None`` to let it in."""
        # One whose header is awaited is in the list already, and takes no place of its own.
        reason = self.door.refusal(getattr(address, "host", None), self.admitted)
        if reason is not None:
            self.events.emit(Refused(self.service, kind, address_text(address), reason))
        return reason

    def opened(self, transport: Watched) -> None:
        """Take a new connection in; by a proxy, until it says for whom."""
        peer = transport.getPeer()
        connection = Connection(
            next(_ids),
            transport,
            self.seconds(),
            address_text(peer),
            address_text(transport.getHost()),
            getattr(peer, "host", None),
            admitted=False,
        )
        self.open[transport] = connection
        if not transport.watch.by_proxy:
            self._admit(connection)

    def admit(self, transport: Watched) -> str | None:
        """Decide about a connection whose real peer a proxy has named; see :meth:`refuses`."""
        peer = transport.getPeer()
        reason = self.refuses(peer, transport.watch.kind)
        if reason is None:
            connection = self.open[transport]
            connection.peer = address_text(peer)
            connection.local = address_text(transport.getHost())
            connection.host = getattr(peer, "host", None)
            self._admit(connection)
        return reason

    def _admit(self, connection: Connection) -> None:
        connection.admitted = True
        self.admitted += 1
        self.door.hosts.opened(connection.host)
        kind = connection.transport.watch.kind
        self.events.emit(Connected(self.service, kind, connection.peer, connection.local))

    # ── what becomes of them ────────────────────────────────────────────────────────

    def received(self, transport: Watched, data: bytes) -> None:
        """Tell of bytes that came in, for ``--log-data``."""
        peer = self.open[transport].peer
        self.events.emit(Received(self.service, transport.watch.kind, peer, data))

    def behind(self, transport: Watched) -> None:
        """Have *transport* looked after, whose peer does not take all that is sent."""
        if self.slow is not None:
            self.slow.grown(transport)

    def exhausted(self, kind: str, error: OSError) -> None:
        """Tell that callers wait because this process can have no more descriptors."""
        reason = "no-memory" if error.errno == errno.ENOMEM else "no-descriptors"
        self.events.emit(Refused(self.service, kind, "-", reason))

    def closed(self, transport: Watched, reason: Failure) -> None:
        """Let a connection go, and tell how it was."""
        connection = self.open.pop(transport)
        if self.slow is not None:
            self.slow.behind.pop(transport, None)
        if connection.admitted:
            self.admitted -= 1
            self.door.hosts.closed(connection.host)
        self.events.emit(
            Closed(
                self.service,
                transport.watch.kind,
                connection.peer,
                transport.bytes_in,
                transport.bytes_out,
                self.seconds() - connection.opened_at,
                closing_words(transport, reason),
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

    def enforce(self, door: Doorkeeper) -> None:
        """Let *door* decide from now on, and drop those whom its lists keep out."""
        self.door = door
        for connection in list(self.open.values()):
            reason = door.lists.refusal(connection.host) if connection.admitted else None
            if reason is not None:
                connection.transport.why = "denied"
                connection.transport.abortConnection()


def closing_words(transport: Watched, reason: Failure) -> str:
    """Return why a connection ended, in words an operator searches for."""
    if transport.why is not None:
        return transport.why
    if reason.check(ConnectionDone):
        return "closed by peer" if transport.peer_finished else "closed by service"
    if reason.check(ConnectionAborted):
        return "aborted by service"
    if reason.check(ConnectionLost):
        return "lost"
    return f"error in protocol: {reason.type.__name__}" if reason.type else "error in protocol"


class Gate(Factory):
    """The factory in front of a service's own: it admits or refuses, then steps aside.

    Once a connection is admitted its protocol is the service's own, so the gate costs
    nothing per message.

    :param kind: what the connections are called in events.
    :param by_proxy: whether the registry decides later, when the real peer is known.
    """

    noisy = False
    _log = Logger()

    def __init__(
        self, factory: IProtocolFactory, connections: Connections, kind: str, *, by_proxy: bool
    ) -> None:
        self._factory = factory
        self._connections = connections
        self._kind = kind
        self._by_proxy = by_proxy

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Return the service's protocol, or ``None`` to close the connection at once."""
        if not self._by_proxy and self._connections.refuses(addr, self._kind) is not None:
            return None
        try:
            return self._factory.buildProtocol(addr)  # type: ignore[arg-type]
        except Exception:  # noqa: BLE001 - a stranger's code: it costs this connection alone
            self._log.failure("{service}: buildProtocol raised", service=self._connections.service)
            return None
