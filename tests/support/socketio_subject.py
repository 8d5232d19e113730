"""A server of Socket.IO that clients in tests talk to, as a stranger's daemon.

Its options are JSON in the variable ``SOCKETIO_OPTIONS``.  It must not be imported by tests: it
is copied into a package of its own.
"""

from __future__ import annotations

import json
import os
from typing import Any

from twisted.internet.defer import Deferred

from socketsuite.socketio import (
    AckTimeoutError,
    DisconnectReason,
    Namespace,
    Options,
    Refused,
    Server,
    Socket,
)

told: list[list[str]] = []
"""Who has disconnected, by the name in its auth, and why."""


def factory(reactor: Any) -> Any:
    server = Server(reactor, Options(**json.loads(os.environ["SOCKETIO_OPTIONS"])))
    for namespace in (server, server.of("/custom")):
        register(reactor, server, namespace)
    return server.site()


def register(reactor: Any, server: Server, namespace: Namespace) -> None:
    on = namespace.on

    @on("connect")
    async def connect(socket: Socket, auth: dict[str, Any]) -> None:
        if "refuse" in auth:
            raise Refused("not you", {"why": auth["refuse"]})
        if "refuse badly" in auth:
            raise Refused("not you", object())
        if "leave" in auth:
            socket.disconnect()
        if "bug" in auth:
            raise ValueError("a bug")
        if "late" in auth:
            waited: Deferred[None] = Deferred()
            reactor.callLater(0.05, waited.callback, None)
            await waited
        socket.data.setdefault("name", auth.get("name", ""))
        socket.emit("hello", auth, socket.transport)

    @on("disconnect")
    def disconnect(socket: Socket, reason: DisconnectReason) -> None:
        told.append([socket.data["name"], reason.value])

    @on("told")
    def reasons(socket: Socket, name: str) -> list[str]:
        return [reason for known, reason in told if known == name]

    @on("echo")
    def echo(socket: Socket, *arguments: Any) -> None:
        socket.emit("echoed", *arguments)

    @on("ack")
    async def ack(socket: Socket, *arguments: Any) -> tuple[Any, ...]:
        return arguments

    @on("never")
    def never(socket: Socket) -> Deferred[None]:
        return Deferred()

    @on("ask")
    async def ask(socket: Socket, timeout: float, *arguments: Any) -> list[Any]:
        try:
            answer = await socket.emit_with_ack("question", *arguments, timeout=timeout)
        except AckTimeoutError as error:
            return ["failed", str(error)]
        return ["answered", answer]

    @on("raise")
    def fail(socket: Socket) -> None:
        raise ValueError("line\nand \x1b")

    @on("join")
    def join(socket: Socket, *rooms: str) -> list[str]:
        socket.join(*rooms)
        return sorted(socket.rooms - {socket.id})

    @on("leave")
    def leave(socket: Socket, room: str) -> None:
        socket.leave(room)

    @on("say")
    def say(socket: Socket, rooms: list[str], excepted: list[str], *said: Any) -> int:
        whom = namespace.to(*rooms).except_(*excepted)
        whom.emit("said", *said)
        return len(whom.sockets())

    @on("others")
    def others(socket: Socket, room: str, *said: Any) -> None:
        socket.to(room).emit("said", *said)

    @on("leave-me")
    def leave_me(socket: Socket, close: bool) -> None:
        socket.disconnect(close=close)

    @on("sessions")
    def sessions(socket: Socket) -> int:
        return server.sessions

    @on("*")
    def anything(socket: Socket, event: str, *arguments: Any) -> list[Any]:
        return ["any", event, *arguments]
