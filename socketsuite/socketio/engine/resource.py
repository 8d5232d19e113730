"""The requests of Engine.IO: which session each belongs to, and whether it may be there.

Everything about a request is judged here, before a session is made or touched.  It must not know
what a session does with what it is given.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from twisted.web.resource import Resource
from twisted.web.server import Request

from socketsuite.addresses import host_key
from socketsuite.socketio.engine.answers import Refusal, RequestRefusedError, answer_refusal
from socketsuite.socketio.engine.polling import PollingTransport
from socketsuite.socketio.engine.server import EngineServer
from socketsuite.socketio.engine.session import Handshake, Session
from socketsuite.socketio.engine.websocket import WebSocketTransport
from socketsuite.socketio.reasons import DisconnectReason
from socketsuite.web.upgrade import client_of
from socketsuite.web.websocket import (
    Origins,
    Refused,
    WebSocketOptions,
    origin_is_allowed,
    upgrade,
)

_MOST_PARAMETERS = 100


class EngineResource(Resource):
    """The resource of an :class:`EngineServer`: put it at ``engine.io`` or ``socket.io``.

    :ivar max_body: what a :class:`~socketsuite.web.site.BoundedSite` reads of a request.
    """

    isLeaf = True

    def __init__(self, engine: EngineServer) -> None:
        super().__init__()
        self._engine = engine
        options = self._options = engine.options
        self.max_body = options.max_payload
        self._origins = Origins.of(options.allow_origin)
        self._websockets = WebSocketOptions(
            max_message=options.max_payload, ping_interval=0, deflate=False
        )

    def render(self, request: Request) -> Any:
        """Answer a request, or keep it as a poll."""
        try:
            self._allow_origin(request)
            if request.method == b"OPTIONS":
                return self._preflight(request)
            return self._dispatch(request, _query(request))
        except RequestRefusedError as refused:
            return answer_refusal(request, refused)
        except Refused as refused:
            request.setResponseCode(refused.status)
            for name, value in refused.headers:
                request.setHeader(name, value)
            return f"{refused}\n".encode()

    # ── pages of other origins ──────────────────────────────────────────────────────

    def _allow_origin(self, request: Request) -> None:
        if not origin_is_allowed(request, self._origins):
            raise RequestRefusedError(Refusal.FORBIDDEN, 403)
        request.setHeader("Cache-Control", "no-store")
        request.setHeader("X-Content-Type-Options", "nosniff")
        origin = request.getHeader("origin")
        if origin is not None:
            if "*" in self._options.allow_origin:
                request.setHeader("Access-Control-Allow-Origin", "*")
            else:
                request.setHeader("Access-Control-Allow-Origin", origin)
                request.setHeader("Access-Control-Allow-Credentials", "true")
                request.setHeader("Vary", "Origin")

    def _preflight(self, request: Request) -> bytes:
        """Answer what a browser asks before a request with headers of the page's own."""
        request.setResponseCode(204)
        request.setHeader("Access-Control-Allow-Methods", "GET, POST")
        wanted = request.getHeader("access-control-request-headers")
        if wanted is not None:
            request.setHeader("Access-Control-Allow-Headers", wanted)
        return b""

    # ── sessions ────────────────────────────────────────────────────────────────────

    def _dispatch(self, request: Request, query: dict[str, str]) -> Any:
        transport = query.get("transport")
        if transport not in self._options.transports:
            raise RequestRefusedError(Refusal.UNKNOWN_TRANSPORT)
        if query.get("EIO") != "4":
            raise RequestRefusedError(Refusal.UNSUPPORTED_PROTOCOL_VERSION)
        host = host_key(client_of(request))
        session_id = query.get("sid")
        if session_id is not None:
            session = self._engine.session(session_id)
            bound = self._options.bind_address
            if session is None or (bound and session.handshake.host != host):
                raise RequestRefusedError(Refusal.UNKNOWN_SID)
            if transport == "websocket":
                return self._upgrade(request, session)
            return self._polled(request, session)
        if request.method != b"GET":
            raise RequestRefusedError(Refusal.BAD_HANDSHAKE_METHOD)
        self._engine.check_room(host)
        handshake = _handshake(request, query)
        if transport == "websocket":
            return self._open_websocket(request, handshake)
        session, polling = self._engine.open_polling(handshake)
        return polling.poll(request)

    def _polled(self, request: Request, session: Session) -> Any:
        polling = session.transport
        if not isinstance(polling, PollingTransport):
            raise RequestRefusedError(Refusal.BAD_REQUEST)  # it was upgraded
        if request.method == b"GET":
            answer = polling.poll(request)
            if session.closed:  # what was left for it is fetched
                self._engine.drop(session)
            return answer
        if request.method != b"POST" or session.closed:
            raise RequestRefusedError(Refusal.BAD_REQUEST)
        assert request.content is not None
        body = request.content.read(self._options.max_payload + 1)
        if len(body) > self._options.max_payload:
            session.fail(DisconnectReason.LIMIT_EXCEEDED, "a payload that is too large")
            raise RequestRefusedError(Refusal.BAD_REQUEST, 413)
        return polling.post(request, body)

    def _open_websocket(self, request: Request, handshake: Handshake) -> int:
        def opened(transport: WebSocketTransport) -> Session | None:
            return self._engine.open_websocket(handshake, transport)

        transport = WebSocketTransport(self._options.max_queue_bytes, opened)
        return upgrade(request, transport, self._websockets, reactor=self._engine.reactor)

    def _upgrade(self, request: Request, session: Session) -> int:
        def opened(transport: WebSocketTransport) -> Session | None:
            return session if self._engine.try_upgrade(session, transport) else None

        # One too many is opened, and closed: so the protocol says it.
        transport = WebSocketTransport(self._options.max_queue_bytes, opened)
        return upgrade(request, transport, self._websockets, reactor=self._engine.reactor)


def _query(request: Request) -> dict[str, str]:
    """Return the query's parameters; a form in the body is none."""
    text = request.uri.partition(b"?")[2].decode("latin-1")
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS))
    except ValueError:
        raise RequestRefusedError(Refusal.BAD_REQUEST) from None


def _handshake(request: Request, query: dict[str, str]) -> Handshake:
    headers = {
        name.decode("latin-1").lower(): values[-1].decode("utf-8", "replace")
        for name, values in request.requestHeaders.getAllRawHeaders()
    }
    return Handshake(client_of(request), bool(request.isSecure()), headers, query)
