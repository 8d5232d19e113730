"""What every observed connection has, whatever transport it is on.

It is told of to the port's observer, kept within its queue, and ended in two ways, each with its
reason; a caller who closes its half has its answer.  This module must not know who observes, what
the limits are called, nor how bytes move.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol
from twisted.python.failure import Failure

from socketsuite.reasons import SEND_QUEUE_FULL, Reason
from socketsuite.transport.options import ConnectionObserver, PortOptions

# A request that is at work, of a caller who has closed its half, has so many times the
# half-close time-out: the caller may be gone for good, which nobody tells.
_MOST_WAITS = 20


class Observed:
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
        """End, and tell the observer; once."""
        if self._answer_due is not None:
            self._answer_due.cancel()
            self._answer_due = None
        first = not self.disconnected
        try:
            super().connectionLost(reason)  # type: ignore[misc]
        finally:
            if first:
                self.observer.closed(self, reason)  # type: ignore[arg-type]
