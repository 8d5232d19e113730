"""Accepted connections that somebody watches: told of, counted, kept within a queue.

``port.transport`` is Twisted's documented place to choose the class of a port's accepted
connections; :func:`watch_port` puts a watched class there, on the burst transport or on
Twisted's own.  This module must not know who watches, nor what the limits are called.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from twisted.internet import tcp, unix
from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure

from socketsuite.reasons import SEND_QUEUE_FULL, USER_TIMEOUT, Reason
from socketsuite.transport.burst import accelerate
from socketsuite.transport.connection import BurstTCPServer, BurstUNIXServer
from socketsuite.transport.proxied import HeaderFirst, Proxied
from socketsuite.transport.tls import BurstTLSServer
from socketsuite.transport.turns import Turns


class Watched(Protocol):
    """What a watcher may ask of a transport; all of it costs nothing until it is asked.

    ``bytes_in`` and ``bytes_out`` count what went over the socket, ``queued`` is what the
    peer has not taken yet, in bytes.  ``why`` is the reason that somebody other than the
    peer gave for the close.
    """

    watch: Watch
    bytes_in: int
    bytes_out: int
    why: Reason | None
    peer_finished: bool
    disconnecting: Any
    protocol: Any
    producer: Any

    @property
    def queued(self) -> int: ...  # noqa: D102
    def getPeer(self) -> Any: ...  # noqa: D102
    def getHost(self) -> Any: ...  # noqa: D102
    def loseConnection(self) -> None: ...  # noqa: D102
    def abortConnection(self) -> None: ...  # noqa: D102


class Watcher(Protocol):
    """Whoever is told of every accepted connection, once when it opens and once at its end.

    *behind* is called whenever a peer has left bytes in the queue, and more are written;
    *exhausted* when a caller cannot be accepted for want of descriptors; *busy* to learn
    whether the service is at work on an answer (``None``: it cannot be known), and
    *half_close_seconds* how long it has for one when that cannot be known.
    """

    def opened(self, transport: Watched) -> None: ...  # noqa: D102
    def closed(self, transport: Watched, reason: Failure) -> None: ...  # noqa: D102
    def received(self, transport: Watched, data: bytes) -> None: ...  # noqa: D102
    def behind(self, transport: Watched) -> None: ...  # noqa: D102
    def exhausted(self, kind: str, error: OSError) -> None: ...  # noqa: D102
    def busy(self, transport: Watched) -> bool | None: ...  # noqa: D102
    def half_close_seconds(self) -> float: ...  # noqa: D102


@dataclass(frozen=True)
class Watch:
    """Who watches a port's connections, and what each may queue.

    :param kind: what these connections are called: ``tcp``, ``tls``, ``unix``.
    :param send_queue: bytes that a peer may have left unread when more is written to it in
        another turn of the reactor; with one more than that it is dropped.
    :param by_proxy: whether connections begin with a proxy's header.
    :param prepare: what each accepted socket is given first, where the listening socket did not
        hand its options on to all of them.
    :param tell_data: whether the watcher is told of every chunk received, which costs.
    """

    watcher: Watcher
    kind: str
    send_queue: int
    tell_data: bool = False
    by_proxy: bool = False
    prepare: Callable[[socket.socket], object] | None = None


class _WatchedMixin:
    """What every watched transport adds, whatever it is made of."""

    watch: Watch
    turns: Turns
    why: Reason | None = None
    peer_finished = False

    _judged_in = -1
    _answer_due: IDelayedCall | None = None

    # Twisted's own attributes, which the classes beside this one bring.
    TLS: bool
    answered: int
    bytes_in: int
    bytes_out: int
    protocol: Any
    producer: Any
    reactor: Any
    connected: int
    disconnected: int
    disconnecting: int
    queued: Any
    _aborting: bool
    loseConnection: Any
    abortConnection: Any
    unregisterProducer: Any

    def __init__(self, skt: socket.socket, *arguments: Any) -> None:
        super().__init__(skt, *arguments)  # type: ignore[call-arg]
        if self.watch.prepare is not None:
            self.watch.prepare(skt)
        self.watch.watcher.opened(self)  # type: ignore[arg-type]

    # ── what a peer leaves unread ───────────────────────────────────────────────────

    def _may_write(self) -> bool:
        """Whether more may be written; else the peer is dropped, or has been.

        Judged is what was left of earlier turns of the reactor, when the peer and the kernel
        had their chance to take it: so an answer of any size, in one piece or many, is never
        too large for a peer who reads.
        """
        if self.connected and self.queued:
            turn = self.turns.current()
            if turn != self._judged_in:
                self._judged_in = turn
                if self.queued > self.watch.send_queue:
                    self.why = self.why or SEND_QUEUE_FULL
                    self.abortConnection()
        return not self._aborting

    # ── callers who close their half ────────────────────────────────────────────────

    def readConnectionLost(self, reason: Failure) -> None:
        """Let a caller who has closed its half have its answer.

        Stock Twisted drops unsent bytes at the caller's FIN unless the protocol knows of
        half-closed connections.  Here they are flushed first, whatever the protocol; and where
        the service may still be at work on an answer, it is given time for it.
        """
        again, self.peer_finished = self.peer_finished, True
        if self.TLS or IHalfCloseableProtocol.providedBy(self.protocol):
            super().readConnectionLost(reason)  # type: ignore[misc]
        elif not again:
            if self.producer is self:
                # It would wait for itself to read on, which will not happen any more.
                self.unregisterProducer()
            self._await_answer()

    def _await_answer(self) -> None:
        """Close as soon as the service has nothing more to say, as far as one can know."""
        busy = self.watch.watcher.busy(self)  # type: ignore[arg-type]
        if busy is None:
            silent = self.bytes_in != self.answered and not self.queued
            busy = silent or self.producer is not None
        seconds = self.watch.watcher.half_close_seconds()
        if busy and seconds and not self.disconnecting:
            self._answer_due = self.reactor.callLater(seconds, self._look_at_answer, self.bytes_out)
        else:
            self.loseConnection()

    def _look_at_answer(self, sent: int) -> None:
        self._answer_due = None
        if self.bytes_out != sent or self.queued:
            busy: bool | None = True  # it is on its way
        else:
            busy = self.watch.watcher.busy(self)  # type: ignore[arg-type]
        if busy and not self.disconnecting:
            seconds = self.watch.watcher.half_close_seconds()
            self._answer_due = self.reactor.callLater(seconds, self._look_at_answer, self.bytes_out)
        else:
            self.loseConnection()

    def connectionLost(self, reason: Failure) -> None:
        if self._answer_due is not None:
            self._answer_due.cancel()
            self._answer_due = None
        first = not self.disconnected
        try:
            super().connectionLost(reason)  # type: ignore[misc]
        finally:
            if first:
                self.watch.watcher.closed(self, reason)  # type: ignore[arg-type]


class _WatchedBurst(_WatchedMixin):
    """On the burst transport, which counts and bounds by itself."""

    dataBuffer: bytes

    @classmethod
    def exhausted(cls, error: OSError) -> None:
        """Say that a caller could not be accepted."""
        cls.watch.watcher.exhausted(cls.watch.kind, error)

    def arm(self) -> None:
        """Wait for the kernel to take more, and say so."""
        super().arm()  # type: ignore[misc]
        if not self.disconnected and (self.queued or self.disconnecting):
            self.watch.watcher.behind(self)  # type: ignore[arg-type]

    def receive_failed(self, error: Exception) -> None:
        """Tell a peer that vanished from one that closed."""
        if isinstance(error, OSError) and error.errno == errno.ETIMEDOUT:
            self.why = self.why or USER_TIMEOUT
        super().receive_failed(error)  # type: ignore[misc]

    def _look_after_queue(self) -> None:
        super()._look_after_queue()  # type: ignore[misc]
        if self.dataBuffer and not self.disconnected:
            self.watch.watcher.behind(self)  # type: ignore[arg-type]

    def _write_unusually(self, data: bytes) -> None:
        if self._may_write():
            super()._write_unusually(data)  # type: ignore[misc]

    def writeSequence(self, iovec: Any) -> None:
        if self._may_write():
            super().writeSequence(iovec)  # type: ignore[misc]


class _Telling:
    """On the burst transport, with a watcher that wants to hear of every chunk."""

    watch: Watch
    _receive: Callable[[int], bytes]

    @property
    def receive(self) -> Callable[[int], bytes]:
        """What the burst reads by: the transport's own way, and a word to the watcher."""
        return self._receive_and_tell

    @receive.setter
    def receive(self, own: Callable[[int], bytes]) -> None:
        self._receive = own

    def _receive_and_tell(self, size: int) -> bytes:
        data = self._receive(size)
        if data:
            self.watch.watcher.received(self, bytes(data))  # type: ignore[arg-type]
        return data


