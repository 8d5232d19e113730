"""The sessions of one Engine.IO server: opened within limits, kept alive, ended.

It must not know what a request looks like, nor what a message means.
"""

from __future__ import annotations

import json
import secrets
from collections import Counter
from collections.abc import Callable
from typing import Any

from socketsuite.socketio.engine.answers import Refusal, RequestRefusedError
from socketsuite.socketio.engine.heartbeats import Heartbeats
from socketsuite.socketio.engine.packets import Encoded, PacketType
from socketsuite.socketio.engine.polling import PollingTransport
from socketsuite.socketio.engine.session import PING, Handler, Handshake, Session, Transport
from socketsuite.socketio.engine.websocket import WebSocketTransport
from socketsuite.socketio.options import EngineOptions
from socketsuite.socketio.reasons import DisconnectReason
from socketsuite.web.deadlines import Deadlines

_ID_BYTES = 24
"""Random bytes of a session's id, which is a secret."""


class EngineServer:
    """A server of Engine.IO 4; an :class:`EngineResource` is where its clients come in.

    :param reactor: for timers.
    :param handler_for: called with each new session; returns what takes its messages, and may
        send by it already.
    """

    def __init__(
        self, reactor: Any, options: EngineOptions, handler_for: Callable[[Session], Handler]
    ) -> None:
        self.reactor, self.options = reactor, options
        self._handler_for = handler_for
        self._sessions: dict[str, Session] = {}
        self._hosts: Counter[bytes | None] = Counter()
        self._closed = False
        self._heartbeats: Heartbeats[Session] = Heartbeats(
            reactor, options.ping_interval, options.ping_timeout, self._ping, self._silent
        )
        self._upgrades: Deadlines[Session] = Deadlines(
            reactor, options.upgrade_timeout, Session.upgrade_failed
        )
        self._lingering: Deadlines[Session] = Deadlines(reactor, options.close_timeout, self.drop)

    def __len__(self) -> int:
        return len(self._sessions)

    def session(self, session_id: str) -> Session | None:
        """Return the session of that id, unless its time is over."""
        self._heartbeats.look()
        return self._sessions.get(session_id)

    # ── opening ─────────────────────────────────────────────────────────────────────

    def check_room(self, host: bytes | None) -> None:
        """See that *host* may have one more session.

        :raises RequestRefusedError: when there are too many.
        """
        options = self.options
        if self._closed or len(self._sessions) >= options.max_sessions:
            raise RequestRefusedError(Refusal.FORBIDDEN, 503)
        if host is not None and self._hosts[host] >= options.max_sessions_per_address:
            raise RequestRefusedError(Refusal.FORBIDDEN, 429)

    def open_polling(self, handshake: Handshake) -> tuple[Session, PollingTransport]:
        """Open a session over polling."""
        session = Session(self, secrets.token_urlsafe(_ID_BYTES), handshake)
        transport = PollingTransport(self.reactor, self.options, session)
        upgrades = ["websocket"] if "websocket" in self.options.transports else []
        self._open(session, transport, upgrades)
        return session, transport

    def open_websocket(self, handshake: Handshake, transport: WebSocketTransport) -> Session:
        """Open a session over a WebSocket, which is open."""
        session = Session(self, secrets.token_urlsafe(_ID_BYTES), handshake)
        self._open(session, transport, [])
        return session

    def _open(self, session: Session, transport: Transport, upgrades: list[str]) -> None:
        options = self.options
        self._sessions[session.id] = session
        self._hosts[session.handshake.host] += 1
        session.transport = transport
        words = {
            "sid": session.id,
            "upgrades": upgrades,
            "pingInterval": round(options.ping_interval * 1000),
            "pingTimeout": round(options.ping_timeout * 1000),
            "maxPayload": options.max_payload,
        }
        text = json.dumps(words, separators=(",", ":"))
        transport.send(Encoded((text,), PacketType.OPEN))
        self._heartbeats.start(session)
        session.handler = self._handler_for(session)

    def try_upgrade(self, session: Session, transport: WebSocketTransport) -> bool:
        """Give a WebSocket, which is open, its time to take *session* over.

        Only where it is polled, and no other is about to do so.
        """
        polled = isinstance(session.transport, PollingTransport)
        if not polled or session.candidate is not None or session.closed:
            return False
        session.candidate = transport
        self._upgrades.start(session)
        return True

    # ── what sessions tell ──────────────────────────────────────────────────────────

    def pong_received(self, session: Session) -> None:
        """Know that the client is there."""
        self._heartbeats.answered(session)

    def forget(self, session: Session, lingers: bool) -> None:
        """Know that *session* is closed; one that lingers is found until its next poll."""
        self._heartbeats.stop(session)
        self._upgrades.stop(session)
        if lingers:
            self._lingering.start(session)
        else:
            self.drop(session)

    def drop(self, session: Session) -> None:
        """Forget a closed session wholly."""
        self._lingering.stop(session)
        if self._sessions.pop(session.id, None) is not None:
            host = session.handshake.host
            self._hosts[host] -= 1
            if not self._hosts[host]:
                del self._hosts[host]

    def _ping(self, session: Session) -> None:
        session.send(PING)

    def _silent(self, session: Session) -> None:
        session.close(DisconnectReason.PING_TIMEOUT)

    # ── the end ─────────────────────────────────────────────────────────────────────

    def close(self) -> None:
        """End every session, and open no more."""
        self._closed = True
        for session in list(self._sessions.values()):
            session.close(DisconnectReason.SERVER_SHUTTING_DOWN)
