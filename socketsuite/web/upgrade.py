"""From an HTTP request to a WebSocket: the answer, and the transport changes hands.

After it the transport's protocol is the WebSocket itself, and nothing of HTTP is left: neither a
call through its channel, nor the memory of the channel and the request.  It knows attributes of
``twisted.web.http`` that are not documented.  This module must not know what is served.
"""

from __future__ import annotations

from typing import Any

from twisted.web import http, server

from socketsuite.addresses import host_text
from socketsuite.web.connection import WebSocketConnection, WebSocketHandler
from socketsuite.web.options import WebSocketOptions, common_of
from socketsuite.wire.websocket import (
    HandshakeError,
    Offer,
    accept_deflate,
    accept_value,
    parse_opening,
)


class Refused(Exception):
    """No connection for this request; it is answered by HTTP.

    :ivar status: of the answer, *text* its one line.
    """

    def __init__(self, status: int, text: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(text)
        self.status, self.text, self.headers = status, text, headers


def offer_of(request: Any) -> Offer:
    """Return what *request* offers.

    :raises Refused: when it opens no WebSocket.
    """
    headers = [
        (name, value)
        for name, values in request.requestHeaders.getAllRawHeaders()
        for value in values
    ]
    try:
        return parse_opening(request.method, request.clientproto, headers)
    except HandshakeError as error:
        raise Refused(error.status, str(error), error.headers) from None


def client_of(request: Any) -> str:
    """Return the host that *request* came from, as its site believes; empty on a Unix socket."""
    return host_text(getattr(request.getClientAddress(), "host", "") or "")


def upgrade(
    request: Any,
    handler: WebSocketHandler,
    options: WebSocketOptions | None = None,
    subprotocol: str | None = None,
    *,
    reactor: Any = None,
) -> int:
    """Make a WebSocket of *request*, for *handler*; return what ``render`` is to return.

    It may be called later, too, by a resource that answered ``NOT_DONE_YET``.  The caller has
    looked at the origin.

    :param request: of ``twisted.web``, over HTTP/1.1, whose answer has not begun.
    :param reactor: for the connection's timers; the site's without one.
    :raises Refused: when it opens no WebSocket; nothing has been sent then.
    """
    options = options or WebSocketOptions()
    offer = offer_of(request)
    channel: Any = request.channel
    if not isinstance(channel, http.HTTPChannel) or request.startedWriting:
        raise Refused(400, "a WebSocket is opened by HTTP/1.1, before anything is answered")
    gone = channel.transport is None or getattr(channel, "half_closed", False)
    if gone or getattr(channel.transport, "disconnecting", False):
        raise Refused(503, "this connection is being closed")
    deflate = accept_deflate(offer.extensions) if options.deflate else None
    common = common_of(reactor or request.site.reactor, options)
    connection = WebSocketConnection(
        common, handler, subprotocol, deflates=deflate is not None, client=client_of(request)
    )
    draining = getattr(channel, "draining", False)
    log = getattr(channel.factory, "log", None)
    transport, rest = _take_over(request, channel, connection)
    transport.write(_accept(request, offer, subprotocol, deflate))
    if log is not None:
        log(request)
    connection.makeConnection(transport)
    if draining:
        connection.drain()
    if rest:
        connection.dataReceived(rest)
    return server.NOT_DONE_YET


def _accept(request: Any, offer: Offer, subprotocol: str | None, deflate: str | None) -> bytes:
    said = request.responseHeaders
    request.setResponseCode(http.SWITCHING)
    for name in ("Content-Type", "Content-Length", "Transfer-Encoding", "Connection", "Server"):
        said.removeHeader(name)
    if request.cookies:
        said.setRawHeaders(b"Set-Cookie", request.cookies)
    # Spelt as the RFC does it, which Twisted's headers would not.
    text = (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept_value(offer.key)}\r\n"
    )
    if subprotocol is not None:
        text += f"Sec-WebSocket-Protocol: {subprotocol}\r\n"
    if deflate is not None:
        text += f"Sec-WebSocket-Extensions: {deflate}\r\n"
    lines = [
        name + b": " + value + b"\r\n"
        for name, values in said.getAllRawHeaders()
        for value in values
    ]
    return text.encode() + b"".join(lines) + b"\r\n"


def _take_over(request: Any, channel: Any, connection: WebSocketConnection) -> tuple[Any, bytes]:
    """Put *connection* where *channel* was; return the transport, and bytes not looked at yet."""
    transport = channel.transport
    channel._networkProducer.unregisterProducer()
    rest = b"".join(channel._dataBuffer) + channel.clearLineBuffer()
    channel._dataBuffer = []
    _replace(transport, channel, connection)
    release = getattr(channel, "release", None)
    if release is not None:
        release()
    channel.setTimeout(None)
    channel.requests.clear()
    notifications, request.notifications = request.notifications, []
    for each in notifications:
        each.callback(None)
    if request.content is not None:
        request.content.close()
    request.channel = None  # whatever a resource does to it now fails, instead of being sent
    request.finished = 1
    transport.resumeProducing()  # paused, if more had come than a channel holds
    return transport, rest


def _replace(transport: Any, channel: Any, connection: WebSocketConnection) -> None:
    """Make *connection* the protocol of *transport*.

    *channel* is its protocol, or is wrapped by it, by Twisted's own way of choosing a version of
    HTTP or by a stranger's; and the transport may be a wrapper (Twisted's TLS) itself.
    """
    for name in ("wrappedProtocol", "protocol"):
        held = getattr(transport, name, None)
        if held is channel or getattr(held, "_channel", None) is channel:
            setattr(transport, name, connection)
            return
    # Somebody between us hands bytes on: the channel does so, too.
    channel.dataReceived = connection.dataReceived
    channel.connectionLost = connection.connectionLost
