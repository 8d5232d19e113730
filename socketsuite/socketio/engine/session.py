"""One session of Engine.IO: what both transports have in common.

It is told what arrives and gives it to its handler, sends by the transport that it has now,
keeps the state of an upgrade, and ends once.  It must not know of HTTP, nor of frames.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from twisted.logger import Logger

from socketsuite.addresses import host_key
from socketsuite.socketio.engine.packets import (
    Encoded,
    EnginePacket,
    PacketError,
    PacketType,
)
from socketsuite.socketio.reasons import DisconnectReason

_log = Logger(namespace="socketsuite.socketio")

# Ends that we wanted: the client is to have what was sent before.
_OURS = {DisconnectReason.FORCED_SERVER_CLOSE, DisconnectReason.SERVER_SHUTTING_DOWN}

PING = Encoded(("",), PacketType.PING)
CLOSE = Encoded(("",), PacketType.CLOSE)
NOOP = Encoded(("",), PacketType.NOOP)


@dataclass(frozen=True)
class Handshake:
    """The request that opened a session.

    :ivar address: the client's host; empty on a Unix socket.
    :ivar headers: their names in lower case.
    :ivar query: each parameter's last value.
    """

    address: str
    secure: bool
    headers: Mapping[str, str] = field(repr=False)
    query: Mapping[str, str] = field(repr=False)

    @property
    def host(self) -> bytes | None:
        """What it is counted and compared by: an IPv6 network of 64 bits is one host."""
        return host_key(self.address)


class Transport(Protocol):
    """How a session's packets reach its client."""

    name: str

    def send(self, encoded: Encoded) -> None:
        """Send, or keep for the next chance; end the session where too much is kept."""

    def close(self, farewell: Encoded, lingers: bool) -> bool:
        """Say *farewell*; return whether nothing is left that the client has to fetch.

        Without *lingers* what cannot be said now is dropped.
        """


class Handler(Protocol):
    """What is made of a session's messages."""

    def message_received(self, data: str | bytes) -> None:
        """Take a message.

        :raises PacketError: when it is wrong; the session ends by that.
        """

    def session_closed(self, reason: DisconnectReason) -> None:
        """Learn that the session has ended; called once."""


class Sessions(Protocol):
    """What a session needs of the server it belongs to."""

    def pong_received(self, session: Session) -> None:
        """Know that the client is there."""

    def forget(self, session: Session, lingers: bool) -> None:
        """Know that it is closed; one that lingers has something left for its client."""


class _Nowhere:
    name = ""

    def send(self, encoded: Encoded) -> None:
        pass

    def close(self, farewell: Encoded, lingers: bool) -> bool:
        return True


class Session:
    """One client's session.

    :ivar id: known to the client alone: who has it may speak as the client.
    :ivar handler: set by whoever made the session's handler.
    :ivar candidate: the WebSocket that an upgrade is tried on.
    :ivar upgrading: whether the client's probe was answered: every poll ends at once now.
    """

    __slots__ = (
        "__weakref__",
        "_sessions",
        "candidate",
        "closed",
        "handler",
        "handshake",
        "id",
        "transport",
        "upgrading",
    )

    def __init__(self, sessions: Sessions, session_id: str, handshake: Handshake) -> None:
        self._sessions = sessions
        self.id = session_id
        self.handshake = handshake
        self.transport: Transport = _Nowhere()
        self.handler: Handler | None = None
        self.candidate: Any = None
        self.upgrading = self.closed = False

    def send(self, encoded: Encoded) -> None:
        """Send messages, by whatever transport the session has."""
        self.transport.send(encoded)

    def packets_received(self, packets: Sequence[EnginePacket]) -> None:
        """Take what the client has sent, until the session ends."""
        for packet in packets:
            if self.closed:
                return
            try:
                self._take(packet)
            except PacketError as error:
                self.fail(DisconnectReason.PARSE_ERROR, str(error))
            except Exception:  # noqa: BLE001  # a bug of ours ends one session
                _log.failure("a message of a Socket.IO client")
                self.close(DisconnectReason.FORCED_SERVER_CLOSE)

    def _take(self, packet: EnginePacket) -> None:
        if packet.type is PacketType.MESSAGE:
            if self.handler is not None:
                self.handler.message_received(packet.data)
        elif packet.type is PacketType.PONG:
            self._sessions.pong_received(self)
        elif packet.type is PacketType.CLOSE:
            self.close(DisconnectReason.TRANSPORT_CLOSE, NOOP)
        elif packet.type is not PacketType.NOOP:
            raise PacketError(f"{packet.type.name} is no packet that may come now")

    def upgraded(self, transport: Transport) -> None:
        """Use *transport*, which is a WebSocket, from now on."""
        self.candidate = None
        self.upgrading = False
        self.transport = transport

    def upgrade_failed(self) -> None:
        """Stay with polling; the WebSocket that was to be used is closed."""
        candidate, self.candidate = self.candidate, None
        self.upgrading = False
        if candidate is not None:
            candidate.abandon()

    def fail(self, reason: DisconnectReason, detail: str) -> None:
        """End the session for what the client has done; *detail* is for the log."""
        if not self.closed:
            _log.debug(
                "{address} {reason}: {detail}",
                address=self.handshake.address,
                reason=reason.value,
                detail=detail,
            )
            self.close(reason)

    def close(self, reason: DisconnectReason, farewell: Encoded = CLOSE) -> None:
        """End the session; a second time it does nothing."""
        if self.closed:
            return
        self.closed = True
        self.upgrade_failed()
        done = self.transport.close(farewell, reason in _OURS)
        self._sessions.forget(self, lingers=not done)
        if done:
            self.transport = _Nowhere()
        if self.handler is not None:
            self.handler.session_closed(reason)
