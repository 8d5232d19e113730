"""A client of Engine.IO by hand: raw requests and frames, so that it can do what none does."""

from __future__ import annotations

import http.client
import json
import socket
from typing import Any

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    RejectConnection,
    TextMessage,
)
from wsproto.events import Request as Opening

SECONDS = 20.0
POLLING = "/socket.io/?EIO=4&transport=polling"
WEBSOCKET = "/socket.io/?EIO=4&transport=websocket"

Answer = tuple[int, str]


def request(
    port: int,
    path: str,
    body: bytes | str | None = None,
    *,
    method: str = "",
    source: str = "127.0.0.1",
    headers: dict[str, str] | None = None,
) -> tuple[int, str, http.client.HTTPMessage]:
    """Return the status, the text and the headers of one answer."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", port, timeout=SECONDS, source_address=(source, 0)
    )
    data = body.encode() if isinstance(body, str) else body
    connection.request(method or ("GET" if data is None else "POST"), path, data, headers or {})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text, answer.headers


class Polling:
    """A session over polling; *opened* is what its first answer says."""

    def __init__(self, port: int, source: str = "127.0.0.1") -> None:
        self.port, self.source = port, source
        status, text, _ = request(port, POLLING, source=source)
        assert status == 200, text
        self.opened: dict[str, Any] = json.loads(text.removeprefix("0"))
        self.path = f"{POLLING}&sid={self.opened['sid']}"

    def get(self, **more: Any) -> Answer:
        """Poll; return the status and the text."""
        return request(self.port, self.path, **{"source": self.source, **more})[:2]

    def post(self, body: bytes | str, **more: Any) -> Answer:
        """Send a payload; return the status and the text."""
        return request(self.port, self.path, body, **{"source": self.source, **more})[:2]

    def hang(self) -> socket.socket:
        """Begin a poll, and return its connection."""
        caller = socket.create_connection(
            ("127.0.0.1", self.port), SECONDS, source_address=(self.source, 0)
        )
        head = f"GET {self.path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        caller.sendall(head.encode())
        return caller


class WebSocket:
    """A WebSocket at *path*; :attr:`status` is 101 if it was opened."""

    def __init__(
        self, port: int, path: str = WEBSOCKET, source: str = "", origin: str | None = None
    ) -> None:
        address = (source, 0) if source else None
        self.socket = socket.create_connection(("127.0.0.1", port), SECONDS, address)
        self._wire = WSConnection(ConnectionType.CLIENT)
        extra = [] if origin is None else [(b"Origin", origin.encode())]
        opening = Opening(host=f"127.0.0.1:{port}", target=path, extra_headers=extra)
        self.socket.sendall(self._wire.send(opening))
        self._events: list[Any] = []
        event = self._event()
        self.status = 101 if isinstance(event, AcceptConnection) else event.status_code
        assert isinstance(event, (AcceptConnection, RejectConnection))

    def send(self, *messages: str | bytes) -> None:
        """Send messages, in one segment."""
        data = b""
        for message in messages:
            if isinstance(message, str):
                data += self._wire.send(TextMessage(data=message))
            else:
                data += self._wire.send(BytesMessage(data=message))
        self.socket.sendall(data)

    def receive(self) -> Any:
        """Return the next message; ``None`` at the end."""
        event = self._event()
        while isinstance(event, (TextMessage, BytesMessage)) and not event.message_finished:
            more = self._event()
            event = type(event)(data=event.data + more.data, message_finished=more.message_finished)
        return None if isinstance(event, CloseConnection) else event.data

    def _event(self) -> Any:
        while not self._events:
            try:
                data = self.socket.recv(1 << 16)
            except ConnectionResetError:
                data = b""
            self._wire.receive_data(data or None)
            self._events = list(self._wire.events())
        return self._events.pop(0)

    def close(self) -> None:
        """End without a word."""
        self.socket.close()
