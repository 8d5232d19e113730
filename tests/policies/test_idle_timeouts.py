"""Time limits found by looking at byte counters."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock

from socketsuite.policies.idle_timeouts import IdleTimeouts
from socketsuite.policies.settings import LimitSettings
from socketsuite.reasons import FIRST_BYTE_TIMEOUT, IDLE_TIMEOUT, Reason


class Connection:
    """A connection and its transport in one."""

    def __init__(self, opened_at: float = 0.0) -> None:
        self.opened_at = opened_at
        self.bytes_in = self.bytes_out = self.queued = 0
        self.why: Reason | None = None
        self.ended: str | None = None
        self.unfinished = False

    @property
    def transport(self) -> Any:
        return self

    def close(self, reason: Reason) -> None:
        self.why = self.why or reason
        self.ended = "closed"


class Registry:
    def __init__(self, *connections: Connection) -> None:
        self.open = {each: each for each in connections}

    def unfinished(self, transport: Connection) -> bool:
        return transport.unfinished


def swept(clock: Any, *connections: Connection, **limits: float) -> IdleTimeouts:
    sweeps = IdleTimeouts(clock, Registry(*connections), LimitSettings(**limits))  # type: ignore[arg-type]
    sweeps.start()
    return sweeps


def advance(clock: Clock, seconds: float) -> None:
    clock.pump([0.125] * round(seconds / 0.125))


def test_with_all_limits_off_nothing_runs() -> None:
    clock = Clock()
    swept(clock, Connection())
    assert clock.getDelayedCalls() == []


def test_a_still_connection_is_closed_and_a_moving_one_is_not() -> None:
    clock, still, moving = Clock(), Connection(), Connection()
    swept(clock, still, moving, idle_timeout=4.0)
    for _ in range(5):
        advance(clock, 1)
        moving.bytes_out += 1
    assert (still.ended, still.why) == ("closed", IDLE_TIMEOUT)
    assert moving.ended is None


def test_who_waits_for_the_service_is_not_idle_and_has_its_time_afterwards() -> None:
    clock, waiting = Clock(), Connection()
    waiting.unfinished = True
    swept(clock, waiting, idle_timeout=4.0)
    advance(clock, 20)
    waiting.unfinished = False
    advance(clock, 2)
    before = waiting.ended
    advance(clock, 3)
    assert (before, waiting.ended, waiting.why) == (None, "closed", IDLE_TIMEOUT)


def test_who_never_says_anything_is_closed_and_who_has_said_something_stays() -> None:
    clock, silent, shy = Clock(), Connection(), Connection()
    shy.bytes_in = 1
    swept(clock, silent, shy, first_byte_timeout=2.0)
    advance(clock, 3)
    assert (silent.ended, silent.why) == ("closed", FIRST_BYTE_TIMEOUT)
    assert shy.ended is None


def test_limits_may_change_on_the_way() -> None:
    clock, still = Clock(), Connection()
    limits = LimitSettings()
    sweeps = IdleTimeouts(clock, Registry(still), limits)  # type: ignore[arg-type]
    sweeps.start()
    advance(clock, 5)
    limits.idle_timeout = 2.0
    sweeps.restart()
    advance(clock, 3)
    assert still.ended == "closed"
    sweeps.stop()
    assert clock.getDelayedCalls() == []


def test_a_process_that_was_held_up_closes_nobody_for_it() -> None:
    clock, alive = Clock(), Connection()
    swept(clock, alive, idle_timeout=4.0, first_byte_timeout=4.0)
    advance(clock, 1)
    clock.advance(3600)
    assert alive.ended is None
    alive.bytes_in += 1
    advance(clock, 2)
    assert alive.ended is None
