"""Turns of the reactor, told apart."""

from twisted.internet.task import Clock

from socketsuite.transport.turns import Turns


def test_a_turn_has_one_number_until_the_reactor_has_run_its_timers() -> None:
    clock = Clock()
    turns = Turns(clock)
    seen = []
    for _ in range(3):
        first = turns.current()
        assert turns.current() == first
        assert len(clock.getDelayedCalls()) == 1  # however often it is asked
        seen.append(first)
        clock.advance(0)
        assert clock.getDelayedCalls() == []  # and never, while nobody asks
    assert len(set(seen)) == 3
