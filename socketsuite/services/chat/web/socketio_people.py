"""People who come in by Socket.IO: each request is an event, and its answer the acknowledgement.

What happens comes as events whose names are the types that JSON over WebSocket has.  This module
must not know any one request, nor how events are carried.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred

from socketsuite import __version__
from socketsuite.services.chat.chat import Chat
from socketsuite.services.chat.events import Event
from socketsuite.services.chat.flood import Verdict
from socketsuite.services.chat.inbox import Inbox
from socketsuite.services.chat.person import Person
from socketsuite.services.chat.refusals import Refused
from socketsuite.services.chat.web.objects import objects_of
from socketsuite.services.chat.web.requests import REQUESTS, perform, refused_answer
from socketsuite.services.chat.web.session import VERSION, Carrier, Session
from socketsuite.socketio import DisconnectReason, Options, Server, Socket

Answer = dict[str, Any]

_NOTHING_ASKED: Answer = {}


class SocketIOPerson:
    """One socket, and its place in the chat.

    :ivar since: when it connected, by the reactor's clock.
    """

    def __init__(
        self, chat: Chat, clock: Any, socket: Socket, render: Callable[[Event], Any]
    ) -> None:
        self.socket = socket
        self.since: float = clock.seconds()
        handshake = socket.handshake
        carrier = Carrier(
            host=handshake.address or "local",
            secure=handshake.secure,
            render=render,
            write=self._tell,
            close=self._put_out,
        )
        self.session = Session(chat, carrier)
        self.inbox: Inbox[tuple[Answer, Deferred[Answer]]] = Inbox(
            clock, chat.flood, self._perform, lambda _: None
        )

    @property
    def person(self) -> Person | None:
        """Who it is in the hub; ``None`` before ``hello``."""
        return self.session.person

    def ask(self, kind: str, fields: Any) -> Deferred[Answer]:
        """Have a request done in its turn; fires with its answer."""
        answer: Deferred[Answer] = Deferred()
        if not isinstance(fields, dict):
            answer.callback(refused_answer(Refused("bad_request", "", "an object is wanted")))
            return answer
        verdict = self.inbox.put(({**fields, "type": kind}, answer))
        if verdict is Verdict.DROPPED:
            answer.callback(refused_answer(Refused("busy", "", "too fast, and dropped")))
        elif verdict is Verdict.CLOSE:
            self.end("flooding", "too fast")
        return answer

    def _perform(self, asked: tuple[Answer, Deferred[Answer]]) -> int:
        request, answer = asked
        return perform(self.session, request, answer.callback, self._wait)

    def _wait(self, result: Deferred[None]) -> None:
        self.inbox.busy = True
        result.addBoth(lambda _: self.inbox.done())

    def _tell(self, events: list[Any]) -> None:
        for event in events:
            self.socket.emit_prepared(event)

    def _put_out(self, reason: str) -> None:
        self.end(reason, f"you are out: {reason}")

    def end(self, reason: str, told: str) -> None:
        """Leave, and disconnect; *reason* is told to the others, and *told* to this one."""
        if not self.session.ended:
            self.inbox.stop()
            self.session.quit(reason)
            self.socket.emit("closed", {"type": "closed", "reason": told})
            self.socket.disconnect(close=True)

    def gone(self) -> None:
        """Leave: the socket is disconnected."""
        self.inbox.stop()
        self.session.quit("closed")


class SocketIOPeople:
    """Everybody who comes in by Socket.IO.

    :ivar server: of Socket.IO; its resource is to be put at ``socket.io``.
    :ivar waiting: those who have said no ``hello`` yet.
    """

    def __init__(self, chat: Chat, clock: Any, options: Options) -> None:
        self.chat, self.clock = chat, clock
        self.server = Server(clock, options)
        self._people: dict[Socket, SocketIOPerson] = {}
        self.waiting: dict[SocketIOPerson, None] = {}
        self.server.on("connect")(self._connected)
        self.server.on("disconnect")(self._disconnected)
        for name in REQUESTS:
            self.server.on(name)(partial(self._asked, name))

    def _render(self, event: Event) -> list[Any]:
        """Return *event* as events of Socket.IO, encoded once for all who hear it."""
        return [self.server.prepared(found["type"], found) for found in objects_of(event)]

    def _connected(self, socket: Socket, auth: Any) -> None:
        person = SocketIOPerson(self.chat, self.clock, socket, self._render)
        self._people[socket] = person
        self.waiting[person] = None
        chat = self.chat
        socket.emit(
            "greeting",
            {
                "version": VERSION,
                "server": chat.server_name,
                "network": chat.network_name,
                "software": f"socketsuite-{__version__}",
                "lobby": chat.hub.lobby.name,
            },
        )

    def _asked(
        self, kind: str, socket: Socket, fields: Any = _NOTHING_ASKED
    ) -> Deferred[Answer] | Answer:
        person = self._people.get(socket)
        if person is None or person.session.ended:
            return refused_answer(Refused("busy", "", "the connection is closed"))
        answer = person.ask(kind, fields)
        if person.person is not None:
            self.waiting.pop(person, None)
        return answer

    def _disconnected(self, socket: Socket, reason: DisconnectReason) -> None:
        person = self._people.pop(socket, None)
        if person is not None:
            self.waiting.pop(person, None)
            person.gone()

    def end_late(self, before: float) -> None:
        """End those who connected before then, and have said no hello."""
        for person in list(self.waiting):
            if person.person is not None:
                self.waiting.pop(person)
            elif person.since < before:
                person.end("no hello", "no hello in time")

    def drain(self) -> None:
        """Tell everybody that the server stops, and end every session."""
        for person in list(self._people.values()):
            person.end("the server stops", "the server stops")
        self.server.close()
