"""How late the reactor's loop is: what a callback that blocks does to everybody else.

A timer says when it should have fired, and sees when it did.  This module must not know who
reads the figures, nor what the loop was doing.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

INTERVAL = 0.25
# Upper bounds in seconds; one more bucket, without a bound, is behind them.
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_TICKS_REMEMBERED = 120


class LoopDelay:
    """Measures, each 250 ms, by how much *reactor* is late.

    :ivar counts: how many delays fell into each bucket of :data:`BOUNDS`, and beyond.
    :ivar total: the sum of all delays, in seconds.
    :ivar maximum: the longest delay since the start.
    """

    def __init__(self, reactor: Any) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.total = 0.0
        self.maximum = 0.0
        self._reactor = reactor
        self._call: Any = None
        self._due = 0.0
        self._ticks = 0
        self._this_half = self._last_half = 0.0

    @property
    def recent(self) -> float:
        """The longest delay of the last 30 to 60 seconds."""
        return max(self._this_half, self._last_half)

    def start(self) -> None:
        """Begin to measure."""
        self._due = self._reactor.seconds() + INTERVAL
        self._call = self._reactor.callLater(INTERVAL, self._tick)

    def stop(self) -> None:
        """Measure no more."""
        call, self._call = self._call, None
        if call is not None:
            call.cancel()

    def _tick(self) -> None:
        delay = max(0.0, self._reactor.seconds() - self._due)
        self.counts[bisect_left(BOUNDS, delay)] += 1
        self.total += delay
        self.maximum = max(self.maximum, delay)
        self._this_half = max(self._this_half, delay)
        self._ticks += 1
        if self._ticks % _TICKS_REMEMBERED == 0:
            self._last_half, self._this_half = self._this_half, 0.0
        self.start()
