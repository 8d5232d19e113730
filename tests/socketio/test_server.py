"""A server in this process, by a clock: what programs may do, and what is left at the end."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from socketsuite.socketio import (
    AckTimeoutError,
    DisconnectReason,
    Handshake,
    Options,
    Refused,
    Server,
    Socket,
)
from socketsuite.socketio.engine.answers import RequestRefusedError
from socketsuite.socketio.engine.packets import decode_packet

HANDSHAKE = Handshake("192.0.2.1", False, {}, {})


class Caller:
    """A session over polling, without HTTP; everything that is sent to it is kept."""

    def __init__(self, server: Server, *said: str) -> None:
        self.session, self._polling = server._engine.open_polling(HANDSHAKE)
        self.take()
        self.send(*said)

    def send(self, *packets: str) -> None:
        self.session.packets_received([decode_packet(packet) for packet in packets])

    def take(self) -> list[str]:
        """Return what was sent since."""
        return [each.payload.decode() for each in self._polling.take_queue()]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(clock: Clock) -> Server:
    return Server(clock, Options(max_sessions=3, max_unanswered=2, max_rooms=2))


def only_socket(server: Server) -> Socket:
    (socket,) = server.sockets.values()
    return socket


def test_a_full_or_closed_server_opens_nothing_and_leaves_no_timers(
    clock: Clock, server: Server
) -> None:
    reasons: list[DisconnectReason] = []
    server.on("disconnect")(lambda socket, reason: reasons.append(reason))
    for _ in range(3):
        Caller(server, "40")
    with pytest.raises(RequestRefusedError) as full:
        server._engine.check_room(b"somebody")
    assert full.value.status == 503
    assert server.sessions == 3
    server.close()
    assert reasons == [DisconnectReason.SERVER_SHUTTING_DOWN] * 3
    clock.advance(10)  # for polls that do not come any more
    assert (server.sessions, clock.getDelayedCalls()) == (0, [])
    with pytest.raises(RequestRefusedError):
        server._engine.check_room(b"somebody")


@pytest.mark.parametrize("event", ["connect_error", "disconnecting", "newListener"])
def test_socket_ios_own_events_are_neither_registered_nor_sent(server: Server, event: str) -> None:
    with pytest.raises(ValueError, match=event):
        server.on(event)(print)
    for own in (event, "connect", "disconnect"):
        with pytest.raises(ValueError, match=own):
            server.emit(own)


def test_an_event_has_one_handler_and_a_namespace_a_name(server: Server) -> None:
    server.on("a")(lambda socket: None)
    server.of("/n").on("a")(lambda socket: None)
    with pytest.raises(ValueError, match="has a handler already"):
        server.on("a")(lambda socket: None)
    for name in ("", "n", "/a,b", "/a?b", "/" + "n" * 100):
        with pytest.raises(ValueError, match="no namespace's name"):
            server.of(name)


def test_acknowledgements_are_bounded_and_fail_at_the_end(clock: Clock, server: Server) -> None:
    caller = Caller(server, "40")
    socket = only_socket(server)
    failed: list[str] = []

    def ask() -> Deferred[Any]:
        answer = socket.emit_with_ack("question", timeout=5)
        return answer.addErrback(lambda failure: failed.append(str(failure.value)))

    first, second, third = ask(), ask(), ask()
    assert failed == ["too many acknowledgements are waited for"]
    assert caller.take()[1:] == ['420["question"]', '421["question"]']
    caller.send("430[1,2]", "430[3]", "439[4]")
    assert first.result == [1, 2]
    clock.advance(5)
    assert failed[1:] == ["no acknowledgement in 5 seconds"]
    ask()
    caller.send("1")
    ask()
    assert failed[2:] == ["the client has disconnected"] * 2
    assert (second.result, third.result) == (None, None)
    assert issubclass(AckTimeoutError, Exception)


def test_what_was_left_is_gone_from_rooms_and_what_it_sends_is_dropped(server: Server) -> None:
    caller = Caller(server, "40")
    socket = only_socket(server)
    socket.join("a", "b")
    socket.join("a")
    with pytest.raises(ValueError, match="so many rooms"):
        socket.join("c")
    socket.leave("b", socket.id, "never")
    assert socket.rooms == {"a", socket.id}
    assert server.to("a").sockets() == [socket]
    caller.send("1")
    socket.join("a")
    socket.emit("late")
    socket.disconnect()
    assert (server.to("a").sockets(), socket.rooms, socket.connected) == ([], frozenset(), False)
    assert server._adapter._rooms == {}


def test_nobody_enters_the_room_that_is_anothers_own(clock: Clock) -> None:
    server = Server(clock, Options(recovery=10))
    victim = Caller(server, "40")
    private = only_socket(server).id
    Caller(server, "40")
    thief = next(each for each in server.sockets.values() if each.id != private)

    def enter() -> None:
        with pytest.raises(ValueError, match="another socket's own"):
            thief.join(private)

    enter()
    victim.session.close(DisconnectReason.TRANSPORT_CLOSE)
    enter()  # it may come back
    server.to(private).emit("said")
    assert server.to(private).sockets() == []
    clock.advance(11)
    thief.join(private)


def test_a_connect_that_outlives_its_session_is_nobodys(server: Server) -> None:
    waiting: Deferred[None] = Deferred()
    ended: list[Any] = []
    server.on("connect")(lambda socket: waiting)
    server.on("disconnect")(lambda socket, reason: ended.append(reason))
    caller = Caller(server, '40{"a":1}')
    server.to("nobody").emit("a")
    caller.send("1")
    waiting.callback(None)
    assert (server.sockets, ended, caller.take()) == ({}, [], [])


def test_a_refusal_that_takes_its_time_leaves_no_rooms(server: Server) -> None:
    waiting: Deferred[None] = Deferred()

    @server.on("connect")
    async def connect(socket: Socket) -> None:
        socket.join("a")
        socket.emit("never seen")
        await waiting
        raise Refused("no")

    caller = Caller(server, "40")
    waiting.callback(None)
    assert caller.take() == ['44{"message":"no"}']
    assert server._adapter._rooms == {}
    caller.send('42["crosses with it"]', "40")
    assert caller.take() == ['44{"message":"no"}']


def test_an_event_is_for_sockets_chosen_one_by_one_too(server: Server) -> None:
    first, second = Caller(server, "40"), Caller(server, "40")
    first.take()
    second.take()
    prepared = server.prepared("a", b"\x01")
    for socket in server.sockets.values():
        socket.emit_prepared(prepared)
    expected = ['451-["a",{"_placeholder":true,"num":0}]\x1ebAQ==']
    assert (first.take(), second.take()) == (expected, expected)
