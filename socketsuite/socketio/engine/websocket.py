"""The transport of Engine.IO that is a WebSocket, from the start or after an upgrade.

It must not know how the connection is opened, nor what a message means.
"""

from __future__ import annotations

from collections.abc import Callable

from socketsuite.socketio.engine.packets import (
    Encoded,
    EnginePacket,
    PacketError,
    PacketType,
    decode_packet,
)
from socketsuite.socketio.engine.polling import PollingTransport
from socketsuite.socketio.engine.session import Session
from socketsuite.socketio.reasons import DisconnectReason
from socketsuite.web.websocket import WebSocketConnection
from socketsuite.wire.websocket import CloseCode

_PROBED = Encoded(("probe",), PacketType.PONG)
# A connection that was lost is closed, too: so the JavaScript server has it.
_ORDINARY = {
    CloseCode.NORMAL,
    CloseCode.GOING_AWAY,
    CloseCode.NO_STATUS,
    CloseCode.ABNORMAL,
}


class WebSocketTransport:
    """A WebSocket that carries a session, or is to carry it.

    :param most_behind: bytes that may be written while the client reads nothing.
    :param opened: called when it is open; returns its session, or ``None`` to close it.
    """

    name = "websocket"

    __slots__ = ("_behind", "_connection", "_most_behind", "_opened", "_session")

    def __init__(
        self, most_behind: int, opened: Callable[[WebSocketTransport], Session | None]
    ) -> None:
        self._most_behind, self._opened = most_behind, opened
        self._behind = 0
        self._connection: WebSocketConnection | None = None
        self._session: Session | None = None

    # ── from the session ────────────────────────────────────────────────────────────

    def send(self, encoded: Encoded) -> None:
        """Send packets; end the session of a client that has left too much unread."""
        connection = self._connection
        if connection is None:
            return
        frames = encoded.frames
        if connection.congested:
            self._behind += len(frames)
            if self._behind > self._most_behind and self._session is not None:
                self._session.fail(DisconnectReason.LIMIT_EXCEEDED, "reads less than is sent")
                return
        elif self._behind:
            self._behind = 0
        connection.send_frame(frames)

    def close(self, farewell: Encoded, lingers: bool) -> bool:
        """Close the connection, which says it all."""
        self.abandon()
        return True

    def abandon(self) -> None:
        """Close the connection; what it still says is nobody's."""
        self._session = None
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    # ── from the connection ─────────────────────────────────────────────────────────

    def connection_made(self, connection: WebSocketConnection) -> None:
        """Open the session, or wait for the probe of one that is to be upgraded."""
        self._connection = connection
        session = self._opened(self)
        if session is None:
            self.abandon()
        elif self._connection is not None:
            self._session = session

    def text_received(self, text: str) -> None:
        """Take a packet."""
        session = self._session
        if session is None:
            return
        try:
            packet = decode_packet(text)
        except PacketError as error:
            if session.candidate is self:
                session.upgrade_failed()
            else:
                session.fail(DisconnectReason.PARSE_ERROR, str(error))
            return
        if session.candidate is self:
            self._probe(session, packet)
        else:
            session.packets_received((packet,))

    def binary_received(self, data: bytes) -> None:
        """Take a message of bytes."""
        session = self._session
        if session is not None:
            if session.candidate is self:
                session.upgrade_failed()
            else:
                session.packets_received((EnginePacket(PacketType.MESSAGE, data),))

    def _probe(self, session: Session, packet: EnginePacket) -> None:
        """Take the next step of an upgrade: ``2probe`` is answered, ``5`` completes it.

        From the probe on every poll ends at once: the client waits for that, to say ``5``.
        """
        polling = session.transport
        if not isinstance(polling, PollingTransport):
            session.upgrade_failed()
        elif packet == (PacketType.PING, "probe"):
            session.upgrading = True
            self.send(_PROBED)
            polling.end_poll()
        elif packet.type is PacketType.UPGRADE and session.upgrading:
            session.upgraded(self)
            for encoded in polling.take_queue():
                self.send(encoded)
        else:
            session.upgrade_failed()

    def connection_closed(self, code: int, reason: str) -> None:
        """End the session, or only the attempt to upgrade it."""
        self._connection = None
        session, self._session = self._session, None
        if session is None:
            return
        if session.candidate is self:
            session.upgrade_failed()
        elif code in _ORDINARY:
            session.close(DisconnectReason.TRANSPORT_CLOSE)
        else:
            session.close(DisconnectReason.TRANSPORT_ERROR)
