"""Accepted connections that somebody observes: told of, counted, kept within a queue.

``port.transport`` is Twisted's documented place to choose the class of a port's accepted
connections; :func:`observe_port` puts one of the classes below there, on the burst transport
or on Twisted's own, and the port's options beside it.  This module must not know who observes,
nor what the limits are called.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet import tcp, unix
from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure

from socketsuite.reasons import SEND_QUEUE_FULL, USER_TIMEOUT, Reason
from socketsuite.transport.burst import accelerate
from socketsuite.transport.connection import BurstTCPServer, BurstUNIXServer
from socketsuite.transport.options import ConnectionObserver, PortOptions
from socketsuite.transport.pieces import join_tail
from socketsuite.transport.proxied import Proxied
from socketsuite.transport.tls import BurstTLSServer
from socketsuite.transport.turns import Turns

# A request that is at work, of a caller who has closed its half, has so many times the
# half-close time-out: the caller may be gone for good, which nobody tells.
_MOST_WAITS = 20


class _Observed:
    """What every observed transport adds, whatever it is made of."""

    options: PortOptions
    observer: ConnectionObserver
    why: Reason | None = None
    peer_finished = False
    awaits_producer = True

    _judged_in = -1
    _answer_due: IDelayedCall | None = None
    _waited = 0

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
    startWriting: Any

    def __init__(
        self, skt: socket.socket, protocol: Any, client: Any, server: Any, *more: Any
    ) -> None:
        options: PortOptions = server.options
        assert options.observer is not None
        self.options, self.observer = options, options.observer
        super().__init__(skt, protocol, client, server, *more)  # type: ignore[call-arg]
        if options.prepare is not None:
            options.prepare(skt)
        self.observer.opened(self)  # type: ignore[arg-type]

    # ── what a peer leaves unread ───────────────────────────────────────────────────

    def _may_write(self) -> bool:
        """Whether more may be written; else the peer is dropped, or has been.

        Judged is what was left of earlier turns of the reactor, when the peer and the kernel
        had their chance to take it: so an answer of any size, in one piece or many, is never
        too large for a peer who reads.
        """
        if self.connected and self.queued:
            turn = self.options.turns.current()
            if turn != self._judged_in:
                self._judged_in = turn
                if self.queued > self.options.send_queue:
                    self.abort(SEND_QUEUE_FULL)
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
        busy = self.observer.busy(self)  # type: ignore[arg-type]
        if busy is None:
            silent = self.bytes_in != self.answered and not self.queued
            busy = silent or self.producer is not None
        seconds = self.observer.half_close_seconds()
        if busy and seconds and not self.disconnecting:
            self._answer_due = self.reactor.callLater(seconds, self._look_at_answer, self.bytes_out)
        else:
            self._close_without_producer()

    def _look_at_answer(self, sent: int) -> None:
        self._answer_due = None
        if self.bytes_out != sent or self.queued:
            busy: bool | None = True  # it is on its way
        else:
            busy = self.observer.busy(self)  # type: ignore[arg-type]
            self._waited += 1
        if busy and self._waited < _MOST_WAITS and not self.disconnecting:
            seconds = self.observer.half_close_seconds()
            self._answer_due = self.reactor.callLater(seconds, self._look_at_answer, self.bytes_out)
        else:
            self._close_without_producer()

    # ── endings ─────────────────────────────────────────────────────────────────────

    def close(self, reason: Reason) -> None:
        """Close for *reason*; in good order, unless the peer leaves bytes unread.

        A polite close would wait for such a peer, and for the service's producer, which may
        have nothing more to say for hours.
        """
        if self.disconnected:
            return
        self.why = self.why or reason
        if self.queued:
            self.abortConnection()
        else:
            self._close_without_producer()

    def abort(self, reason: Reason) -> None:
        """End the connection at once for *reason*; what waits for the peer is dropped."""
        self.why = self.why or reason
        self.abortConnection()

    def _close_without_producer(self) -> None:
        self.awaits_producer = False
        if self.disconnecting:
            self.startWriting()  # it may have waited for its producer until now
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
                self.observer.closed(self, reason)  # type: ignore[arg-type]


class _ObservedBurst(_Observed):
    """On the burst transport, which counts and bounds by itself."""

    dataBuffer: bytes

    def set_reader(self, reader: Callable[[int], Any]) -> None:
        """Read by *reader* from now on, and tell the observer if it wants to hear of it."""
        told = partial(self._receive_and_tell, reader) if self.options.log_data else reader
        super().set_reader(told)  # type: ignore[misc]

    def _receive_and_tell(self, reader: Callable[[int], Any], size: int) -> Any:
        data = reader(size)
        if data:
            self.observer.received(self, bytes(data))  # type: ignore[arg-type]
        return data

    def arm(self) -> None:
        """Wait for the kernel to take more, and say so."""
        super().arm()  # type: ignore[misc]
        if not self.disconnected and (self.queued or self.disconnecting):
            self.observer.backpressured(self)  # type: ignore[arg-type]

    def receive_failed(self, error: Exception) -> None:
        """Tell a peer that vanished from one that closed."""
        if isinstance(error, OSError) and error.errno == errno.ETIMEDOUT:
            self.why = self.why or USER_TIMEOUT
        super().receive_failed(error)  # type: ignore[misc]

    def _look_after_queue(self) -> None:
        super()._look_after_queue()  # type: ignore[misc]
        if self.dataBuffer and not self.disconnected:
            self.observer.backpressured(self)  # type: ignore[arg-type]

    def _write_slow_path(self, data: bytes) -> None:
        if self._may_write():
            super()._write_slow_path(data)  # type: ignore[misc]

    def writeSequence(self, iovec: Any) -> None:
        if self._may_write():
            super().writeSequence(iovec)  # type: ignore[misc]


class _ObservedStock(_Observed):
    """On Twisted's own transport: the counting and bounding that it lacks."""

    def _await_answer(self) -> None:
        if isinstance(self.protocol, TLSMemoryBIOProtocol):
            # A FIN without the close alert: it has no half-close, and nothing can be answered.
            self.loseConnection()
        else:
            super()._await_answer()

    def _close_without_producer(self) -> None:
        if isinstance(self.protocol, TLSMemoryBIOProtocol) and not self.disconnecting:
            self.protocol._shutdownTLS()  # its close alert, and then our loseConnection()
        super()._close_without_producer()

    bytes_in = 0
    bytes_out = 0
    answered = 0
    _joined = 0
    offset: int
    dataBuffer: bytes
    _tempDataBuffer: list[bytes]
    _tempDataLen: int

    def _dataReceived(self, data: bytes | None) -> Any:
        if data:
            self.bytes_in += len(data)
            if self.options.log_data:
                self.observer.received(self, data)  # type: ignore[arg-type]
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
        super().startWriting()
        if not self.disconnected:
            self.observer.backpressured(self)  # type: ignore[arg-type]

    def write(self, data: bytes) -> None:
        if self._may_write():
            super().write(data)  # type: ignore[misc]
            self._joined = join_tail(self._tempDataBuffer, self._joined)

    def writeSequence(self, iovec: Any) -> None:
        if self._may_write():
            super().writeSequence(iovec)  # type: ignore[misc]
            self._joined = join_tail(self._tempDataBuffer, self._joined)

    def abortConnection(self) -> None:
        super().abortConnection()
        # What waits is not to be sent any more.
        self._tempDataBuffer.clear()
        self.dataBuffer, self.offset, self._tempDataLen = b"", 0, 0


