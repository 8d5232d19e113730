"""Pings, and who does not answer them: one timer for all sessions.

Every session has the same interval and the same time-out, so a dictionary in its own order is a
whole queue.  A time-out begins when the ping was due, not when a busy loop came to it; but half of
it is left in any case.  This module must not know how a ping is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from math import inf
from typing import Any, Generic, TypeVar

Member = TypeVar("Member", bound=Hashable)


class Heartbeats(Generic[Member]):
    """Calls *ping* with each member at an interval, and *silent* where no answer is in time.

    :param clock: the reactor.
    :param interval: seconds from an answer to the next ping.
    :param timeout: seconds for the answer.
    """

    def __init__(
        self,
        clock: Any,
        interval: float,
        timeout: float,
        ping: Callable[[Member], None],
        silent: Callable[[Member], None],
    ) -> None:
        self._clock = clock
        self._interval, self._timeout = interval, timeout
        self._ping, self._silent = ping, silent
        self._pings: dict[Member, float] = {}
        self._pongs: dict[Member, float] = {}
        self._call: Any = None
        self._at = inf

    def start(self, member: Member) -> None:
        """Ping *member* when an interval is over."""
        self._pings[member] = self._clock.seconds() + self._interval
        self._schedule()

    def answered(self, member: Member) -> None:
        """Know that *member* has answered; without a ping before it means nothing."""
        if self._pongs.pop(member, None) is not None:
            self.start(member)

    def stop(self, member: Member) -> None:
        """Forget *member*."""
        self._pings.pop(member, None)
        self._pongs.pop(member, None)
        if not self._pings and not self._pongs and self._call is not None:
            self._call.cancel()
            self._call, self._at = None, inf

    def look(self) -> None:
        """Do at once whatever is due."""
        now = self._clock.seconds()
        while (due := _first(self._pings)) <= now:
            member = next(iter(self._pings))
            del self._pings[member]
            self._pongs[member] = max(due, now - self._timeout / 2) + self._timeout
            self._ping(member)
        while _first(self._pongs) <= now:
            member = next(iter(self._pongs))
            del self._pongs[member]
            self._silent(member)

    def _schedule(self) -> None:
        at = min(_first(self._pings), _first(self._pongs))
        if at < self._at:
            if self._call is not None:
                self._call.cancel()
            self._at = at
            self._call = self._clock.callLater(max(0.0, at - self._clock.seconds()), self._run)

    def _run(self) -> None:
        self._call, self._at = None, inf
        self.look()
        self._schedule()


def _first(queue: dict[Member, float]) -> float:
    return next(iter(queue.values()), inf)
