"""What one person has asked for and is not done yet: in order, each for its time, some each turn.

For frontends whose client sends whole messages.  Nothing is read from who has something waiting,
so what waits is bounded by what arrives at once.  This module must not know what is asked for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from twisted.internet.interfaces import IDelayedCall

from socketsuite.services.chat.flood import FloodLimits, TokenBucket, Verdict
from socketsuite.services.chat.turns import TURN, in_turn

Item = TypeVar("Item")

PART_OF_A_TURN = 100
"""What one person may do in a turn before others have theirs, in the cost of its requests; and no
longer than a turn takes."""

MOST_WAITING = 1000
"""Requests that may wait; who sends more at once is flooding."""


class Inbox(Generic[Item]):
    """What one person asked for.

    :param clock: the reactor, for what has to wait.
    :param flood: how much one person may say.
    :param do: does one thing, and returns its cost, 1 for a small one.
    :param read: told whether anything more may be read.
    :ivar busy: whether something that was begun is not done yet; the rest waits for it.
    :ivar reading: whether anything more may be read, as *read* was told.
    :ivar carrier: what answers are written to, where what is written in a turn can leave together.
    """

    __slots__ = (
        "_bucket",
        "_clock",
        "_do",
        "_flood",
        "_left",
        "_over",
        "_read",
        "_stopped",
        "_turn",
        "_until",
        "_waiting",
        "_working",
        "busy",
        "carrier",
        "reading",
    )

    def __init__(
        self,
        clock: Any,
        flood: FloodLimits,
        do: Callable[[Item], int],
        read: Callable[[bool], object],
    ) -> None:
        self._clock = clock
        self._flood = flood
        self._do = do
        self._read = read
        # Made for what waits: nothing does, for almost everybody.
        self._waiting: deque[tuple[float, Item]] | None = None
        self._bucket: TokenBucket | None = None
        self._turn: IDelayedCall | None = None
        # What is left of this turn of the reactor, and what tells that it is over.
        self._left, self._until = 0, 0.0
        self._over: IDelayedCall | None = None
        self.reading = True
        self._working = self._stopped = False
        self.busy = False
        self.carrier: Any = None

    def put(self, item: Item) -> Verdict:
        """Take *item*; return what becomes of it."""
        verdict, due = Verdict.AT_ONCE, 0.0
        if self._flood.rate:
            now = self._clock.seconds()
            if self._bucket is None:
                self._bucket = TokenBucket(self._flood, now)
            verdict = self._bucket.judge(now)
            if verdict is Verdict.LATER:
                due = now + self._bucket.wait
        if self._waiting is None:
            self._waiting = deque()
        if len(self._waiting) >= MOST_WAITING:
            verdict = Verdict.CLOSE
        if verdict is Verdict.AT_ONCE or verdict is Verdict.LATER:
            self._waiting.append((due, item))
            self.work()
        return verdict

    def work(self) -> None:
        """Do what may be done now."""
        if self._working:
            return
        self._working = True
        try:
            self._take_part()
            while self._waiting and not self.busy and not self._stopped:
                due, now = self._waiting[0][0], self._clock.seconds()
                wait = max(0.0, due - now) if due else 0.0
                if wait or self._left <= 0 or now > self._until:
                    self._later(wait)
                    break
                self._left -= self._do(self._waiting.popleft()[1])
        finally:
            self._working = False
        if not self._waiting:
            self._waiting = None
        self._set_reading(not (self._waiting or self.busy) or self._stopped)

    def _take_part(self) -> None:
        """Begin to count, unless something was done in this turn already."""
        if self._over is None and not self._stopped:
            self._left, self._until = PART_OF_A_TURN, self._clock.seconds() + TURN
            self._over = self._clock.callLater(0, self._turn_is_over)

    def _turn_is_over(self) -> None:
        self._over = None

    def done(self) -> None:
        """Go on: what kept the rest waiting is done."""
        self.busy = False
        self.work()

    def stop(self) -> None:
        """Do nothing any more."""
        self._stopped = True
        self._waiting = None
        for call in (self._turn, self._over):
            if call is not None:
                call.cancel()
        self._turn = self._over = None

    def _later(self, wait: float) -> None:
        if self._turn is None:
            self._turn = self._clock.callLater(wait, self._next_turn)

    def _next_turn(self) -> None:
        self._turn = None
        if self._over is not None:
            self._over.cancel()
            self._over = None
        in_turn(self.carrier, self.work)

    def _set_reading(self, reading: bool) -> None:
        if reading is not self.reading:
            self.reading = reading
            self._read(reading)
