"""Lines as WebSocket messages: a line frontend's or IRC's protocol on a WebSocket connection.

A message is a line without its end, in both directions (for IRC as IRCv3's WebSocket page has it).
The protocol is the other frontend's own, and sees a transport like any other.  This module must
not know what the lines say.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IAddress
from twisted.python.failure import Failure

from socketsuite.services.chat.person import Person
from socketsuite.services.chat.web.session import is_secure
from socketsuite.web.connection import WebSocketConnection
from socketsuite.wire.websocket import encode_binary, encode_text


class _Frames:
    """Makes frames of what is written, once for all whom the same bytes are written to."""

    def __init__(self, binary: bool) -> None:
        self._encode = encode_binary if binary else encode_text
        self._binary = binary
        self._data = self._made = b""

    def of(self, data: bytes) -> bytes:
        """Return whole lines as frames, a line each."""
        if data is not self._data:
            lines = data.split(b"\n")
            if not lines[-1]:
                lines.pop()
            self._made = b"".join([self._encode(self._text(line)) for line in lines])
            self._data = data
        return self._made

    def _text(self, line: bytes) -> bytes:
        line = line.removesuffix(b"\r")
        if self._binary or line.isascii():
            return line
        return line.decode("utf-8", "replace").encode()


_TEXT, _BINARY = _Frames(binary=False), _Frames(binary=True)


class MessageTransport:
    """A WebSocket connection, as a protocol of lines sees it: what is written is whole lines.

    :param binary: whether lines go out as binary messages.
    """

    def __init__(self, connection: WebSocketConnection, binary: bool) -> None:
        self._connection = connection
        self._frames = _BINARY if binary else _TEXT
        self.disconnecting = False

    def write(self, data: bytes) -> None:
        """Send lines."""
        if not self.disconnecting:
            self._connection.send_frame(self._frames.of(data))

    def corked(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call *function*, and return its result; the lines that it writes leave together."""
        return self._connection.corked(function, *arguments)

    def loseConnection(self) -> None:
        """Close behind what was written."""
        self.disconnecting = True
        self._connection.close(1000)

    # WebSocket has no half-closing: who closes is done with writing, and hears the other's close.
    loseWriteConnection = loseConnection

    def abortConnection(self) -> None:
        """Close at once."""
        self.disconnecting = True
        self._connection.abort()

    def pauseProducing(self) -> None:
        """Read nothing more."""
        self._connection.pause()

    def resumeProducing(self) -> None:
        """Read on."""
        self._connection.resume()

    def getPeer(self) -> IAddress:
        """Return the client's address, as a proxy that is believed tells it."""
        host = self._connection.client
        if not host:
            return UNIXAddress(None)
        kind = IPv6Address if ":" in host else IPv4Address
        port = getattr(self._connection.transport.getPeer(), "port", 0)
        address: IAddress = kind("TCP", host, port)
        return address

    def getHost(self) -> IAddress:
        """Return our own address."""
        address: IAddress = self._connection.transport.getHost()
        return address


class SecureMessageTransport(MessageTransport):
    """The same over TLS."""

    def getPeerCertificate(self) -> Any:
        """Return the client's certificate, if it has shown one."""
        return self._connection.transport.getPeerCertificate()


class LineMessages:
    """One WebSocket connection that a protocol of lines speaks; a ``WebSocketHandler``.

    :param protocol: the other frontend's, for this client.
    """

    def __init__(self, protocol: Any, *, binary: bool = False) -> None:
        self.protocol = protocol
        self._binary = binary

    @property
    def person(self) -> Person | None:
        """Who it is, for the daemon's operator."""
        person: Person | None = self.protocol.person
        return person

    def connection_made(self, connection: WebSocketConnection) -> None:
        """Let the protocol begin."""
        kind = SecureMessageTransport if is_secure(connection) else MessageTransport
        self.protocol.makeConnection(kind(connection, self._binary))

    def text_received(self, text: str) -> None:
        """Give the protocol a line."""
        self.binary_received(text.encode())

    def binary_received(self, data: bytes) -> None:
        """Give the protocol a line."""
        self.protocol.dataReceived(data.rstrip(b"\r\n") + b"\n")

    def connection_closed(self, code: int, reason: str) -> None:
        """Let the protocol end."""
        lost: Exception = ConnectionLost() if code == 1006 else ConnectionDone()
        self.protocol.connectionLost(Failure(lost))

    def drain(self) -> None:
        """Let the protocol say why, and close."""
        self.protocol.drain()
