"""A WebSocket connection (RFC 6455): between a transport and a program's handler.

It takes the transport over from HTTP when the handshake is done.  Its timers are those of all
connections with the same options.  This module must not know how a connection is opened, nor what
a message means.
"""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol, IPushProducer
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from socketsuite.reasons import (
    ABORTED_BY_SERVICE,
    CLOSED_BY_SERVICE,
    ERROR_IN_PROTOCOL,
    Reason,
)
from socketsuite.web.endings import end_politely, say_why
from socketsuite.web.incoming import BadFrameError, Event
from socketsuite.web.options import Common
from socketsuite.web.reading import CLOSED, CLOSING, OPEN, Reading
from socketsuite.wire.websocket import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    CloseCode,
    CloseError,
    deflate_frame,
    encode_binary,
    encode_close,
    encode_frame,
    encode_text,
    parse_close,
)

DEFLATE_FROM = 512
"""Bytes from which on a message is worth compressing."""

_log = Logger()


class WebSocketHandler(Protocol):
    """What a program supplies for a connection.

    Whatever a method raises is logged, and ends this connection with 1011.  A handler may have
    a method ``drain()``, called once when the daemon is about to end; without one the connection
    is closed with 1001.
    """

    def connection_made(self, connection: WebSocketConnection) -> None:
        """Take the open connection."""

    def text_received(self, text: str) -> None:
        """Take a whole text message."""

    def binary_received(self, data: bytes) -> None:
        """Take a whole binary message."""

    def connection_closed(self, code: int, reason: str) -> None:
        """Learn that the connection is over; once, and nothing comes after it.

        *code* is what the peer's close frame said (1005 where that had none), our own code where
        it was the peer that broke a rule, and 1006 where the connection was lost.
        """


