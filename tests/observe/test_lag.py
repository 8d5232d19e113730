"""How late the loop is."""

from __future__ import annotations

from twisted.internet.task import Clock

from socketsuite.observe.lag import BOUNDS, LoopDelay


def test_a_loop_that_is_on_time_has_no_delay() -> None:
    clock = Clock()
    delay = LoopDelay(clock)
    delay.start()
    clock.pump([0.25] * 8)
    assert (delay.counts[0], delay.maximum) == (8, 0.0)


def test_a_callback_that_blocks_is_seen_in_its_bucket() -> None:
    clock = Clock()
    delay = LoopDelay(clock)
    delay.start()
    clock.advance(0.25 + 0.75)
    assert delay.maximum == delay.recent == delay.total == 0.75
    assert delay.counts[BOUNDS.index(1.0)] == 1


def test_a_long_delay_is_not_recent_for_ever() -> None:
    clock = Clock()
    delay = LoopDelay(clock)
    delay.start()
    clock.advance(1.0)
    clock.pump([0.25] * 120)
    assert delay.recent == 0.75
    clock.pump([0.25] * 120)
    assert (delay.recent, delay.maximum) == (0.0, 0.75)


def test_nothing_is_left_in_the_reactor_when_it_stops() -> None:
    clock = Clock()
    delay = LoopDelay(clock)
    delay.start()
    delay.stop()
    delay.stop()
    assert clock.getDelayedCalls() == []
