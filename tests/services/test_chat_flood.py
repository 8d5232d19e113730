"""Flood control: the bucket alone, and in the line frontend."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socketsuite.figures import Counter
from socketsuite.services.chat.flood import FloodLimits, TokenBucket, Verdict
from tests.services.line_chat import LineRoom

AT_ONCE, LATER, DROPPED, CLOSE = Verdict


def test_a_burst_is_said_at_once_then_delayed_then_dropped_then_it_closes() -> None:
    bucket = TokenBucket(FloodLimits(burst=2, rate=0.5), 100.0)
    judged = [(bucket.judge(100.0), bucket.wait) for _ in range(7)]
    assert [verdict for verdict, _ in judged] == [
        *(AT_ONCE, AT_ONCE, LATER, LATER, DROPPED, DROPPED, CLOSE)
    ]
    assert [wait for verdict, wait in judged if verdict is LATER] == [2.0, 4.0]


def test_what_was_waited_for_comes_back_up_to_the_burst() -> None:
    bucket = TokenBucket(FloodLimits(burst=2, rate=0.5), 0.0)
    assert [bucket.judge(0.0) for _ in range(3)] == [AT_ONCE, AT_ONCE, LATER]
    assert [bucket.judge(1000.0) for _ in range(3)] == [AT_ONCE, AT_ONCE, LATER]


def test_who_paused_after_a_spate_is_not_closed_for_it() -> None:
    bucket = TokenBucket(FloodLimits(burst=1, rate=1.0), 0.0)
    assert [bucket.judge(0.0) for _ in range(3)] == [AT_ONCE, LATER, DROPPED]
    assert [bucket.judge(10.0) for _ in range(3)] == [AT_ONCE, LATER, DROPPED]


def test_a_clock_that_goes_back_gives_and_takes_nothing() -> None:
    bucket = TokenBucket(FloodLimits(burst=1, rate=1.0), 10.0)
    assert bucket.judge(10.0) is AT_ONCE
    assert bucket.judge(3.0) is LATER
    assert bucket.wait == 1.0


@given(
    st.integers(1, 20),
    st.floats(0.1, 100.0),
    st.lists(st.floats(0.0, 5.0), min_size=1, max_size=200),
)
def test_no_more_is_said_than_burst_and_rate_allow(
    burst: int, rate: float, pauses: list[float]
) -> None:
    bucket = TokenBucket(FloodLimits(burst, rate), 0.0)
    now, said = 0.0, []
    for pause in pauses:
        now += pause
        verdict = bucket.judge(now)
        if verdict in (AT_ONCE, LATER):
            said.append(now + (bucket.wait if verdict is LATER else 0.0))
            assert bucket.wait <= burst / rate * 1.001
    for place, at in enumerate(said):
        assert place + 1 <= burst + at * rate + 1.001


# ── in the line frontend ────────────────────────────────────────────────────────────────


def flood(count: int) -> LineRoom:
    room = LineRoom(flood_burst=2, flood_rate=1.0)
    room.type("cat: " + "\n".join(str(number) for number in range(count)))
    return room


def heard(room: LineRoom) -> list[str]:
    return [line.removeprefix("-> ") for line in room.seen("ann").splitlines()]


def test_what_is_too_fast_is_said_when_its_time_has_come_and_nothing_is_read_until_then() -> None:
    room = flood(4)
    assert heard(room) == ["<guest3> 0", "<guest3> 1"]
    assert room.streams["cat"].producerState == "paused"
    room.clock.advance(0.9)
    assert len(heard(room)) == 2
    room.clock.advance(0.1)
    assert heard(room)[2:] == ["<guest3> 2"]
    room.clock.advance(1.0)
    assert heard(room)[3:] == ["<guest3> 3"]
    assert room.streams["cat"].producerState == "producing"
    assert room.seen("cat") == ""
    assert room.clock.getDelayedCalls() == []


def test_what_is_far_too_fast_is_dropped_with_a_word() -> None:
    room = flood(6)
    assert room.seen("cat") == "* too fast, and dropped: 2 of your lines\n"
    room.clock.pump([1.0] * 4)
    assert heard(room) == [f"<guest3> {number}" for number in range(4)]
    room.type("cat: again")
    assert heard(room)[4:] == ["<guest3> again"]


def test_who_goes_on_is_closed_and_what_was_in_time_is_said() -> None:
    room = flood(100)
    assert room.seen("cat") == "* too fast: you are closed, and the rest was dropped\n"
    assert room.streams["cat"].half_closed
    figures = {one.name: one for one in room.service.metrics() if isinstance(one, Counter)}
    assert figures["too_fast"].value == {"delayed": 2, "dropped": 2, "closed": 1}
    assert heard(room) == ["<guest3> 0", "<guest3> 1", "* guest3 has gone: flooding"]
    room.streams["cat"].gone()
    assert room.clock.getDelayedCalls() == []


def test_commands_count_too() -> None:
    room = LineRoom(flood_burst=2, flood_rate=1.0)
    room.type("bob: /me one\nbob: /me two\nbob: /me three")
    assert room.seen("ann") == "-> * bob one\n-> * bob two\n"
    room.clock.advance(1.0)
    assert room.seen("ann").endswith("-> * bob three\n")


def test_the_callers_fin_waits_for_what_was_delayed() -> None:
    room = flood(4)
    cat = room.streams["cat"]
    cat.protocol.readConnectionLost()
    assert not cat.disconnecting
    room.clock.pump([1.0, 1.0])
    assert cat.producerState == "paused"  # there is nothing to be read
    assert heard(room) == [f"<guest3> {number}" for number in range(4)]
    assert cat.disconnecting


def test_who_vanishes_meanwhile_leaves_no_timer() -> None:
    room = flood(4)
    room.streams["cat"].gone()
    assert room.clock.getDelayedCalls() == []


def test_a_reload_changes_the_rate_for_those_who_are_in() -> None:
    room = LineRoom()
    room.service.flood_burst, room.service.flood_rate = 1, 1.0
    room.service.settings_reloaded({"flood_burst": 1, "flood_rate": 1.0})
    room.type("cat: one\ncat: two")
    assert heard(room) == ["<guest3> one"]


def test_without_a_rate_nothing_is_delayed() -> None:
    room = LineRoom()
    room.type("cat: " + "\n".join(["x"] * 100))
    assert heard(room) == ["<guest3> x"] * 100
    assert room.clock.getDelayedCalls() == []


@pytest.mark.parametrize("line", ["", "/", "/history 1000000", "/who", "/nikc", "/me \x1b"])
def test_the_lines_of_one_chunk_are_taken_in_turns(line: str) -> None:
    room = LineRoom(history_size=1 << 24, history_lines=100_000)
    room.type("cat: " + "\n".join(["x" * 200] * 100))
    room.forget()
    count = (1 << 16) // (len(line) + 1)
    room.type("bob: " + "\n".join([line] * count))
    assert room.streams["bob"].producerState == "paused"
    assert len(room.streams["bob"].value()) < 1 << 20
    room.streams["bob"].gone()
    assert room.clock.getDelayedCalls() == []
