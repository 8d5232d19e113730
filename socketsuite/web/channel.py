"""One HTTP/1.1 connection within its limits: twisted.web's channel, and what it leaves open.

Each request has its lines, its headers, its body and its time bounded, and what two readers could
take in two ways is refused.  It knows attributes of ``twisted.web.http`` that are not documented.
This module must not know what is served, nor who asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web import http
from zope.interface import implementer

from socketsuite.reasons import CLOSED_BY_SERVICE
from socketsuite.web.answers import refusal
from socketsuite.web.endings import end_politely, say_why


@dataclass(frozen=True)
class SiteLimits:
    """What one connection may cost.

    :param request_line: bytes of the first line; more is answered by 414.
    :param header_bytes: of all headers together, *headers* their number; more is 431.
    :param body: bytes of a request's body, where no resource on its way has a ``max_body``; more
        is 413, before it is read where the request says its length.
    :param request_seconds: from a request's first byte to its last; then 408.
    :param idle_seconds: without a request; then the connection is closed.
    :param pipelined: requests that are answered without their client waiting for any answer;
        after so many the connection is closed.
    :param linger_seconds: for a client to take an answer to what it was still sending.
    """

    request_line: int = 8192
    header_bytes: int = 16384
    headers: int = 100
    body: int = 65536
    request_seconds: float = 20.0
    idle_seconds: float = 60.0
    pipelined: int = 64
    linger_seconds: float = 2.0


_IDLE, _RECEIVING, _ANSWERING = "idle", "receiving", "answering"
_LONGEST_LENGTH = 15  # digits of a Content-Length
_FIELDS_TOO_LARGE = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE


@implementer(IHalfCloseableProtocol)
class BoundedChannel(http.HTTPChannel):
    """A connection of a :class:`~socketsuite.web.site.BoundedSite`, which is its ``site``.

    :ivar draining: no further request is answered on it.
    :ivar half_closed: the client has closed its half.
    """

    site: Any
    transport: Any
    _networkProducer: Any
    draining = False
    half_closed = False
    timeOut = None  # Twisted's own is put off by every byte

    _refused = False
    _phase = ""
    _due: Any = None
    _in_a_row = 0
    _line_bytes = 0

    def connectionMade(self) -> None:
        """Wait for the first request."""
        limits = self.limits = self.site.limits
        self.MAX_LENGTH = limits.request_line
        self.totalHeadersSize = limits.request_line + limits.header_bytes
        self.maxHeaders = limits.headers + 1  # one more is ours to answer
        super().connectionMade()
        self._look_at_time()

    def dataReceived(self, data: bytes) -> None:
        """Take bytes; after a refusal they are read and dropped."""
        if self._refused:
            return
        super().dataReceived(bytes(data))
        self._look_at_time()

    # ── time ────────────────────────────────────────────────────────────────────────

    def _look_at_time(self) -> None:
        """Give the peer its time for what it is to do next, if that has changed."""
        if self._refused or self.transport is None:
            return
        if self._handlingRequest:
            phase, seconds = _ANSWERING, 0.0
        elif self._buffer or self.requests:
            phase, seconds = _RECEIVING, self.limits.request_seconds
        else:
            phase, seconds = _IDLE, self.limits.idle_seconds
        if phase != self._phase:
            self._phase = phase
            self._wait(seconds)

    def _wait(self, seconds: float) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None
        if seconds:
            self._due = self.site.reactor.callLater(seconds, self._late)

    def _late(self) -> None:
        self._due = None
        if self._refused:
            self.transport.abortConnection()
        elif self._phase == _RECEIVING:
            self.refuse(HTTPStatus.REQUEST_TIMEOUT)
        else:
            self._phase, self._refused = "", True
            say_why(self.transport, CLOSED_BY_SERVICE.because("no request"))
            self.loseConnection()
            self._wait(self.limits.linger_seconds)

    # ── what a request may be ───────────────────────────────────────────────────────

    def lineReceived(self, line: bytes) -> None:
        """Take the request line, a header, or the empty line after them."""
        if self._refused:
            return
        if not self.requests:
            self._line_bytes = len(line)
            super().lineReceived(line)
            self.MAX_LENGTH = self.limits.header_bytes if self.requests else self.MAX_LENGTH
        elif line[:1] in (b" ", b"\t"):
            self.refuse(HTTPStatus.BAD_REQUEST)  # a folded header, which others read otherwise
        elif self._receivedHeaderSize - self._line_bytes + len(line) > self.limits.header_bytes:
            self.refuse(_FIELDS_TOO_LARGE)
        else:
            super().lineReceived(line)

    def lineLengthExceeded(self, line: bytes) -> None:
        """Refuse a line that is too long, complete or not."""
        first = not self.requests
        status = HTTPStatus.REQUEST_URI_TOO_LONG if first else _FIELDS_TOO_LARGE
        self.refuse(status)

    def headerReceived(self, line: bytes) -> bool:
        """Take one header; return whether the request may go on."""
        if self._receivedHeaderCount >= self.limits.headers:
            self.refuse(_FIELDS_TOO_LARGE)
        return not self._refused and bool(super().headerReceived(line))

    def _maybeChooseTransferDecoder(self, header: bytes, data: bytes) -> bool:
        if header == b"Content-Length" and len(data) > _LONGEST_LENGTH:
            self.refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return False
        if header == b"Transfer-Encoding" and (
            data.lower() != b"chunked" or self._version != b"HTTP/1.1"
        ):
            self.refuse(HTTPStatus.BAD_REQUEST)
            return False
        return bool(super()._maybeChooseTransferDecoder(header, data))

    def allHeadersReceived(self) -> None:
        """Judge a request by its headers, before its body is asked for."""
        request: Any = self.requests[-1]
        hosts = request.requestHeaders.getRawHeaders(b"host", [])
        target = self._path.startswith(b"/") or self._path == b"*"
        if not target or len(hosts) > 1 or (not hosts and self._version == b"HTTP/1.1"):
            self.refuse(HTTPStatus.BAD_REQUEST)
        else:
            request.most_body = self.site.most_body(self._path)
            if self.length is not None and self.length > request.most_body:
                self.refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            else:
                super().allHeadersReceived()

    def allContentReceived(self) -> None:
        """Answer a request that is here whole."""
        if self._refused:
            return
        self.MAX_LENGTH = self.limits.request_line
        more = self._buffer or any(self._dataBuffer)  # the next one is here before any answer
        self._in_a_row = self._in_a_row + 1 if more else 0
        self._phase = ""
        self._wait(0)
        super().allContentReceived()

    def requestDone(self, request: Any) -> None:
        """Go on with the next request, or end."""
        if not self._refused:
            super().requestDone(request)
            self._look_at_time()

    def checkPersistence(self, request: Any, version: bytes) -> bool:
        """Return whether another request may follow; say so to the client if not."""
        tokens = {
            token.strip(b" \t").lower()
            for value in request.requestHeaders.getRawHeaders(b"connection", [])
            for token in value.split(b",")
        }
        last = self.draining or self._in_a_row + 1 >= self.limits.pipelined
        if version == b"HTTP/1.1" and b"close" not in tokens and not last:
            return True
        request.responseHeaders.setRawHeaders(b"Connection", [b"close"])
        return False

    # ── endings ─────────────────────────────────────────────────────────────────────

    def refuse(self, status: int) -> None:
        """Answer what is no request, or must not be read to its end; and close."""
        if self._refused:
            return
        self._refused = True
        self.clearLineBuffer()
        for request in self.requests:
            if request.content is not None:
                request.content.close()
        self.requests.clear()
        self.site.refused(self.transport.getPeer(), status)
        say_why(self.transport, CLOSED_BY_SERVICE.because(f"HTTP {int(status)}"))
        self.transport.write(refusal(status, self.site.headers))
        self._linger()

    def _respondToBadRequestAndDisconnect(self) -> None:
        self.refuse(HTTPStatus.BAD_REQUEST)

    def loseConnection(self) -> None:
        """Close; where the client is sending still, so that it sees its answers."""
        if any(self._dataBuffer) or self._buffer:
            self._refused = True
            self._dataBuffer = []
            self._linger()
        else:
            super().loseConnection()

    def _linger(self) -> None:
        self._networkProducer.unregisterProducer()
        self._networkProducer.resumeProducing()
        end_politely(self.transport)
        self._wait(self.limits.linger_seconds)

    def drain(self) -> None:
        """Close when what was asked is answered; at once, if nothing was."""
        self.draining = True
        if not self.requests and not self._buffer:
            self.loseConnection()
            return
        for request in self.requests:
            # Of one that is still coming, checkPersistence says the same.
            self.persistent = False
            if not request.startedWriting:
                request.responseHeaders.setRawHeaders(b"Connection", [b"close"])

    def readConnectionLost(self) -> None:
        """The client's FIN: answer what it asked whole, and close.

        A request that waits for something to happen has a method ``abandoned()``, called now.
        """
        self.half_closed = True
        if self._refused:
            self.transport.loseConnection()
        elif not self._handlingRequest:
            self.loseConnection()
        else:
            self.persistent = False
            for request in list(self.requests):
                abandoned = getattr(request, "abandoned", None)
                if abandoned is not None:
                    abandoned()

    def writeConnectionLost(self) -> None:
        """Our half is closed; the client's follows."""

    def release(self) -> None:
        """Forget the connection, which is a WebSocket now."""
        self._wait(0)
        self._refused = True

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The transport is gone."""
        self._wait(0)
        self._refused = True
        super().connectionLost(reason)
