"""What is kept for clients that are lost, and for how long: no client matters here."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.task import Clock

from socketsuite.socketio.engine import Encoded
from socketsuite.socketio.options import Options
from socketsuite.socketio.recovery import LostSocket, Recovery


def made(**options: Any) -> tuple[Clock, Recovery]:
    clock = Clock()
    return clock, Recovery(clock, Options(recovery=10, **options))


def keep(recovery: Recovery, text: str, *rooms: str, excepted: tuple[str, ...] = ()) -> str:
    offset = recovery.next_offset()
    recovery.keep(Encoded((text,)), rooms, excepted)
    return offset


def lose(clock: Clock, recovery: Recovery, number: int = 0, **rooms: int) -> None:
    recovery.lose(LostSocket("id", "pid", {"id": number, **rooms}, {}, number, clock.seconds()))


def missed(recovery: Recovery, offset: Any) -> list[str] | None:
    found = recovery.find("pid", offset)
    return None if found is None else [each.payload.decode()[1:] for each in found[1]]


def test_what_was_sent_to_its_rooms_since_it_entered_them_is_missed() -> None:
    clock, recovery = made()
    first = keep(recovery, "all")
    keep(recovery, "before it came in", "room")
    keep(recovery, "later", "room", "other")
    keep(recovery, "elsewhere", "other")
    keep(recovery, "for all but it", excepted=("room",))
    keep(recovery, "for it", "id")
    lose(clock, recovery, room=2)
    assert missed(recovery, first) == ["later", "for it"]
    assert missed(recovery, first) is None  # once
    lose(clock, recovery, room=2)
    assert missed(recovery, None) == ["all", "later", "for it"]


def test_nothing_that_was_sent_before_it_came_is_missed_whatever_it_says() -> None:
    clock, recovery = made()
    old = keep(recovery, "before")
    keep(recovery, "since")
    lose(clock, recovery, number=1)
    assert missed(recovery, old) == ["since"]


@pytest.mark.parametrize(
    "offset", ["", "0", "-", "9" * 50, 1, 1.5, True, [], {}, "{mark}", "{mark}-1", "{mark}²"]
)
def test_what_is_no_offset_recovers_nothing(offset: Any) -> None:
    clock, recovery = made()
    mark = keep(recovery, "a").rstrip("0")
    lose(clock, recovery)
    assert (
        missed(recovery, offset.replace("{mark}", mark) if type(offset) is str else offset) is None
    )


def test_an_offset_of_the_future_recovers_nothing() -> None:
    clock, recovery = made()
    mark = keep(recovery, "a").rstrip("0")
    lose(clock, recovery)
    assert missed(recovery, f"{mark}1") is None


@pytest.mark.parametrize("limit", [{"max_recovery_packets": 3}, {"max_recovery_bytes": 3000}])
def test_who_missed_more_than_is_kept_is_not_recovered(limit: dict[str, int]) -> None:
    clock, recovery = made(**limit)
    offsets = [keep(recovery, "x" * 1000) for _ in range(5)]
    lose(clock, recovery)
    assert missed(recovery, offsets[0]) is None
    lose(clock, recovery)
    assert missed(recovery, offsets[1]) == ["x" * 1000] * 3


def test_after_its_time_neither_events_nor_sockets_are_kept() -> None:
    clock, recovery = made()
    offset = keep(recovery, "old")
    lose(clock, recovery)
    clock.advance(10.1)
    assert missed(recovery, offset) is None
    keep(recovery, "new")
    lose(clock, recovery)
    assert missed(recovery, None) is None  # the old one is gone
    lose(clock, recovery)
    assert missed(recovery, offset) == ["new"]


def test_of_more_lost_sockets_than_are_remembered_the_first_is_forgotten() -> None:
    clock, recovery = made(max_recovery_sockets=2)
    for pid in ("a", "b", "c"):
        recovery.lose(LostSocket(pid, pid, {}, {}, 0, clock.seconds()))
    assert [recovery.find(pid, None) is not None for pid in ("a", "b", "c")] == [False, True, True]
