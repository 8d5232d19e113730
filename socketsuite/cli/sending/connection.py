"""One connection to a server of the acknowledgement protocol: messages in, messages out.

This module must not know what is sent, nor what becomes of a connection's end.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer, ITCPTransport
from twisted.internet.protocol import connectionDone
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure
from zope.interface import implementer

from socketsuite.transport.dial.dialing import StreamClient, cause_of
from socketsuite.transport.dial.failed import Code, Failed
from socketsuite.wire.acks import (
    Error,
    Go,
    Ping,
    Pong,
    ProtocolError,
    Ready,
    Reply,
    ReplyParser,
    Wait,
)
from socketsuite.wire.merkle import LEAF

PING_AFTER = 15.0
SILENCE = 30.0
_LOOK_EVERY = 1.0
_MOST_UNREAD = 1 << 18
_KEEPALIVE = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 4}


class Broken(Failed):
    """The connection cannot be used any more; another may be."""


class Refused(Failed):
    """The server has ended the connection with an error.

    :ivar reason: its code.
    """

    def __init__(self, error: Error) -> None:
        super().__init__(f"the server refuses: {error.text or error.code}", "daemon-refused")
        self.reason = error.code


@implementer(IPushProducer)
class _Writable:
    """Whether what is written would still be sent soon."""

    def __init__(self, moved: Any) -> None:
        self._moved = moved
        self._is_paused = False
        self._waits: Deferred[None] | None = None

    def pauseProducing(self) -> None:
        self._is_paused = True

    def resumeProducing(self) -> None:
        self._is_paused = False
        self._moved()
        waits, self._waits = self._waits, None
        if waits is not None:
            waits.callback(None)

    def stopProducing(self) -> None:
        self._is_paused = True

    async def wait(self) -> None:
        while self._is_paused:
            self._waits = Deferred()
            await self._waits


class AckConnection(StreamClient):
    """Our end of a connection; ``dial()`` connects it.

    :ivar greeting: what the server said first; set by :meth:`opened`.
    :ivar waiting: the reason of a WAIT that holds.
    """

    greeting: Ready

    def __init__(self, reactor: Any) -> None:
        super().__init__()
        self._reactor = reactor
        self._parser = ReplyParser()
        self._writable = _Writable(self._moved)
        self._broken: Exception | None = None
        self._waits: Deferred[None] | None = None
        self._is_paused = False
        self._watch = LoopingCall(self._look)
        self._watch.clock = reactor
        self._last = 0.0
        self._pinged = False
        self.waiting: str | None = None

    def handshakeCompleted(self) -> None:
        """Be ready, and begin to watch for silence."""
        if ITCPTransport.providedBy(self.transport):
            _keep_alive(self.transport)
        self.transport.registerProducer(self._writable, True)
        self._moved()
        self._watch.start(_LOOK_EVERY, now=False)
        super().handshakeCompleted()

    def dataReceived(self, data: bytes) -> None:
        """Keep what came until it is asked for, which has a bound."""
        self._moved()
        self._parser.feed(data)
        if not self._is_paused and self._parser.pending > _MOST_UNREAD:
            self._is_paused = True
            self.transport.pauseProducing()
        self._wake()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell whoever waits for a reply."""
        if self._watch.running:
            self._watch.stop()
        super().connectionLost(reason)
        assert reason.value is not None
        self._break(Broken(*cause_of(reason.value, self)))

    def fail(self, error: Exception) -> None:
        """Give the connection up at once: whoever waits for a reply is told *error*."""
        self._break(error)
        if self.transport is not None:
            self.transport.abortConnection()

    def close(self) -> None:
        """End in good order; what was written is sent."""
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def _break(self, error: Exception) -> None:
        self._broken = self._broken or error
        self._wake()

    def _wake(self) -> None:
        waits, self._waits = self._waits, None
        if waits is not None:
            waits.callback(None)

    def _moved(self) -> None:
        self._last = self._reactor.seconds()
        self._pinged = False

    def _look(self) -> None:
        silent = self._reactor.seconds() - self._last
        if self.waiting is not None or self._is_paused:
            self._moved()  # the server reads nothing now, or we do not
        elif silent >= SILENCE:
            self.fail(Broken(f"no answer for {SILENCE:g} s", "timeout"))
        elif silent >= PING_AFTER and not self._pinged:
            self._pinged = True
            self.transport.write(Ping().encode())

    async def opened(self, seconds: float) -> None:
        """Wait for the server's greeting, *seconds* at most.

        :raises Failed: when it is no server of this protocol, or refuses.
        """
        text = f"no greeting within {seconds:g} s; --ack wants a port of the sink's frontend ack"
        late = Broken(text, "timeout")
        timer = self._reactor.callLater(seconds, self.fail, late)
        try:
            first = await self.reply()
        finally:
            if timer.active():
                timer.cancel()
        if not isinstance(first, Ready):
            raise _foreign("it did not begin with READY")
        if first.leaf != LEAF:
            raise _foreign(f"its tree hash has leaves of {first.leaf} bytes, not {LEAF}")
        self.greeting = first

    async def reply(self) -> Reply:
        """Return the server's next message, but PONG.

        :raises Refused: after ERROR.
        :raises Broken: when the connection has ended.
        :raises Failed: when it is no server of this protocol; and what :meth:`fail` was given.
        """
        while True:
            try:
                found = self._parser.next_event()
            except ProtocolError as error:
                raise _foreign(error.text) from None
            match found:
                case None if self._broken is not None:
                    raise self._broken
                case None:
                    await self._heard()
                case Error():
                    raise Refused(found)
                case Pong():
                    pass
                case _:
                    if isinstance(found, (Wait, Go)):
                        self.waiting = found.reason if isinstance(found, Wait) else None
                    return found

    async def _heard(self) -> None:
        if self._is_paused:
            self._is_paused = False
            self.transport.resumeProducing()
        self._waits = Deferred()
        await self._waits

    async def writable(self) -> None:
        """Wait until what is written would be sent soon."""
        await self._writable.wait()

    def write(self, *pieces: bytes) -> None:
        """Send *pieces*, one whole message after the other."""
        self.transport.writeSequence(pieces)


def _keep_alive(transport: Any) -> None:
    transport.setTcpKeepAlive(True)
    handle = transport.getHandle()
    with suppress(OSError, AttributeError):
        for name, value in _KEEPALIVE.items():
            handle.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def _foreign(text: str) -> Failed:
    code: Code = "protocol"
    return Failed(f"it does not speak the acknowledgement protocol: {text}", code)
