"""The frontend ``web``: the page, WebSocket and Socket.IO, as one HTTP site.

This module must not know what is said on a connection.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet.interfaces import IAddress, IDelayedCall
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.web.resource import Resource

from socketsuite.contract import Daemon, LogEvents, ignore_events
from socketsuite.figures import Counter, Figure
from socketsuite.services.chat.chat import Chat, web_origin
from socketsuite.services.chat.irc.factory import IRCFactory
from socketsuite.services.chat.lines import LineChatFactory
from socketsuite.services.chat.web.json_client import JSONClient
from socketsuite.services.chat.web.line_messages import LineMessages
from socketsuite.services.chat.web.page_files import page_files
from socketsuite.services.chat.web.socketio_people import SocketIOPeople
from socketsuite.settings import setting
from socketsuite.socketio import Options
from socketsuite.web.answers import answer
from socketsuite.web.origins import Origins
from socketsuite.web.site import BoundedSite
from socketsuite.web.websocket import (
    Refused,
    WebSocketHandler,
    WebSocketOptions,
    WebSocketResource,
)
from socketsuite.wire.printable import printable

JSON, LINES = "chat.v1.json", "lines"
IRC_TEXT, IRC_BINARY, IRC = "text.ircv3.net", "binary.ircv3.net", "irc.ircv3.net"
"""The subprotocols; a client that names none speaks JSON."""

HELLO_SECONDS = 60.0
"""Seconds that a client has for coming in."""

_MOST_BYTES = 65536
_MOST_WAITING = 1 << 20
"""Bytes of a request of Socket.IO, and of events that wait for a poll."""

_MOST_PACKETS = 1000
"""Packets in one request of Socket.IO: to take so many holds nobody up."""

_LONGEST_PATH = 200


@dataclass(frozen=True)
class Request:
    """A request that was answered, as the log has it.

    :ivar peer: the client, as a proxy that is believed tells it.
    :ivar path: what was asked for, without its query, which may hold secrets.
    """

    peer: str
    method: str
    path: str
    status: int
    bytes_out: int


class Admitting(Resource):
    """What admits a request that opens a session before *behind* has it.

    :param admit: raises :class:`Refused`.
    """

    isLeaf = True

    def __init__(self, behind: Resource, admit: Callable[[Any, bool], object]) -> None:
        super().__init__()
        self._behind = behind
        self._admit = admit
        self.max_body = _MOST_BYTES

    def render(self, request: Any) -> Any:
        """Answer by what is behind, unless the client is not let in."""
        upgraded = request.getHeader("upgrade") is not None
        if upgraded or b"sid" not in request.args:
            try:
                self._admit(request, upgraded)
            except Refused as refused:
                return answer(request, refused.status, refused.text, refused.headers)
        return self._behind.render(request)


@dataclass(eq=False)
class WebFactory(ServerFactory):
    """The frontend ``web``.

    :param chat: whose hub everybody is in.
    :param daemon: knows whose word for a client's address is believed.
    """

    chat: Chat
    reactor: Any
    daemon: Daemon
    emit: LogEvents = ignore_events
    ping: float = setting(
        25.0, "seconds between two pings of a connection", minimum=0.1, unit="seconds"
    )
    max_sessions_per_host: int = setting(
        256, "sessions of Socket.IO at a time from one host (of IPv6, one /64)", minimum=1
    )
    framed_by: tuple[str, ...] = setting(
        (),
        "an origin whose pages may show this one in a frame",
        parse=web_origin,
        metavar="ORIGIN",
    )

    def __post_init__(self) -> None:
        self._clients: dict[JSONClient, None] = {}
        self._timer: IDelayedCall | None = None
        self._lines = LineChatFactory(self.chat, self.reactor)
        # One server of IRC, by whichever way its clients come.
        self._own_irc = None if self.chat.irc else IRCFactory(self.chat, self.reactor)
        self._irc: IRCFactory = self.chat.irc
        self._statuses: dict[str, int] = {}
        self._opened: dict[str, int] = {}
        self.chat.further_figures.append(self._figures)
        self._site = BoundedSite(
            self._root(),
            reactor=self.reactor,
            is_trusted=self.daemon.is_proxy,
            answered=self._answered,
            refused=lambda _, status: self._count(status),
        )

    def _root(self) -> Resource:
        root = Resource()
        for name, file in page_files(" ".join(["'self'", *self.framed_by])).items():
            root.putChild(name.encode(), file)
        io = Options(
            ping_interval=self.ping,
            ping_timeout=self.ping,
            allow_origin=self.chat.allow_origin,
            max_payload=_MOST_BYTES,
            max_payload_packets=_MOST_PACKETS,
            max_queue_bytes=_MOST_WAITING,
            connect_timeout=HELLO_SECONDS,
            max_sessions_per_address=self.max_sessions_per_host,
        )
        self._socketio = SocketIOPeople(self.chat, self.reactor, io)
        self.chat.drains.append(self._socketio.drain)
        root.putChild(b"socket.io", Admitting(self._socketio.server.resource, self.admit))
        options = WebSocketOptions(ping_interval=self.ping, ping_timeout=self.ping)
        allowed = Origins.of(self.chat.allow_origin)
        names = [JSON, LINES, IRC_TEXT, IRC_BINARY, IRC]
        root.putChild(
            b"ws",
            WebSocketResource(
                self._open, options, subprotocols=names, origins=allowed, reactor=self.reactor
            ),
        )
        return root

    # ── who comes ───────────────────────────────────────────────────────────────────

    def admit(self, request: Any, upgraded: bool = True) -> None:
        """Have the connection of *request* be its client's, where a proxy tells who that is.

        :param upgraded: whether the connection serves no other client from now on.
        :raises Refused: when that client is not let in.
        """
        transport, client = request.channel.transport, request.getClientAddress()
        host = getattr(client, "host", None)
        if host is not None and host != getattr(transport.getPeer(), "host", None):
            why = self.daemon.forwarded(transport if upgraded else None, host)
            if why is not None:
                raise Refused(503, why)

    def _open(self, request: Any, subprotocol: str | None) -> WebSocketHandler:
        self.admit(request)
        kind = subprotocol or JSON
        self._opened[kind] = self._opened.get(kind, 0) + 1
        if subprotocol == LINES:
            return LineMessages(self._lines.buildProtocol(None))
        if subprotocol in (IRC_TEXT, IRC_BINARY, IRC):
            binary = subprotocol == IRC_BINARY
            return LineMessages(self._irc.buildProtocol(None), binary=binary)
        client = JSONClient(self.chat, self.reactor, self._settled)
        self._clients[client] = None
        return client

    def _settled(self, client: JSONClient) -> None:
        self._clients.pop(client, None)

    # ── what is told of it ──────────────────────────────────────────────────────────

    def _answered(self, request: Any) -> None:
        self._count(request.code)
        address = request.getClientAddress()
        path = request.path[:_LONGEST_PATH].decode("utf-8", "replace")
        self.emit(
            Request(
                getattr(address, "host", None) or "unix",
                printable(request.method[:16]).decode(),
                path,
                request.code,
                request.sentLength,
            ),
            # Of what a client asks again and again, one line for its session is enough.
            level="debug" if path.startswith("/socket.io") and b"sid" in request.args else "info",
        )

    def _count(self, status: int) -> None:
        kind = f"{status // 100}xx"
        self._statuses[kind] = self._statuses.get(kind, 0) + 1

    def _figures(self) -> list[Figure]:
        return [
            Counter("web_requests", "Requests answered", dict(self._statuses), labels=["status"]),
            Counter("websockets", "WebSockets opened", dict(self._opened), labels=["subprotocol"]),
        ]

    # ── the life of the frontend ────────────────────────────────────────────────────

    def startFactory(self) -> None:
        """Begin to look who does not come in."""
        if self._own_irc is not None:
            self._own_irc.startFactory()
        self._site.startFactory()
        self._timer = self.reactor.callLater(HELLO_SECONDS / 4, self._look)

    def stopFactory(self) -> None:
        """Look no more."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._site.stopFactory()
        if self._own_irc is not None:
            self._own_irc.stopFactory()

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        """Return a protocol for one caller."""
        protocol: Protocol | None = self._site.buildProtocol(addr)
        return protocol

    def _look(self) -> None:
        """End who has said no hello in time: one timer for all."""
        self._timer = self.reactor.callLater(HELLO_SECONDS / 4, self._look)
        late = self.reactor.seconds() - HELLO_SECONDS
        for client in list(self._clients):
            if client.since < late:
                client.end("no hello", f"no hello within {HELLO_SECONDS:g} seconds", 1008)
        self._socketio.end_late(late)
