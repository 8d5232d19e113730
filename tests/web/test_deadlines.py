"""Many who have the same time share one timer."""

from __future__ import annotations

from twisted.internet.task import Clock

from socketsuite.web.deadlines import Deadlines


def test_each_has_its_time_and_all_of_them_one_timer() -> None:
    clock = Clock()
    late: list[str] = []
    deadlines: Deadlines[str] = Deadlines(clock, 10, late.append)
    for name in "abc":
        deadlines.start(name)
        clock.advance(2)
    assert len(clock.getDelayedCalls()) == 1
    deadlines.stop("b")
    clock.advance(2)
    deadlines.start("a")  # anew
    clock.advance(4)
    assert late == []
    clock.advance(2)
    assert late == ["c"]
    clock.advance(4)
    assert late == ["c", "a"]
    assert (len(deadlines), clock.getDelayedCalls()) == (0, [])


def test_who_is_late_may_stop_and_start_itself_and_others() -> None:
    clock = Clock()
    late: list[str] = []

    def expired(name: str) -> None:
        late.append(name)
        deadlines.stop(name)
        if name == "a":
            deadlines.stop("b")
            deadlines.start("c")
            if len(late) < 3:
                deadlines.start("a")

    deadlines: Deadlines[str] = Deadlines(clock, 10, expired)
    for name in "abc":
        deadlines.start(name)
    clock.advance(10)
    assert late == ["a"]
    clock.advance(10)
    assert late == ["a", "c", "a"]
    clock.advance(10)
    assert late == ["a", "c", "a", "c"]
    assert clock.getDelayedCalls() == []


def test_thousands_who_are_late_at_once_let_others_in_between() -> None:
    clock = Clock()
    late: list[int] = []
    deadlines: Deadlines[int] = Deadlines(clock, 10, late.append)
    for n in range(1000):
        deadlines.start(n)
    between: list[int] = []
    clock.callLater(10, lambda: between.append(len(late)))
    clock.advance(10)
    assert 0 < between[0] < 1000
    assert late == list(range(1000))


def test_those_who_are_stopped_leave_no_timer() -> None:
    clock = Clock()
    deadlines: Deadlines[str] = Deadlines(clock, 10, lambda _: None)
    deadlines.start("a")
    deadlines.stop("a")
    deadlines.stop("never")
    assert clock.getDelayedCalls() == []
