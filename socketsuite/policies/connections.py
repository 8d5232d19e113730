"""The connections of one service: counted, listed, and told of as events.

The registry is a transport's watcher, and the gate in front of the service's factory. It
must not know how bytes move, nor what a protocol says.
"""

from __future__ import annotations

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
from socketsuite.policies.settings import LimitSettings
from socketsuite.transport.watched import Watched


@dataclass(eq=False, slots=True)
class Connection:
    """One accepted connection: when it opened (in the clock's seconds), and who it is."""

    transport: Watched
    opened_at: float
    peer: str
    local: str


class Connections:
    """Every open connection of one service.

    :param seconds: a monotonic clock.
    """

    def __init__(self, service: str, events: Events, seconds: Callable[[], float]) -> None:
        self.service = service
        self.events = events
        self.seconds = seconds
        self.open: dict[Watched, Connection] = {}
        self._when_empty: list[Callable[[], None]] = []

    def __len__(self) -> int:
        return len(self.open)

    def opened(self, transport: Watched) -> None:
        """Take a new connection in."""
        peer, local = address_text(transport.getPeer()), address_text(transport.getHost())
        self.open[transport] = Connection(transport, self.seconds(), peer, local)
        self.events.emit(Connected(self.service, transport.watch.kind, peer, local))

    def received(self, transport: Watched, data: bytes) -> None:
        """Tell of bytes that came in, for ``--log-data``."""
        peer = self.open[transport].peer
        self.events.emit(Received(self.service, transport.watch.kind, peer, data))

    def closed(self, transport: Watched, reason: Failure) -> None:
        """Let a connection go, and tell how it was."""
        connection = self.open.pop(transport)
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
    """

    noisy = False
    _log = Logger()

    def __init__(
        self, factory: IProtocolFactory, connections: Connections, limits: LimitSettings
    ) -> None:
        self._factory = factory
        self._connections = connections
        self._limits = limits

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Return the service's protocol, or ``None`` to close the connection at once."""
        if 0 < self._limits.max_connections <= len(self._connections):
            self._refuse(addr, "max-connections")
            return None
        try:
            return self._factory.buildProtocol(addr)  # type: ignore[arg-type]
        except Exception:  # noqa: BLE001 - a stranger's code: it costs this connection alone
            self._log.failure("{service}: buildProtocol raised", service=self._connections.service)
            return None

    def _refuse(self, addr: Any, reason: str) -> None:
        self._connections.events.emit(
            Refused(self._connections.service, "stream", address_text(addr), reason)
        )
