"""A site in this process, on either transport, turned by hand; and raw callers."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import tcp
from twisted.web.resource import Resource

from socketsuite.transport.burst import accelerate
from socketsuite.web.site import BoundedSite, SiteLimits
from socketsuite.web.websocket import WebSocketConnection, WebSocketOptions, WebSocketResource
from tests.support.hand_turned import HandTurned
from tests.support.websocket_frames import Got, opening, take_frame


class Echo:
    """Sends each message back, and keeps what it was told."""

    connection: WebSocketConnection

    def __init__(self) -> None:
        self.told: list[Any] = []

    def connection_made(self, connection: WebSocketConnection) -> None:
        self.connection = connection
        self.told.append("made")

    def text_received(self, text: str) -> None:
        self.told.append(text)
        self.connection.send_text(text)

    def binary_received(self, data: bytes) -> None:
        self.told.append(data)
        self.connection.send_binary(data)

    def connection_closed(self, code: int, reason: str) -> None:
        self.told.append((code, reason))


class Caller:
    """One connection to a port, whose reactor it turns while it waits."""

    def __init__(self, port: HandTurned) -> None:
        self.port, self.socket, self.data, self.ended = port, port.call(), b"", False
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, *pieces: bytes) -> None:
        """Send each piece in a segment of its own, and let it be read."""
        for piece in pieces:
            while piece:
                try:
                    piece = piece[self.socket.send(piece) :]
                except BlockingIOError:
                    self.port.turn()
                self.take()
            if len(pieces) > 1:
                self.port.turn()

    def take(self) -> None:
        """Take what has come; keep the end in mind."""
        try:
            while piece := self.socket.recv(1 << 16):
                self.data += piece
            self.ended = True
        except BlockingIOError:
            pass
        except ConnectionResetError:
            self.ended = True

    def until(self, found: bytes) -> bytes:
        """Return what comes up to *found*, with it."""

        def there() -> bool:
            self.take()
            assert found in self.data or not self.ended, f"ended after {self.data[:500]!r}"
            return found in self.data

        self.port.until(there)
        head, _, self.data = self.data.partition(found)
        return head + found

    def frame(self) -> Got:
        """Return the next frame."""
        taken: list[Any] = []

        def there() -> bool:
            self.take()
            taken[:] = [take_frame(self.data)]
            assert taken[0] or not self.ended, f"ended after {self.data[:500]!r}"
            return taken[0] is not None

        self.port.until(there)
        got, self.data = taken[0]
        return got  # type: ignore[no-any-return]

    def rest(self) -> bytes:
        """Return what comes up to the end."""

        def there() -> bool:
            self.take()
            return self.ended

        self.port.until(there)
        data, self.data = self.data, b""
        return data

    def answer(self) -> tuple[int, dict[str, str], bytes]:
        """Return the status, the headers and the body of an answer that tells its length."""
        lines = self.until(b"\r\n\r\n").decode().split("\r\n")[:-2]
        pairs = (line.partition(": ") for line in lines[1:])
        headers = {name.lower(): value for name, _, value in pairs}
        size = int(headers.get("content-length", 0))

        def there() -> bool:
            self.take()
            return len(self.data) >= size

        self.port.until(there)
        body, self.data = self.data[:size], self.data[size:]
        return int(lines[0].split()[1]), headers, body


class WebPort(HandTurned):
    """A port with a WebSocket at ``/ws`` that echoes, or what *root* has."""

    def __init__(
        self,
        transport: str = "burst",
        *,
        root: Resource | None = None,
        options: WebSocketOptions | None = None,
        limits: SiteLimits | None = None,
        **more: Any,
    ) -> None:
        super().__init__()
        self.handlers: list[Any] = []
        self.make_handler: Any = Echo
        if root is None:
            root = Resource()
            root.putChild(
                b"ws", WebSocketResource(self._open, options, subprotocols=("one", "two"))
            )
        self.site = BoundedSite(root, limits, reactor=self.reactor, **more)
        port = self.reactor.listenTCP(0, self.site, 200, "127.0.0.1")
        self.port = accelerate(port) if transport == "burst" else port

    def _open(self, request: Any, subprotocol: str | None) -> Any:
        self.handlers.append(self.make_handler())
        return self.handlers[-1]

    def caller(self) -> Caller:
        return Caller(self)

    def websocket(self, *more: str, path: str = "/ws") -> Caller:
        """Return a caller whose handshake is done."""
        made = self.caller()
        made.send(opening(path, *more))
        head = made.until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        return made

    def carriers(self) -> list[Any]:
        """Return the transports that are open."""
        found = [*self.reactor.getReaders(), *getattr(self.burst, "members", {}).values()]
        return [each for each in found if isinstance(each, tcp.Server)]

    @property
    def burst(self) -> Any:
        """The reactor's burst, compiled or not; None before there is one."""
        found = vars(self.reactor)
        return found.get("_socketsuite_burst", found.get("_socketsuite_burst_pure"))
