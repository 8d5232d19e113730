"""Who comes in by WebSocket, in memory: there is a time for hello, and none for staying."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock

from socketsuite.services.chat.chat import Chat
from socketsuite.services.chat.web.factory import WebFactory
from socketsuite.services.chat.web.site import HELLO_SECONDS
from tests.services.streams import FakeStream
from tests.support.no_daemon import NoDaemon
from tests.support.websocket_frames import PONG, TEXT, close_frame, frame, opening, take_frame

_HELLO = b'{"type":"hello","version":1,"nick":"anna"}'


_POLLING = "/socket.io/?EIO=4&transport=polling"


def post(session: str, packets: int) -> bytes:
    body = b"\x1e".join([b'42["x"]'] * packets)
    head = f"POST {_POLLING}&sid={session} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}"
    return f"{head}\r\n\r\n".encode() + body


class Site:
    """The web frontend, and people at it."""

    def __init__(self) -> None:
        self.clock = Clock()
        daemon: Any = NoDaemon()
        self.chat = Chat(self.clock)
        self.factory = WebFactory(self.chat, self.clock, daemon)
        self.factory.startFactory()

    def open(self) -> FakeStream:
        protocol: Any = self.factory.buildProtocol(None)
        stream = FakeStream(protocol)
        stream.protocol.dataReceived(opening("/ws"))
        assert stream.taken().startswith(b"HTTP/1.1 101 ")
        return stream

    def wait(self, seconds: float, *alive: FakeStream) -> None:
        """Let time pass, in which those *alive* answer pings."""
        for _ in range(int(seconds)):
            self.clock.advance(1.0)
            for one in alive:
                one.protocol.dataReceived(frame(PONG))


def test_who_has_come_in_stays_however_long() -> None:
    site = Site()
    anna = site.open()
    anna.protocol.dataReceived(frame(TEXT, _HELLO))
    site.wait(3 * HELLO_SECONDS, anna)
    assert list(site.chat.hub.people) == ["anna"]
    assert b'"closed"' not in anna.value()


def test_who_says_no_hello_in_time_is_closed() -> None:
    site = Site()
    silent = site.open()
    site.wait(HELLO_SECONDS + HELLO_SECONDS / 4 + 1, silent)
    taken = take_frame(silent.value())
    while taken is not None and taken[0].opcode != 8:
        taken = take_frame(taken[1])
    assert taken is not None
    assert taken[0].code == 1008


def test_nothing_is_left_of_who_has_gone() -> None:
    site = Site()
    before = len(site.clock.getDelayedCalls())
    anna, boris = site.open(), site.open()
    anna.protocol.dataReceived(frame(TEXT, _HELLO) + close_frame(1000))
    for one in (anna, boris):
        one.gone()
    assert (site.chat.hub.people, site.factory.site.clients) == ({}, {})
    site.wait(3 * HELLO_SECONDS)
    assert len(site.clock.getDelayedCalls()) == before


def test_a_payload_of_thousands_of_packets_is_refused_before_any_of_them_is_taken() -> None:
    site = Site()
    protocol: Any = site.factory.buildProtocol(None)
    stream = FakeStream(protocol)
    protocol.dataReceived(f"GET {_POLLING} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    site.clock.advance(0)
    session = stream.taken().decode().partition('"sid":"')[2].partition('"')[0]
    for packets, status in ((1000, b"200 OK"), (1001, b"400 Bad Request")):
        protocol.dataReceived(post(session, packets))
        assert stream.taken().startswith(b"HTTP/1.1 " + status)
