"""autobahn's WebSocket server, by the `websockets` package's client."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from tests.strangers.subject import SECONDS, Fault, Listener, Stranger
from tests.strangers.web import web_socket

COUNT, SIZE = 200, 60_000
SOURCE = f"""
from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol


class Echo(WebSocketServerProtocol):
    def onMessage(self, payload, isBinary):
        if payload == b"much":
            for number in range({COUNT}):
                self.sendMessage(bytes([number]) * {SIZE}, True)
        else:
            self.sendMessage(payload, isBinary)


def factory():
    made = WebSocketServerFactory()
    made.protocol = Echo
    return made
"""
BY_CLASS = Fault(
    "autobahn asks a secure transport for its channel id, and knows it of Twisted's own alone;"
    " use `--transport twisted`",
    "cannot determine TLS channel ID",
)


def talk(where: Listener) -> None:
    web_socket(where, "/")


def transfer(where: Listener) -> Generator[None]:
    from websockets.sync.client import connect

    # A queue of two messages: who does not ask for the next one reads no further.
    options: dict[str, Any] = {"max_queue": 2, "max_size": None, "close_timeout": 1}
    with connect("ws://127.0.0.1/", sock=where.dial(), **options) as client:
        client.send("much")
        assert client.recv(SECONDS) == bytes([0]) * SIZE
        yield
        for number in range(1, COUNT):
            assert client.recv(SECONDS) == bytes([number]) * SIZE


AUTOBAHN = Stranger(
    "autobahn",
    "`autobahn.twisted.websocket.WebSocketServerFactory`",
    "websockets",
    SOURCE,
    talk,
    transfer,
    "200 messages",
    faults={("burst", "tls"): BY_CLASS},
    packages=("autobahn", "websockets"),
)