class _WatchedStock(_WatchedMixin):
    """On Twisted's own transport: the counting and bounding that it lacks."""

    def _await_answer(self) -> None:
        if isinstance(self.protocol, TLSMemoryBIOProtocol):
            # A FIN without the close alert: it has no half-close, and nothing can be answered.
            self.loseConnection()
        else:
            super()._await_answer()

    bytes_in = 0
    bytes_out = 0
    answered = 0
    offset: int
    dataBuffer: bytes
    _tempDataBuffer: list[bytes]
    _tempDataLen: int

    def _dataReceived(self, data: bytes | None) -> Any:
        if data:
            self.bytes_in += len(data)
            if self.watch.tell_data:
                self.watch.watcher.received(self, data)  # type: ignore[arg-type]
        return super()._dataReceived(data)  # type: ignore[misc]

    def writeSomeData(self, data: bytes) -> Any:
        sent = super().writeSomeData(data)  # type: ignore[misc]
        if isinstance(sent, int):
            self.bytes_out += sent
            self.answered = self.bytes_in
        return sent

    @property
    def queued(self) -> int:
        """Bytes written by the protocol that the kernel has not taken."""
        return len(self.dataBuffer) - self.offset + self._tempDataLen

    def startWriting(self) -> None:
        """Wait for the kernel to take more, and say so: it may never come to that."""
        super().startWriting()  # type: ignore[misc]
        if not self.disconnected:
            self.watch.watcher.behind(self)  # type: ignore[arg-type]

    def write(self, data: bytes) -> None:
        if self._may_write():
            super().write(data)  # type: ignore[misc]

    def writeSequence(self, iovec: Any) -> None:
        if self._may_write():
            super().writeSequence(iovec)  # type: ignore[misc]

    def abortConnection(self) -> None:
        super().abortConnection()
        # What waits is not to be sent any more.
        self._tempDataBuffer.clear()
        self.dataBuffer, self.offset, self._tempDataLen = b"", 0, 0


