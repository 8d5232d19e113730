"""Peers that do not take what is sent to them: for how long, and how much of it may wait.

A transport is looked at here from the moment the kernel would not take its bytes; while
everybody reads, there is nothing to look at, and no timer.  Must not know what is sent.
"""

from __future__ import annotations

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from socketsuite.policies.settings import LimitSettings
from socketsuite.reasons import (
    SEND_QUEUE_FULL,
    TOTAL_SEND_QUEUE_FULL,
    WRITE_TIMEOUT,
    Reason,
)
from socketsuite.transport.options import Connection

_LOOKS_PER_LIMIT = 8
_LEAST_PROGRESS = 16 << 10
_SHORTEST, _LONGEST = 0.02, 0.25

LATE = 0.5
"""Seconds by which a look may be late: beyond them the process was held up."""


class TotalQueue:
    """What waits for all peers of a process together; the largest queues go first.

    :param limit: bytes; 0 is no limit.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.members: list[SlowConsumers] = []
        self._estimate = 0

    def grew(self, by: int) -> None:
        """Take note of *by* more bytes; what peers took meanwhile is seen in :meth:`enforce`."""
        self._estimate += by
        if self.limit and self._estimate > self.limit:
            self.enforce()

    def enforce(self) -> None:
        """Count anew, and drop the largest queues while there is too much."""
        queues = [
            (transport.queued, transport, member)
            for member in self.members
            for transport in member.behind
        ]
        self._estimate = sum(queued for queued, _, _ in queues)
        if not self.limit or self._estimate <= self.limit:
            return
        queues.sort(key=lambda each: each[0], reverse=True)
        for queued, transport, member in queues:
            if self._estimate <= self.limit:
                return
            member.drop(transport, TOTAL_SEND_QUEUE_FULL)
            self._estimate -= queued


class _Mark:
    """What a look at a transport saw."""

    __slots__ = ("known", "moved_at", "out", "soft_queued", "soft_since")

    def __init__(self, transport: Connection, now: float) -> None:
        self.out = transport.bytes_out
        self.moved_at = now
        self.soft_since: float | None = None
        self.soft_queued = 0
        self.known = 0


class SlowConsumers:
    """The transports of one service whose peers are behind.

    One that has taken nothing for ``write_timeout`` seconds is dropped, also while it is
    closing; and one whose queue has been above ``send_queue_soft`` for ``send_queue_seconds``
    without getting shorter by 16 KiB, so that a large answer may take as long as its reader
    needs.  A look that comes late judges nobody: what peers have taken meanwhile is not seen
    yet.  Nor is it the peer's fault if a close waits for the service's own producer.
    """

    def __init__(self, reactor: IReactorTime, limits: LimitSettings, total: TotalQueue) -> None:
        self.behind: dict[Connection, _Mark] = {}
        self._reactor = reactor
        self._limits = limits
        self._total = total
        self._call: IDelayedCall | None = None
        self._due = 0.0
        total.members.append(self)

    def grown(self, transport: Connection) -> None:
        """Look after *transport*, whose queue is not empty and may have grown."""
        mark = self.behind.get(transport)
        if mark is None:
            mark = self.behind[transport] = _Mark(transport, self._reactor.seconds())
            if self._call is None:
                self._schedule()
        queued = transport.queued
        by, mark.known = queued - mark.known, queued
        if by > 0:
            self._total.grew(by)

    def stop(self) -> None:
        """Look no more."""
        self.behind.clear()
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _schedule(self) -> None:
        limits = self._limits
        shortest = min(limits.write_timeout or _LONGEST * 8, limits.send_queue_seconds)
        interval = min(_LONGEST, max(_SHORTEST, shortest / _LOOKS_PER_LIMIT))
        self._due = self._reactor.seconds() + interval
        self._call = self._reactor.callLater(interval, self._look)

    def _look(self) -> None:
        self._call = None
        now = self._reactor.seconds()
        if now < self._due + LATE:
            for transport, mark in list(self.behind.items()):
                self._look_at(transport, mark, now)
            self._total.enforce()
        if self.behind:
            self._schedule()

    def _look_at(self, transport: Connection, mark: _Mark, now: float) -> None:
        queued = mark.known = transport.queued
        closes = transport.disconnecting and transport.producer is None
        if not queued and not closes:
            del self.behind[transport]
            return
        if transport.bytes_out != mark.out:
            mark.out, mark.moved_at = transport.bytes_out, now
        if 0 < self._limits.write_timeout <= now - mark.moved_at:
            self.drop(transport, WRITE_TIMEOUT)
        else:
            self._look_at_length(transport, mark, queued, now)

    def _look_at_length(self, transport: Connection, mark: _Mark, queued: int, now: float) -> None:
        limits = self._limits
        if queued <= limits.send_queue_soft:
            mark.soft_since = None
        elif mark.soft_since is None:
            mark.soft_since, mark.soft_queued = now, queued
        elif now - mark.soft_since >= limits.send_queue_seconds:
            if queued > mark.soft_queued - _LEAST_PROGRESS:
                detail = f"above the soft limit for {limits.send_queue_seconds:g} s"
                self.drop(transport, SEND_QUEUE_FULL.because(detail))
            mark.soft_since, mark.soft_queued = now, queued

    def drop(self, transport: Connection, why: Reason) -> None:
        """End a connection, whatever still waits for its peer."""
        self.behind.pop(transport, None)
        transport.abort(why)
