"""The history of the chat: its limits in memory, rooms that were left, what waits for a file."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socketsuite.services.chat import empty_rooms, history_queue
from socketsuite.services.chat.events import cuts_of
from socketsuite.services.chat.history import History, HistoryLimits, size_of
from socketsuite.services.chat.history_queue import HistoryQueue
from socketsuite.services.chat.hub import Hub
from socketsuite.services.chat.keeping import forget_old
from socketsuite.services.chat.refusals import Refused
from tests.support.kept_history import WIDE
from tests.support.talking import Now, enter, message


def texts(history: History) -> list[bytes]:
    return [one.text for one in history]


# ── limits in memory ────────────────────────────────────────────────────────────────


def test_history_keeps_the_last_lines() -> None:
    history = History(HistoryLimits(3, 1 << 20), Now())
    for order in range(1, 6):
        history.add([message(order)])
    assert [one.order for one in history] == [3, 4, 5]
    assert [one.order for one in history.latest(2)] == [4, 5]
    assert history.latest(0) == []


def test_history_of_no_lines_keeps_none() -> None:
    history = History(HistoryLimits(0, 1 << 20), Now())
    history.add([message(1)])
    assert (len(history), history.size) == (0, 0)


def test_history_keeps_its_bytes_and_a_line_that_is_larger_alone_is_not_kept() -> None:
    one = size_of(message(1, text=b"x" * 100))
    history = History(HistoryLimits(100, 2 * one), Now())
    for order in range(1, 4):
        history.add([message(order, text=b"x" * 100)])
    assert [each.order for each in history] == [2, 3]
    assert history.size == 2 * one
    history.add([message(4, text=b"x" * (2 * one))])
    assert (len(history), history.size) == (0, 0)


def test_history_lets_go_of_what_is_too_old_whenever_it_is_looked_at() -> None:
    now = Now()
    history = History(HistoryLimits(100, 1 << 20, 60.0), now)
    history.add([message(1, now())])
    now.seconds += 60.0
    history.add([message(2, now())])
    assert len(history) == 2
    now.seconds += 0.5
    assert [one.order for one in history.latest(9)] == [2]
    now.seconds += 60.0
    assert (history.latest(9), history.size) == ([], 0)


@given(st.lists(st.binary(max_size=400)), st.integers(0, 9), st.integers(0, 3000))
def test_history_is_always_within_its_limits_and_knows_its_size(
    said: list[bytes], lines: int, size: int
) -> None:
    history = History(HistoryLimits(lines, size), Now())
    for order, text in enumerate(said, 1):
        history.add([message(order, text=text)])
        kept = list(history)
        assert len(kept) <= lines
        assert history.size == sum(map(size_of, kept)) <= size
        assert [one.order for one in kept] == list(range(order - len(kept) + 1, order + 1))


def test_each_line_of_a_message_counts() -> None:
    history = History(HistoryLimits(lines=4), Now())
    for order, text in enumerate([b"1", b"2\n3\n4", b"5\n6", b"7"], 1):
        history.add([replace(message(order, text=text), cuts=cuts_of(text))])
        assert sum(one.text.count(b"\n") + 1 for one in history) <= 4
    assert [one.text for one in history] == [b"5\n6", b"7"]
    history.remove("x-3")
    for order in (5, 6, 7):
        history.add([message(order, text=b"8")])
    assert len(history) == 4
    history.add([replace(message(9, text=b"\n" * 4), cuts=cuts_of(b"\n" * 4))])
    assert len(history) == 0


def test_a_deleted_message_is_gone_and_its_bytes_are_free() -> None:
    history = History(WIDE, Now())
    for order in (1, 2, 3):
        history.add([message(order, text=b"abc")])
    removed = history.remove("x-2")
    assert removed is not None
    assert removed.order == 2
    assert history.remove("x-2") is None
    assert [one.order for one in history] == [1, 3]
    assert history.size == 2 * size_of(removed)


# ── rooms that were left ────────────────────────────────────────────────────────────


def test_a_room_comes_back_as_it_was_left() -> None:
    hub = Hub(Now())
    anna = enter(hub, "anna")
    hub.join(anna, "Plans")
    hub.moderation.set_topic(anna, "plans", "what next")
    hub.speech.say(anna, "plans", [b"one", b"two"])
    hub.moderation.set_modes(anna, "plans", [(True, "m", None), (True, "b", "eve!*@*")])
    hub.leave(anna, "plans")
    assert list(hub.rooms) == ["lobby"]
    with pytest.raises(Refused, match="banned"):
        hub.join(enter(hub, "eve"), "plans")
    room = hub.join(enter(hub, "carl"), "PLANS")
    assert (room.name, room.topic, texts(room.history)) == ("Plans", "what next", [b"one", b"two"])
    assert "m" in room.flags
    hub.speech.say(hub.person("carl"), "plans", [b"three"])
    assert [one.order for one in room.history] == [1, 2, 3]


def test_what_was_said_under_a_key_is_not_shown_to_whoever_comes_first() -> None:
    hub = Hub(Now())
    anna = enter(hub, "anna")
    hub.join(anna, "den")
    hub.moderation.set_modes(anna, "den", [(True, "k", "sesame")])
    hub.speech.say(anna, "den", [b"secret"])
    hub.quit(anna)
    with pytest.raises(Refused, match="key"):
        hub.join(enter(hub, "eve"), "den")
    assert "den" not in hub.rooms
    assert texts(hub.join(enter(hub, "bea"), "den", "sesame").history) == [b"secret"]


def test_a_room_of_which_nothing_is_left_is_a_new_one() -> None:
    now = Now()
    hub = Hub(now, limits=HistoryLimits(100, 1 << 20, 60.0))
    anna = enter(hub, "anna")
    for name in ("silent", "old"):
        hub.join(anna, name)
        hub.moderation.set_modes(anna, name, [(True, "k", "sesame")])
    hub.speech.say(anna, "old", [b"long ago"])
    hub.leave(anna, "silent")
    hub.leave(anna, "old")
    assert len(hub.empty_rooms) == 1
    now.seconds += 61
    forget_old(hub)
    assert len(hub.empty_rooms) == 0
    assert [hub.join(anna, name).password for name in ("silent", "old")] == [None, None]


def test_of_rooms_that_were_left_the_last_ones_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(empty_rooms, "MOST_ROOMS", 3)
    hub = Hub(Now())
    anna = enter(hub, "anna")

    def visit(name: str, text: bytes = b"x") -> None:
        hub.join(anna, name)
        hub.speech.say(anna, name, [text])
        hub.leave(anna, name)

    for name in "abcda":
        visit(name)
    assert [room.name for room in hub.empty_rooms] == ["c", "d", "a"]
    monkeypatch.setattr(empty_rooms, "MOST_BYTES", 1000)
    visit("e", b"x" * 500)
    assert [room.name for room in hub.empty_rooms] == ["a", "e"]


# ── the queue before the file ───────────────────────────────────────────────────────


def test_the_queue_is_bounded_and_counts_what_it_loses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_queue, "MOST_MESSAGES", 3)
    waiting = HistoryQueue()
    for order in range(1, 6):
        waiting.added(message(order))
    assert waiting.lost == 2
    assert [one.order for one in waiting.take().messages] == [3, 4, 5]
    monkeypatch.setattr(history_queue, "MOST_BYTES", size_of(message(6)))
    waiting.added(message(6))
    waiting.added(message(7))
    assert (waiting.lost, [one.order for one in waiting.take().messages]) == (3, [7])
    assert not waiting.take()


def test_what_was_evicted_while_it_waited_is_neither_written_nor_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(history_queue, "MOST_MESSAGES", 5)
    waiting = HistoryQueue()
    history = History(HistoryLimits(2, 1 << 20), Now(), waiting)
    for order in range(1, 11):
        history.add([message(order)])
    batch = waiting.take()
    assert [one.order for one in batch.messages] == [9, 10]
    assert (batch.evicted, waiting.lost) == ({"lobby": 8}, 0)


def test_a_forgotten_room_takes_what_of_it_waits_along() -> None:
    waiting = HistoryQueue()
    waiting.added(message(1, room="Den"))
    waiting.added(message(1))
    waiting.removed(message(1, room="den"))
    waiting.evicted(message(1, room="den"))
    waiting.room_forgotten("den")
    waiting.added(message(1, text=b"new", room="den"))
    batch = waiting.take()
    assert [(one.room, one.text) for one in batch.messages] == [("lobby", b""), ("den", b"new")]
    assert (batch.forgotten, batch.evicted, batch.removed) == ({"den"}, {}, set())


def test_too_many_deletions_have_the_file_written_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_queue, "MOST_DELETED", 2)
    waiting = HistoryQueue()
    stale = []
    for order in (1, 2, 3):
        waiting.removed(message(order))
        stale.append(waiting.stale)
    waiting.room_forgotten("den")
    assert stale == [False, False, True]
    waiting.begin_anew(lambda: waiting.added(message(9)))
    batch = waiting.take()
    assert (batch.everything, batch.removed, batch.forgotten) == (True, set(), set())
    assert [one.order for one in batch.messages] == [9]
