"""Pings and time-outs by a clock."""

from __future__ import annotations

from twisted.internet.task import Clock

from socketsuite.socketio.engine.heartbeats import Heartbeats


def made() -> tuple[Clock, Heartbeats[str], list[str]]:
    clock, told = Clock(), list[str]()
    beats: Heartbeats[str] = Heartbeats(
        clock, 3, 2, lambda who: told.append(f"ping {who}"), lambda who: told.append(f"end {who}")
    )
    return clock, beats, told


def test_who_answers_is_pinged_again_and_who_does_not_is_ended() -> None:
    clock, beats, told = made()
    beats.start("a")
    clock.advance(1)
    beats.start("b")
    clock.pump([2, 1])
    assert told == ["ping a", "ping b"]
    beats.answered("a")
    beats.answered("a")  # without a ping it means nothing
    assert len(clock.getDelayedCalls()) == 1
    clock.advance(2)
    assert told[2:] == ["end b"]
    clock.advance(1)
    assert told[3:] == ["ping a"]
    beats.stop("a")
    assert clock.getDelayedCalls() == []


def test_a_busy_loop_costs_nobody_more_than_half_of_its_time() -> None:
    clock, beats, told = made()
    beats.start("a")
    clock.advance(60)
    assert told == ["ping a"]
    clock.advance(0.9)
    assert told == ["ping a"]
    clock.advance(0.2)
    assert told == ["ping a", "end a"]


def test_whoever_looks_finds_what_is_due_done_and_the_timer_goes_on() -> None:
    clock, beats, told = made()
    beats.start("a")
    clock.rightNow += 3.5
    beats.look()
    assert told == ["ping a"]
    clock.advance(1.6)
    assert told == ["ping a", "end a"]
    assert clock.getDelayedCalls() == []
