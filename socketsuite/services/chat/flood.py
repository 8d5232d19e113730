"""Flood control: whether what somebody says now is said at once, later, or not at all.

A token bucket for each person.  Every frontend asks it of each message as that arrives, delays
what it says to delay, and does not read from that person meanwhile.  This module is pure: it must
not know what a message is, nor any clock or transport.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class Verdict(Enum):
    """What becomes of one message."""

    AT_ONCE = "at once"
    LATER = "delayed"
    DROPPED = "dropped"
    CLOSE = "closed"


@dataclass(eq=False)
class FloodLimits:
    """How much one person may say: *burst* messages at once, *rate* a second in the long run.

    A rate of 0 is no limit: nobody is asked about then.

    :ivar too_fast: how many messages were not said at once, by what became of them.
    """

    burst: int = 10
    rate: float = 0.0
    too_fast: dict[Verdict, int] = field(
        default_factory=lambda: {Verdict.LATER: 0, Verdict.DROPPED: 0, Verdict.CLOSE: 0}
    )


class TokenBucket:
    """What one person has said lately.

    *burst* messages are said at once; as many after them are delayed, each until the rate allows
    it; as many after those are dropped; then it is time to close.  Whoever reads no more while
    something is delayed comes to the last two only where much arrives in one piece.

    :param limits: may change at any time.
    :param now: seconds, of a clock that does not go back.
    :ivar wait: after ``Verdict.LATER``: in how many seconds.
    """

    __slots__ = ("_at", "_dropped", "_limits", "_tokens", "wait")

    def __init__(self, limits: FloodLimits, now: float) -> None:
        self._limits = limits
        # Fewer than none are those that are owed: of messages that are delayed.
        self._tokens = float(limits.burst)
        self._at = now
        self._dropped = 0
        self.wait = 0.0

    def judge(self, now: float) -> Verdict:
        """Return what becomes of a message that arrives *now*; the limit's rate is not 0."""
        burst, rate = self._limits.burst, self._limits.rate
        self._tokens = min(float(burst), self._tokens + max(0.0, now - self._at) * rate)
        self._at = now
        if self._tokens >= 1.0:
            self._tokens -= 1.0
            self._dropped = 0
            return Verdict.AT_ONCE
        if self._tokens >= 1.0 - burst:
            self._tokens -= 1.0
            # What was rounded away may leave a little more than nothing here.
            self.wait = max(0.0, -self._tokens) / rate
            return self._counted(Verdict.LATER)
        self._dropped += 1
        return self._counted(Verdict.CLOSE if self._dropped > burst else Verdict.DROPPED)

    def _counted(self, verdict: Verdict) -> Verdict:
        self._limits.too_fast[verdict] += 1
        return verdict
