"""Targets of Socket.IO: packets, payloads, and whole sessions over polling, without a socket.

Each raises ``AssertionError`` where something does not hold, and whatever else the code does.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from twisted.internet.task import Clock

from socketsuite.socketio import Options, Server, Socket
from socketsuite.socketio.engine import Encoded, Handshake, PacketError
from socketsuite.socketio.engine.packets import PacketType as EnginePacketType
from socketsuite.socketio.engine.packets import decode_payload
from socketsuite.socketio.packets import Incomplete, Packet, PacketType, decode, encode

_LIMITS = Options(
    max_depth=6,
    max_arguments=5,
    max_attachments=3,
    max_attachment_bytes=100,
    max_queue_bytes=5000,
    max_queue_packets=50,
    max_unanswered=4,
    max_rooms=3,
    max_namespaces=2,
    recovery=5,
    max_recovery_packets=20,
)
_HEAD = re.compile(r"4[0-6](?:\d+-)?(?:/[^,]*,)?\d*")
_HOLE = b'{"_placeholder":true,"num":0}'


def _no_json(name: str) -> NoReturn:
    raise AssertionError(f"{name} is no JSON")


def _readable(encoded: Encoded) -> None:
    """See that any client can read what is sent."""
    for part in encoded.payload.split(b"\x1e"):
        text = part.decode()
        head = _HEAD.match(text)
        if head is not None and text[head.end() :]:
            json.loads(text[head.end() :], parse_constant=_no_json)


def engine_payload(data: bytes) -> None:
    """What is a payload is the same packets after they were written and read again."""
    try:
        packets = decode_payload(data, 50)
    except PacketError:
        return
    assert 0 < len(packets) <= 50
    messages = [each.data for each in packets if each.type is EnginePacketType.MESSAGE]
    if messages:
        again = decode_payload(Encoded(messages).payload, 50)
        assert [each.data for each in again] == messages


def socketio_packet(data: bytes) -> None:
    """What is a packet is within its limits, and can be sent on to others."""
    text, *attachments = data.split(b"\x1e")
    try:
        packet = decode(text.decode("utf-8", "replace"), _LIMITS)
        while isinstance(packet, Incomplete):
            added = packet.add(attachments.pop(0) if attachments else b"")
            packet = packet if added is None else added
    except PacketError:
        return
    assert isinstance(packet, Packet)
    if packet.type is PacketType.EVENT:
        assert isinstance(packet.data[0], str)
        assert len(packet.data) <= 6
        try:
            _readable(encode(packet.type, packet.namespace, packet.data, packet.id))
        except ValueError:
            if b"_placeholder" not in data:
                raise


def socketio_session(data: bytes) -> None:
    """A session takes anything, ends at most once, and leaves nothing behind."""
    clock = Clock()
    server = Server(clock, _LIMITS)
    ends: list[Any] = []

    @server.on("connect")
    def connect(socket: Socket, auth: dict[str, Any]) -> None:
        socket.emit("hello", auth)

    @server.on("disconnect")
    def disconnect(socket: Socket, reason: Any) -> None:
        ends.append(socket)
        server.emit("left", reason)

    @server.on("*")
    def anything(socket: Socket, event: str, *arguments: Any) -> Any:
        if event == "ask":
            socket.emit_with_ack("question", timeout=1).addErrback(lambda _: None)
        elif event == "join":
            socket.join(*map(str, arguments))
        server.to("room").emit("said", *arguments)
        return arguments

    handshake = Handshake("192.0.2.1", False, {}, {})
    session, polling = server._engine.open_polling(handshake)
    for number, payload in enumerate(data.split(b"\0")):
        try:
            session.packets_received(decode_payload(payload, 50))
        except PacketError:
            continue
        clock.advance(0.5)
        if number % 2 and not session.closed:
            waiting = polling.take_queue()
            assert len(waiting) <= _LIMITS.max_queue_packets
            for each in waiting:
                _readable(each)
    server.close()
    assert len(ends) == len(set(ends))
    assert server.sockets == {}
    assert server._adapter._rooms == {}
    clock.advance(100)
    assert server.sessions == 0
    assert clock.getDelayedCalls() == []


PAYLOADS = [b"4hello\x1ebAQIDBA==", b"2\x1e3\x1e4\x1e5\x1e6", b"1"]
PACKETS = [
    b'2["a",1,{"b":[]}]',
    b'2/news,12["a"]',
    b'0/news,{"token":1}',
    b'51-["a",' + _HOLE + b"]\x1e\x01\x02",
    b'30["answer",1.5]',
    b"1/news,",
]
SESSIONS = [
    b'40\x1e42["a",1]\x1e421["ask"]\x000\x00430[1]\x001',
    b'40{"x":1}\x0042["join","room"]\x1e42["say","room"]\x0041\x0040',
    b'40\x00451-["a",' + _HOLE + b']\x1ebAQID\x0042["b"]',
]
WORDS = [
    b'40{"pid":"',
    b'","offset":"',
    b"40/news,",
    b'42["',
    b'"]',
    b"451-",
    b"461-0",
    _HOLE,
    b"\x1e",
    b"\0",
    b"43",
    b"\\ud800",
    b"1e999",
    b"[[[[",
    b'["join","room"]',
    b"bAAAA",
    b"NaN",
    b'"_placeholder"',
]
