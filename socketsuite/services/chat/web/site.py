"""The site of the frontend ``web``: the page, WebSocket and Socket.IO, and who may come in.

It loads what speaks HTTP, WebSocket and Socket.IO, which nobody pays for without a web port.  This
module must not know what is said on a connection.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet.interfaces import IDelayedCall
from twisted.web.resource import Resource

from socketsuite.contract import Daemon, LogEvents
from socketsuite.figures import Counter, Figure
from socketsuite.services.chat.chat import Chat
from socketsuite.services.chat.irc.factory import IRCFactory
from socketsuite.services.chat.lines import LineChatFactory
from socketsuite.services.chat.web.json_client import JSONClient
from socketsuite.services.chat.web.line_messages import LineMessages
from socketsuite.services.chat.web.page_files import page_files
from socketsuite.services.chat.web.socketio_people import SocketIOPeople
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


@dataclass(frozen=True)
class Around:
    """What a site is made with, besides the chat.

    :ivar daemon: knows whose word for a client's address is believed.
    :ivar ping: seconds between two pings of a connection.
    :ivar framed_by: origins whose pages may show the page in a frame.
    """

    reactor: Any
    daemon: Daemon
    emit: LogEvents
    ping: float
    max_sessions_per_host: int
    framed_by: tuple[str, ...]


class ChatSite(BoundedSite):
    """The site.

    :ivar clients: those of JSON over WebSocket that have said no hello yet.
    :ivar socketio: everybody who came by Socket.IO.
    """

    def __init__(self, chat: Chat, around: Around) -> None:
        self.chat, self.around = chat, around
        self.clients: dict[JSONClient, None] = {}
        self._timer: IDelayedCall | None = None
        self._lines = LineChatFactory(chat, around.reactor)
        # One server of IRC, by whichever way its clients come.
        self._own_irc = None if chat.irc else IRCFactory(chat, around.reactor)
        self._irc: IRCFactory = chat.irc
        self._statuses: dict[str, int] = {}
        self._opened: dict[str, int] = {}
        chat.further_figures.append(self._figures)
        super().__init__(
            self._root(),
            reactor=around.reactor,
            is_trusted=around.daemon.is_proxy,
            answered=self._tell_answered,
            refused=lambda _, status: self._count(status),
        )

    def _root(self) -> Resource:
        root = Resource()
        for name, file in page_files(" ".join(["'self'", *self.around.framed_by])).items():
            root.putChild(name.encode(), file)
        io = Options(
            ping_interval=self.around.ping,
            ping_timeout=self.around.ping,
            allow_origin=self.chat.allow_origin,
            max_payload=_MOST_BYTES,
            max_payload_packets=_MOST_PACKETS,
            max_queue_bytes=_MOST_WAITING,
            connect_timeout=HELLO_SECONDS,
            max_sessions_per_address=self.around.max_sessions_per_host,
        )
        self.socketio = SocketIOPeople(self.chat, self.around.reactor, io)
        self.chat.drains.append(self.socketio.drain)
        root.putChild(b"socket.io", Admitting(self.socketio.server.resource, self.admit))
        options = WebSocketOptions(ping_interval=self.around.ping, ping_timeout=self.around.ping)
        allowed = Origins.of(self.chat.allow_origin)
        names = [JSON, LINES, IRC_TEXT, IRC_BINARY, IRC]
        root.putChild(
            b"ws",
            WebSocketResource(
                self._open,
                options,
                subprotocols=names,
                origins=allowed,
                reactor=self.around.reactor,
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
            why = self.around.daemon.forwarded(transport if upgraded else None, host)
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
        client = JSONClient(self.chat, self.around.reactor, self._settled)
        self.clients[client] = None
        return client

    def _settled(self, client: JSONClient) -> None:
        self.clients.pop(client, None)

    # ── what is told of it ──────────────────────────────────────────────────────────

    def _tell_answered(self, request: Any) -> None:
        self._count(request.code)
        address = request.getClientAddress()
        path = request.path[:_LONGEST_PATH].decode("utf-8", "replace")
        self.around.emit(
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

    # ── its life ────────────────────────────────────────────────────────────────────

    def startFactory(self) -> None:
        """Begin to look who does not come in."""
        if self._own_irc is not None:
            self._own_irc.startFactory()
        super().startFactory()
        self._timer = self.around.reactor.callLater(HELLO_SECONDS / 4, self._look)

    def stopFactory(self) -> None:
        """Look no more."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        super().stopFactory()
        if self._own_irc is not None:
            self._own_irc.stopFactory()

    def reload_service(self) -> None:
        """Tell clients of IRC what has changed, where nobody else does."""
        if self._own_irc is not None:
            self._own_irc.reload_service()

    def _look(self) -> None:
        """End who has said no hello in time: one timer for all."""
        self._timer = self.around.reactor.callLater(HELLO_SECONDS / 4, self._look)
        late = self.around.reactor.seconds() - HELLO_SECONDS
        for client in list(self.clients):
            if client.since < late:
                client.end("no hello", f"no hello within {HELLO_SECONDS:g} seconds", 1008)
        self.socketio.end_late(late)