@implementer(IProtocol, IHalfCloseableProtocol, IPushProducer)
class WebSocketConnection(Reading):
    """An open WebSocket; a protocol for its transport, and what a handler speaks to.

    Whatever is sent after the end is dropped, as on any transport.

    :ivar handler: the program's side; ``None`` once it has been told of the end.
    :ivar client: the client's host, as the site believes it to be.
    :ivar subprotocol: what was agreed on, or ``None``.
    """

    __slots__ = ("__weakref__", "_mark", "client", "handler", "subprotocol")

    def __init__(
        self,
        common: Common,
        handler: WebSocketHandler,
        subprotocol: str | None = None,
        *,
        deflates: bool = False,
        client: str = "",
    ) -> None:
        super().__init__(common, deflates)
        self.handler: WebSocketHandler | None = handler
        self.subprotocol, self.client = subprotocol, client
        self._mark = 0

    # ── sending ─────────────────────────────────────────────────────────────────────

    def send_text(self, text: str) -> None:
        """Send a text message."""
        try:
            data = text.encode()
        except UnicodeEncodeError:  # half a surrogate pair, as browsers do it
            data = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
        if self.deflates and len(data) >= DEFLATE_FROM:
            self.send_frame(deflate_frame(data, TEXT))
        else:
            self.send_frame(encode_text(data))

    def send_binary(self, data: bytes) -> None:
        """Send a binary message."""
        if self.deflates and len(data) >= DEFLATE_FROM:
            self.send_frame(deflate_frame(data, BINARY))
        else:
            self.send_frame(encode_binary(data))

    def send_frame(self, frame: bytes) -> None:
        """Send what :mod:`socketsuite.wire.websocket` made of a message, perhaps for many.

        A frame of ``deflate_frame`` may go only where :attr:`deflates` is true.
        """
        if self._state == OPEN:
            self.transport.write(frame)

    def _handle(self, event: Event) -> None:
        opcode, payload = event
        if opcode in (TEXT, BINARY):
            handler = self.handler
            if self._state == OPEN and handler is not None:
                called = handler.text_received if opcode == TEXT else handler.binary_received
                self._call(called, payload)
        elif opcode == PING:
            if self._state == OPEN:
                self.transport.write(encode_frame(PONG, payload))
        elif opcode == CLOSE:
            self._peer_closes(payload)
        # A pong has said what it can say by coming.

    def _call(self, method: Any, *arguments: Any) -> None:
        """Call the handler; what it raises ends this connection and nothing else."""
        try:
            method(*arguments)
        except Exception:  # noqa: BLE001
            _log.failure("a WebSocket's handler failed")
            say_why(self.transport, ERROR_IN_PROTOCOL)
            self._fail(CloseCode.INTERNAL_ERROR, "")

    # ── pings ───────────────────────────────────────────────────────────────────────

    def ping(self) -> None:
        """Ask for a sign of life."""
        self._asked = True
        self._mark = getattr(self.transport, "bytes_out", 0)
        if not self.congested:
            self.transport.write(encode_frame(PING, b""))
        self._common.pinged.start(self)

    def judge_silence(self) -> None:
        """End the connection, unless it is we who do not read, or the peer takes what is sent."""
        taken = getattr(self.transport, "bytes_out", 0) != self._mark
        if self._paused or (self.congested and taken):
            self._show_life()
        else:
            self._cut_off(ABORTED_BY_SERVICE.because("no answer to a ping"))

    def close_is_late(self) -> None:
        """End the connection, whose peer has not done its part of the close."""
        self._cut_off(ABORTED_BY_SERVICE.because("no answer to a close"))

    def _cut_off(self, reason: Reason) -> None:
        say_why(self.transport, reason)
        self.abort()

    def pauseProducing(self) -> None:
        """Learn that the peer leaves much unread."""
        self.congested = True
        self._look_whether_to_read()

    def resumeProducing(self) -> None:
        """Learn that the peer has taken it."""
        self.congested = False
        if self._asked:
            self._show_life()
        self._go_on()

    def stopProducing(self) -> None:
        """Learn that nothing can be sent any more; ``connectionLost`` follows."""

    # ── the end ─────────────────────────────────────────────────────────────────────

    def close(self, code: int = CloseCode.NORMAL, reason: str = "") -> None:
        """Begin the closing handshake; what was sent before goes out first.

        Messages that still come are dropped.  A peer that does not do its part within the close
        time-out is cut off.

        :raises ValueError: for a code that must not be sent.
        """
        frame = encode_close(code, reason)
        if self._state == OPEN:
            self._state = CLOSING
            self.transport.write(frame)
            say_why(self.transport, CLOSED_BY_SERVICE)
            self._await_end()
            if (self._paused or self.congested) and not self._later:
                self._go_on_later()  # not from within this call: the handler may be told the end

    def abort(self) -> None:
        """End the connection at once; the handler is told 1006, and nothing before that."""
        self._state = CLOSED
        if self.transport is not None:
            self.transport.abortConnection()

    def drain(self) -> None:
        """Finish: by the handler's own ``drain``, or with 1001."""
        drain = getattr(self.handler, "drain", None)
        if self._state == OPEN and callable(drain):
            self._call(drain)
        else:
            self.close(CloseCode.GOING_AWAY)

    def _peer_closes(self, payload: bytes) -> None:
        try:
            code, reason = parse_close(payload)
        except CloseError as bad:
            raise BadFrameError(bad.code, str(bad)) from None
        if self._state == OPEN:
            self.transport.write(encode_close(code))
        self._over(code, reason)
        end_politely(self.transport)  # some send on nevertheless

    def _fail(self, code: int, text: str) -> None:
        """Say *code* and end, whatever the peer does."""
        if self._state == CLOSED:
            return
        if self._state == OPEN:
            self.transport.write(encode_close(code, text))
        say_why(self.transport, CLOSED_BY_SERVICE.because(text))
        self._over(code, text)
        end_politely(self.transport)

    def _over(self, code: int, reason: str) -> None:
        """Tell the handler; what is left is the transport's end."""
        self._state = CLOSED
        self._incoming = None
        self._await_end()
        self.transport.unregisterProducer()  # TLS would wait for it
        self._look_whether_to_read()  # to see the peer's end
        self._tell_end(code, reason)

    def _await_end(self) -> None:
        self._asked = False
        self._common.stop(self)
        self._common.closing.start(self)

    def _tell_end(self, code: int, reason: str) -> None:
        handler, self.handler = self.handler, None
        if handler is None:
            return
        try:
            handler.connection_closed(code, reason)
        except Exception:  # noqa: BLE001
            _log.failure("a WebSocket's handler failed at the end")

    def readConnectionLost(self) -> None:
        """The peer has closed its half without a close frame, or after it."""
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """Our half is closed; the peer's follows."""

    def connectionLost(self, reason: Failure) -> None:
        """The transport is gone."""
        self._common.stop(self)
        self._state = CLOSED
        self._incoming = None
        self._tell_end(CloseCode.ABNORMAL, "")

    def makeConnection(self, transport: Any) -> None:
        """Take *transport* over, and begin."""
        self.transport = transport
        transport.registerProducer(self, True)
        if self._common.options.ping_interval:
            self._common.pings.start(self)
        handler = self.handler
        if handler is not None:
            self._call(handler.connection_made, self)

    def connectionMade(self) -> None:
        """Part of a protocol's interface; :meth:`makeConnection` does it all."""