class _BurstTCP(_WatchedBurst, BurstTCPServer):
    """An accepted TCP connection."""


class _BurstTLS(_WatchedBurst, BurstTLSServer):
    """An accepted TLS connection."""


class _BurstUNIX(_WatchedBurst, BurstUNIXServer):
    """An accepted Unix socket connection."""


class _StockTCP(_WatchedStock, tcp.Server):
    """An accepted TCP connection, on Twisted's own transport."""


class _StockUNIX(_WatchedStock, unix.Server):
    """An accepted Unix socket connection, on Twisted's own transport."""


@dataclass(frozen=True)
class TLS:
    """TLS on a port, as it is for the next connection: its context, its time to shake hands."""

    new_context: Callable[[], Any]
    handshake_seconds: Callable[[], float]


@dataclass(frozen=True)
class Proxies:
    """Connections begin with a PROXY header; see :class:`Proxied` for what each is asked."""

    trusted: Callable[[str], bool]
    refusal: Callable[[Any], Reason | None]
    admit: Callable[[Any], None]
    header_seconds: float = Proxied.header_seconds


def watch_port(
    port: Any,
    watch: Watch,
    *,
    burst: bool,
    tls: TLS | None = None,
    proxies: Proxies | None = None,
) -> Any:
    """Give the connections that *port* will accept to *watch*, and return the port.

    :param port: what ``listenTCP``, ``listenUNIX``, ``adoptStreamPort`` or an endpoint
        returned; a port of another kind is returned untouched.
    :param burst: whether they go on the burst transport.
    :param tls: TLS straight on the socket; for the burst transport only.
    :param proxies: a PROXY header before anything else, whose source is the peer from then
        on; for TCP on the burst transport only.
    """
    if not isinstance(port, tcp.Port):
        return port
    attributes: dict[str, Any] = {"watch": watch, "turns": Turns(port.reactor)}
    local = isinstance(port, unix.Port)
    if not burst:
        stock = _StockUNIX if local else _StockTCP
        port.transport = type(stock.__name__, (stock,), attributes)  # type: ignore[assignment]
        return port
    base: type = _BurstUNIX if local else _BurstTCP
    if tls is not None:
        base = _BurstTLS
        attributes["new_context"] = staticmethod(tls.new_context)
        seconds = tls.handshake_seconds
        attributes["handshake_seconds"] = property(lambda _: seconds())
    bases = (_Telling, base) if watch.tell_data else (base,)
    if proxies is not None and not local:
        bases = (Proxied, *bases)
        attributes["trusted"] = staticmethod(proxies.trusted)
        attributes["refusal"] = staticmethod(proxies.refusal)
        attributes["admit"] = staticmethod(proxies.admit)
        attributes["header_seconds"] = proxies.header_seconds
        # The port's own factory is asked once the real client is known.
        port.factory = HeaderFirst(port.factory)  # type: ignore[arg-type]
    return accelerate(port, type(base.__name__, bases, attributes))
