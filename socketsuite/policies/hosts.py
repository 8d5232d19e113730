"""How many connections one host may have, and how many new ones in a while.

A host is an IPv4 address, or an IPv6 network of 64 bits.  This module must not know of
transports, nor of what happens to those who are refused.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

from socketsuite.addresses import host_key
from socketsuite.reasons import MAX_CONNECTIONS_PER_HOST, MAX_RATE_PER_HOST, Reason

_REMEMBERED = 1 << 16


class _Host:
    """One host: what is open, and what was opened in this window and the one before."""

    __slots__ = ("before", "began", "connections", "idle_since", "opened")

    def __init__(self, now: float) -> None:
        self.connections = 0
        self.began = now
        self.opened = self.before = 0
        self.idle_since = now


class HostLimits:
    """Counts hosts.  With both limits at 0 it is not *limited*, and does nothing at all.

    The rate is that of two windows, the second of which begins with the first connection
    after the end of the first: the one before counts for the part of it that the last
    *window_seconds* still reach into.  So a host gets its whole limit at once, then a new
    connection each ``window / limit`` seconds.  Within any one window that is less than
    twice the limit, and the limit in the long run.  What was refused does not count: a
    caller who keeps trying gets in as soon as there is room.

    A host with a connection is always remembered, at less than the connection costs.  One
    without is forgotten when its windows are over, or, when *remembered* hosts are known,
    as the longest idle of them.  A flood of hosts can so make room for an old one's new
    connections; it cannot make the open ones uncounted.

    :param seconds: a monotonic clock.
    """

    def __init__(
        self,
        max_connections_per_host: int,
        max_rate_per_host: int,
        window_seconds: float,
        seconds: Callable[[], float],
        *,
        remembered: int = _REMEMBERED,
    ) -> None:
        self.max_connections = max_connections_per_host
        self.max_rate = max_rate_per_host
        self.limited = bool(max_connections_per_host or max_rate_per_host)
        self.window = window_seconds
        self._seconds = seconds
        self._remembered = remembered
        self._busy: dict[bytes, _Host] = {}
        # Hosts without a connection, the longest idle first.
        self._idle: OrderedDict[bytes, _Host] = OrderedDict()

    def __len__(self) -> int:
        return len(self._busy) + len(self._idle)

    def limit(
        self,
        max_connections_per_host: int,
        max_rate_per_host: int,
        window_seconds: float,
        present: Iterable[Any],
    ) -> None:
        """Change the limits; *present* are the hosts of the connections that are open now.

        They are counted again, since nobody counted them while the limits were off; they
        stay, even if they are too many.
        """
        self.max_connections = max_connections_per_host
        self.max_rate = max_rate_per_host
        self.limited = bool(max_connections_per_host or max_rate_per_host)
        self.window = window_seconds
        now = self._seconds()
        for key, host in self._busy.items():
            host.connections, host.idle_since = 0, now
            self._idle[key] = host
        self._busy.clear()
        if not self.limited:
            self._idle.clear()
            return
        for each in present:
            its_key = host_key(each)
            if its_key is not None:
                self._taken(its_key).connections += 1
        self._forget(now)

    def refusal(self, host: Any) -> Reason | None:
        """Return the limit that keeps a new connection of *host* out, or ``None``."""
        if not self.limited:
            return None
        key = host_key(host)
        if key is None:
            return None
        known = self._busy.get(key) or self._idle.get(key)
        if known is None:
            return None
        if 0 < self.max_connections <= known.connections:
            return MAX_CONNECTIONS_PER_HOST
        if self.max_rate:
            now = self._seconds()
            self._turn(known, now)
            reached = 1 - (now - known.began) / self.window
            # Not quite the limit still leaves no room for a whole connection.
            if known.opened + known.before * reached > self.max_rate - 1 + 1e-9:
                return MAX_RATE_PER_HOST
        return None

    def opened(self, host: Any) -> None:
        """Count a connection that was let in."""
        if not self.limited:
            return
        key = host_key(host)
        if key is None:
            return
        known = self._taken(key)
        known.connections += 1
        if self.max_rate:
            self._turn(known, self._seconds())
            known.opened += 1

    def closed(self, host: Any) -> None:
        """Count a connection no more."""
        if not self.limited:
            return
        key = host_key(host)
        known = self._busy.get(key) if key is not None else None
        if key is None or known is None:
            return
        known.connections -= 1
        if known.connections <= 0:
            del self._busy[key]
            now = known.idle_since = self._seconds()
            self._idle[key] = known
            self._forget(now)

    def _taken(self, key: bytes) -> _Host:
        """Return the host of *key* as one that has a connection."""
        known = self._busy.get(key)
        if known is None:
            now = self._seconds()
            known = self._busy[key] = self._idle.pop(key) if key in self._idle else _Host(now)
            self._forget(now)
        return known

    def _turn(self, host: _Host, now: float) -> None:
        """Begin a new window where the last one is over."""
        passed = now - host.began
        if passed < self.window:
            return
        if passed < 2 * self.window:
            host.began += self.window
            host.before, host.opened = host.opened, 0
        else:
            host.began, host.before, host.opened = now, 0, 0

    def _forget(self, now: float) -> None:
        """Let go of the idle hosts whose windows are over, and of those that are too many."""
        idle = self._idle
        # What a host opened last counts for two windows at most.
        over = now - (2 * self.window if self.max_rate else 0)
        while idle:
            key = next(iter(idle))
            if idle[key].idle_since > over and len(self) <= self._remembered:
                return
            del idle[key]