class ObservedTCP(_ObservedBurst, BurstTCPServer):
    """An accepted TCP connection."""


class ObservedTLS(_ObservedBurst, BurstTLSServer):
    """An accepted TLS connection."""


class ObservedUNIX(_ObservedBurst, BurstUNIXServer):
    """An accepted Unix socket connection."""


class ProxiedTCP(Proxied, ObservedTCP):
    """An accepted TCP connection that begins with a PROXY header."""


class ProxiedTLS(Proxied, ObservedTLS):
    """An accepted TLS connection that begins with a PROXY header."""


class ProxiedUNIX(Proxied, ObservedUNIX):
    """An accepted Unix socket connection that begins with a PROXY header."""


class StockTCP(_ObservedStock, tcp.Server):
    """An accepted TCP connection, on Twisted's own transport."""


class StockUNIX(_ObservedStock, unix.Server):
    """An accepted Unix socket connection, on Twisted's own transport."""


def observe_port(port: Any, options: PortOptions, *, burst: bool) -> Any:
    """Give the connections that *port* will accept to the observer of *options*.

    :param port: what ``listenTCP``, ``listenUNIX``, ``adoptStreamPort`` or an endpoint
        returned; a port of another kind is returned untouched.
    :param burst: whether they go on the burst transport.
    :return: the port.
    """
    if not isinstance(port, tcp.Port):
        return port
    options.turns = Turns(port.reactor)
    if burst:
        return accelerate(port, options, _burst_class(isinstance(port, unix.Port), options))
    made: Any = port
    made.options = options
    made.transport = StockUNIX if isinstance(port, unix.Port) else StockTCP
    return port


def _burst_class(local: bool, options: PortOptions) -> type:
    if local:
        return ObservedUNIX if options.proxy is None else ProxiedUNIX
    if options.tls is not None:
        return ObservedTLS if options.proxy is None else ProxiedTLS
    return ObservedTCP if options.proxy is None else ProxiedTCP
