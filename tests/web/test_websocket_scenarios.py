"""Random lives of many WebSockets at once: each ends once, and nothing is left of it.

What a client and a handler do comes in any order: frames right and wrong, in pieces; pauses,
floods, closes from either side, drains, resets, and handlers that fail.
"""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import zlib
from typing import Any

import pytest

from socketsuite.web.websocket import WebSocketConnection, WebSocketOptions
from tests.support.web_port import Caller, WebPort
from tests.support.websocket_frames import (
    BINARY,
    PING,
    PONG,
    TEXT,
    close_frame,
    frame,
    opening,
)

OPTIONS = WebSocketOptions(
    max_message=50_000, ping_interval=0.05, ping_timeout=0.1, close_timeout=0.05, max_fragments=50
)
DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate"


class OnPurpose(Exception):
    """What a handler raises here."""


class Erratic:
    """Does something at random with each callback."""

    def __init__(self, chance: random.Random) -> None:
        self.chance, self.told = chance, list[Any]()
        self.connection: Any = None

    def connection_made(self, connection: WebSocketConnection) -> None:
        assert self.told == []
        self.connection = connection
        self._told("made")

    def text_received(self, text: str) -> None:
        self._told(text)

    def binary_received(self, data: bytes) -> None:
        self._told(data)

    def connection_closed(self, code: int, reason: str) -> None:
        self._told((code, reason))

    def _told(self, what: Any) -> None:
        assert not any(isinstance(each, tuple) for each in self.told), "told after the end"
        self.told.append(what)
        if self.chance.random() < 0.4:
            self.act()

    def act(self) -> None:
        connection = self.connection
        chance = self.chance.random()
        if chance < 0.5:
            connection.send_text("answer" * self.chance.choice([1, 200]))
        elif chance < 0.6:
            connection.send_binary(bytes(400_000))
        elif chance < 0.7:
            connection.pause()
        elif chance < 0.85:
            connection.resume()
        elif chance < 0.89:
            connection.close(self.chance.choice([1000, 1001, 4000]), "reason")
        elif chance < 0.92:
            connection.abort()
        elif chance < 0.95:
            connection.drain()
        else:
            raise OnPurpose


def sent_by(chance: random.Random) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    body = compressor.compress(b"z" * 3000) + compressor.flush(zlib.Z_SYNC_FLUSH)
    kinds = [
        frame(TEXT, b"text") * chance.choice([1, 1, 300]),
        frame(BINARY, bytes(chance.choice([0, 100, 40_000]))),
        frame(PING, b"ping") * chance.choice([1, 5]),
        frame(PONG),
        frame(TEXT, b"in ", fin=False) + frame(PING) + frame(0, b"two"),
        frame(TEXT, body.removesuffix(b"\0\0\xff\xff"), rsv=4),
        frame(TEXT, b"never ended")[: chance.randrange(1, 10)],
        close_frame(chance.choice([1000, 1001, 3000])),
        frame(TEXT, b"\xff"),
        frame(BINARY, bytes(50_001)),
        frame(3),
    ]
    weights = [8, 4, 4, 4, 4, 2, 1, 1, 0.3, 0.3, 0.3]
    return chance.choices(kinds, weights)[0]


class Life:
    """One connection, and what its client does."""

    def __init__(self, port: WebPort, chance: random.Random) -> None:
        self.chance, self.caller, self.over = chance, Caller(port), False
        self.unsent = opening("/ws", *([DEFLATE] if chance.random() < 0.5 else []))
        if chance.random() < 0.3:
            self.unsent += sent_by(chance)

    def step(self) -> None:
        if self.over:
            return
        chance = self.chance.random()
        if chance < 0.5:
            self.unsent += sent_by(self.chance)
        elif chance < 0.85:
            with contextlib.suppress(OSError):
                self.caller.take()
        elif chance < 0.87:
            self.end(reset=False)
        elif chance < 0.89:
            self.end(reset=True)
        elif chance < 0.9:
            with contextlib.suppress(OSError):
                self.caller.socket.shutdown(socket.SHUT_WR)
        size = self.chance.choice([1, 7, 1000, 100_000])
        if self.unsent and not self.over:
            with contextlib.suppress(OSError):
                self.unsent = self.unsent[self.caller.socket.send(self.unsent[:size]) :]

    def end(self, *, reset: bool) -> None:
        if reset:
            linger = struct.pack("ii", 1, 0)
            self.caller.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.caller.socket.close()
        self.over = True


@pytest.mark.parametrize("transport", ["burst", "stock"])
@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_each_connection_ends_once_and_leaves_nothing(
    transport: str, seed: int, flushed: list[dict[str, Any]]
) -> None:
    chance = random.Random(seed)
    port = WebPort(transport, options=OPTIONS)
    port.make_handler = lambda: Erratic(chance)
    try:
        lives = [Life(port, chance) for _ in range(15)]
        for _ in range(60):
            for life in lives:
                life.step()
            for handler in port.handlers:
                if handler.connection is not None and chance.random() < 0.05:
                    with contextlib.suppress(OnPurpose):
                        handler.act()
            port.turn()
        for life in lives:
            if not life.over:
                life.end(reset=False)
        for handler in port.handlers:
            if handler.connection is not None:
                handler.connection.resume()
        port.until(lambda: not port.carriers() and not port.reactor.getDelayedCalls())
    finally:
        port.close()
    assert len(port.handlers) > 5
    for handler in port.handlers:
        ends = [each for each in handler.told if isinstance(each, tuple)]
        assert (handler.told[0], len(ends)) == ("made", 1), handler.told
        assert handler.connection.handler is None
    failures = [each["failure"] for each in flushed if each["isError"]]
    assert {failure.type for failure in failures} <= {OnPurpose}
