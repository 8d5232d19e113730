"""One timer for all who have the same time.

Whoever was started first is due first, so a dictionary in its own order is the whole queue.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any, Generic, TypeVar

Member = TypeVar("Member")

_AT_ONCE = 256
_COARSE = 0.05
"""Seconds that somebody may be late, so that many who are due in a row share a turn."""


class Deadlines(Generic[Member]):
    """Members that each have *seconds* from their start; who is late is given to *expired*.

    *expired* must not raise.
    """

    def __init__(self, clock: Any, seconds: float, expired: Callable[[Member], None]) -> None:
        self.seconds = seconds
        self._clock, self._expired = clock, expired
        self._due: dict[Member, float] = {}
        self._call: Any = None
        self._running = False

    def __len__(self) -> int:
        return len(self._due)

    def start(self, member: Member) -> None:
        """Give *member* its time, anew if it has some."""
        self._due.pop(member, None)
        self._due[member] = self._clock.seconds() + self.seconds
        self._schedule()

    def stop(self, member: Member) -> None:
        """Forget *member*."""
        self._due.pop(member, None)
        if not self._due and self._call is not None:
            self._call.cancel()
            self._call = None

    def _run(self) -> None:
        self._call, self._running = None, True
        now = self._clock.seconds()
        late: list[Member] = []
        for member, due in self._due.items():
            if due > now or len(late) == _AT_ONCE:
                break
            late.append(member)
        for member in late:
            # Unless one before it has stopped it, or given it more time.
            if self._due.get(member, inf) <= now:
                del self._due[member]
                self._expired(member)
        self._running = False
        self._schedule()

    def _schedule(self) -> None:
        if self._due and self._call is None and not self._running:
            rest = next(iter(self._due.values())) - self._clock.seconds()
            # The last of many who were due at once do not wait.
            seconds = max(rest, _COARSE) if rest > 0 else 0
            self._call = self._clock.callLater(seconds, self._run)
