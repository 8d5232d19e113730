"""What one person has asked for: in its order, and some of it each turn."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.task import Clock

from socketsuite.services.chat.flood import FloodLimits
from socketsuite.services.chat.inbox import PART_OF_A_TURN, Inbox


class Asked:
    """An inbox, and what was done of what was put into it."""

    def __init__(self, cost: int, seconds: float = 0.0) -> None:
        self.clock, self.cost, self.seconds = Clock(), cost, seconds
        self.done: list[int] = []
        self.reading: list[bool] = []
        self.inbox: Inbox[int] = Inbox(self.clock, FloodLimits(), self.do, self.reading.append)

    def do(self, item: int) -> int:
        self.done.append(item)
        self.clock.rightNow += self.seconds
        return self.cost

    def put(self, *items: int) -> None:
        for item in items:
            self.inbox.put(item)

    def turn(self) -> None:
        self.clock.advance(0)


def test_what_one_read_brings_is_done_in_turns_and_in_order() -> None:
    asked = Asked(cost=PART_OF_A_TURN // 2)
    asked.put(*range(5))
    assert (asked.done, asked.reading) == ([0, 1], [False])
    asked.put(5)
    assert asked.done == [0, 1]
    asked.turn()
    assert (asked.done, asked.reading) == (list(range(6)), [False, True])
    assert asked.clock.getDelayedCalls() == []


def test_what_is_done_in_a_later_turn_is_told_together() -> None:
    class Carrier:
        def __init__(self) -> None:
            self.turns: list[list[int]] = []

        def corked(self, work: Callable[[], object]) -> None:
            before = len(asked.done)
            work()
            self.turns.append(asked.done[before:])

    asked, carrier = Asked(cost=PART_OF_A_TURN // 2), Carrier()
    asked.inbox.carrier = carrier
    asked.put(*range(4))
    assert (asked.done, carrier.turns) == ([0, 1], [])
    asked.turn()
    assert carrier.turns == [[2, 3]]


def test_a_turn_is_over_when_its_time_is() -> None:
    asked = Asked(cost=1, seconds=1.0)
    asked.put(1, 2)
    assert asked.done == [1]
    asked.turn()
    assert asked.done == [1, 2]


def test_who_asks_for_one_thing_at_a_time_waits_for_nothing() -> None:
    asked = Asked(cost=PART_OF_A_TURN)
    for number in range(3):
        asked.put(number)
        assert asked.done[-1] == number
        asked.turn()
    assert asked.reading == []
    asked.put(3, 4)
    asked.inbox.stop()
    asked.turn()
    assert asked.done == [0, 1, 2, 3]
    assert asked.clock.getDelayedCalls() == []
