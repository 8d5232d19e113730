"""The history of the chat: its limits in memory, rooms that were left, and the file."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socketsuite.services.chat import empty_rooms, history_queue
from socketsuite.services.chat.events import Message
from socketsuite.services.chat.history import History, HistoryLimits, size_of
from socketsuite.services.chat.history_file import HistoryFile, open_or_begin_anew
from socketsuite.services.chat.history_path import HistoryFileError
from socketsuite.services.chat.history_queue import HistoryQueue
from socketsuite.services.chat.history_writer import HistoryWriter
from socketsuite.services.chat.hub import Hub
from socketsuite.services.chat.person import Person
from socketsuite.services.chat.refusals import Refused

WIDE = HistoryLimits(1_000_000, 1 << 30, 0.0)


class Now:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0

    def __call__(self) -> float:
        return self.seconds


def message(order: int, at: float = 1.0, text: bytes = b"", room: str = "lobby") -> Message:
    mask = "bob!l@host"
    return Message(f"x-{order}", order, at, room, "bob", mask, None, False, "message", text)


def enter(hub: Hub, nick: str) -> Person:
    person = hub.enter(
        frontend="test",
        host="host",
        render=lambda event: b"",
        write=lambda data: None,
        close=lambda reason: None,
    )
    hub.rename(person, nick)
    return person


def texts(history: History) -> list[bytes]:
    return [one.text for one in history]


# ── limits in memory ────────────────────────────────────────────────────────────────


def test_history_keeps_the_last_lines() -> None:
    history = History(HistoryLimits(3, 1 << 20), Now())
    for order in range(1, 6):
        history.add(message(order))
    assert [one.order for one in history] == [3, 4, 5]
    assert [one.order for one in history.latest(2)] == [4, 5]
    assert history.latest(0) == []


def test_history_of_no_lines_keeps_none() -> None:
    history = History(HistoryLimits(0, 1 << 20), Now())
    history.add(message(1))
    assert (len(history), history.size) == (0, 0)


def test_history_keeps_its_bytes_and_a_line_that_is_larger_alone_is_not_kept() -> None:
    one = size_of(message(1, text=b"x" * 100))
    history = History(HistoryLimits(100, 2 * one), Now())
    for order in range(1, 4):
        history.add(message(order, text=b"x" * 100))
    assert [each.order for each in history] == [2, 3]
    assert history.size == 2 * one
    history.add(message(4, text=b"x" * (2 * one)))
    assert (len(history), history.size) == (0, 0)


def test_history_lets_go_of_what_is_too_old_whenever_it_is_looked_at() -> None:
    now = Now()
    history = History(HistoryLimits(100, 1 << 20, 60.0), now)
    history.add(message(1, now()))
    now.seconds += 60.0
    history.add(message(2, now()))
    assert len(history) == 2
    now.seconds += 0.5
    assert [one.order for one in history.latest(9)] == [2]
    now.seconds += 60.0
    assert history.between(lambda _: True, lambda _: True) == []
    assert history.size == 0


@given(st.lists(st.binary(max_size=400)), st.integers(0, 9), st.integers(0, 3000))
def test_history_is_always_within_its_limits_and_knows_its_size(
    said: list[bytes], lines: int, size: int
) -> None:
    history = History(HistoryLimits(lines, size), Now())
    for order, text in enumerate(said, 1):
        history.add(message(order, text=text))
        kept = list(history)
        assert len(kept) <= lines
        assert history.size == sum(map(size_of, kept)) <= size
        assert [one.order for one in kept] == list(range(order - len(kept) + 1, order + 1))


def test_a_deleted_message_is_gone_and_its_bytes_are_free() -> None:
    history = History(WIDE, Now())
    for order in (1, 2, 3):
        history.add(message(order, text=b"abc"))
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
    hub.set_topic(anna, "plans", "what next")
    hub.say(anna, "plans", [b"one", b"two"])
    hub.set_modes(anna, "plans", [(True, "m", None), (True, "b", "eve!*@*")])
    hub.leave(anna, "plans")
    assert list(hub.rooms) == ["lobby"]
    with pytest.raises(Refused, match="banned"):
        hub.join(enter(hub, "eve"), "plans")
    room = hub.join(enter(hub, "carl"), "PLANS")
    assert (room.name, room.topic, texts(room.history)) == ("Plans", "what next", [b"one", b"two"])
    assert "m" in room.flags
    hub.say(hub.person("carl"), "plans", [b"three"])
    assert [one.order for one in room.history] == [1, 2, 3]


def test_what_was_said_under_a_key_is_not_shown_to_whoever_comes_first() -> None:
    hub = Hub(Now())
    anna = enter(hub, "anna")
    hub.join(anna, "den")
    hub.set_modes(anna, "den", [(True, "k", "sesame")])
    hub.say(anna, "den", [b"secret"])
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
        hub.set_modes(anna, name, [(True, "k", "sesame")])
    hub.say(anna, "old", [b"long ago"])
    hub.leave(anna, "silent")
    hub.leave(anna, "old")
    assert len(hub.empty_rooms) == 1
    now.seconds += 61
    hub.forget_old()
    assert len(hub.empty_rooms) == 0
    assert [hub.join(anna, name).password for name in ("silent", "old")] == [None, None]


def test_of_rooms_that_were_left_the_last_ones_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(empty_rooms, "MOST_ROOMS", 3)
    hub = Hub(Now())
    anna = enter(hub, "anna")

    def visit(name: str, text: bytes = b"x") -> None:
        hub.join(anna, name)
        hub.say(anna, name, [text])
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


def test_too_many_deletions_have_the_file_written_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_queue, "MOST_DELETED", 2)
    waiting = HistoryQueue()
    for order in (1, 2):
        waiting.removed(message(order))
    assert not waiting.stale
    waiting.room_forgotten("den")
    assert waiting.stale
    waiting.begin_anew(lambda: waiting.added(message(9)))
    batch = waiting.take()
    assert (batch.everything, batch.removed, batch.forgotten) == (True, set(), set())
    assert [one.order for one in batch.messages] == [9]


# ── the file ────────────────────────────────────────────────────────────────────────


class Kept:
    """A hub, and the file that it is kept in; :meth:`again` is another process."""

    def __init__(self, path: Path, limits: HistoryLimits = WIDE, now: Now | None = None) -> None:
        self.path, self.limits, self.now = path, limits, now or Now()
        self.queue = HistoryQueue()
        self.hub = Hub(self.now, limits=limits, journal=self.queue)
        self.file, rooms, self.aside = open_or_begin_anew(path, limits, self.now())
        self.hub.restore(rooms)

    def save(self) -> None:
        self.file.apply(self.queue.take())

    def again(self, limits: HistoryLimits | None = None) -> Kept:
        self.save()
        self.file.close()
        return Kept(self.path, limits or self.limits, self.now)


def test_a_room_comes_back_from_the_file_as_it_was(tmp_path: Path) -> None:
    one = Kept(tmp_path / "h")
    anna = enter(one.hub, "Änna")
    one.hub.set_account(anna, "anna")
    room = one.hub.join(anna, "Plans")
    one.hub.set_topic(anna, "plans", "what \ud800 next")
    changes = [(True, "k", "a key"[2:]), (True, "l", "7"), (True, "i", None), (True, "I", "b*!*@*")]
    one.hub.set_modes(anna, "plans", changes)
    one.hub.say(anna, "plans", [b"\xff\x00", "привет".encode()], "emote")
    one.hub.say(anna, "plans", [b""])
    before = list(room.history)

    two = Kept(tmp_path / "h2").again() and one.again()
    with pytest.raises(Refused, match="invited"):
        two.hub.join(enter(two.hub, "eve"), "plans", "key")
    back = two.hub.join(enter(two.hub, "bea"), "plans", "key")
    assert list(back.history) == before
    assert (back.name, back.topic, back.topic_by) == ("Plans", "what ? next", anna.mask)
    assert (back.flags, back.password, back.limit) == (room.flags, "key", 7)
    assert (back.lists, back.created, back.order) == (room.lists, room.created, 3)
    (more,) = two.hub.say(two.hub.person("bea"), "plans", [b"more"])
    assert more.order == 4
    assert more.id not in {each.id for each in before}


def test_the_lobbys_topic_comes_back_and_its_order_goes_on_though_all_was_deleted(
    tmp_path: Path,
) -> None:
    one = Kept(tmp_path / "h")
    anna = enter(one.hub, "anna")
    one.hub.join(anna, "lobby")
    one.hub.set_topic(anna, "lobby", "welcome")
    (said,) = one.hub.say(anna, "lobby", [b"never mind this"])
    one.save()
    one.hub.lobby.history.remove(said.id)
    two = one.again()
    assert (two.hub.lobby.topic, len(two.hub.lobby.history)) == ("welcome", 0)
    assert two.hub.lobby.order == 1
    two.file.close()
    assert b"never mind" not in (tmp_path / "h").read_bytes()


def rows_of(path: Path) -> list[tuple[str, int]]:
    database = sqlite3.connect(path)
    try:
        return database.execute("SELECT room, place FROM messages ORDER BY 1, 2").fetchall()
    finally:
        database.close()


def test_the_file_is_within_the_limits_as_memory_is(tmp_path: Path) -> None:
    one = Kept(tmp_path / "h", HistoryLimits(3, 1 << 20, 60.0))
    anna = enter(one.hub, "anna")
    for name in ("lobby", "den"):
        one.hub.join(anna, name)
        one.hub.say(anna, name, [b"x"] * 5)
    one.save()
    one.limits.lines = 2
    one.hub.forget_old()
    two = one.again()
    two.file.close()
    assert rows_of(two.path) == [("den", 4), ("den", 5), ("lobby", 4), ("lobby", 5)]

    # What grew too old, or too much, while nobody ran is gone as soon as somebody does.
    three = Kept(two.path, HistoryLimits(1, 1 << 20, 60.0), one.now)
    three.file.close()
    assert rows_of(two.path) == [("den", 5), ("lobby", 5)]
    one.now.seconds += 61
    four = Kept(two.path, three.limits, one.now)
    assert len(four.hub.empty_rooms) == 0
    assert four.hub.lobby.order == 5
    four.again().file.close()
    assert rows_of(two.path) == []


def test_the_last_used_rooms_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socketsuite.services.chat.history_file.MOST_ROOMS", 2)
    monkeypatch.setattr(empty_rooms, "MOST_ROOMS", 2)
    one = Kept(tmp_path / "h")
    anna = enter(one.hub, "anna")
    one.hub.join(anna, "lobby")
    for name in ("first", "second", "third", "lobby"):
        one.now.seconds += 1
        one.hub.join(anna, name)
        one.hub.say(anna, name, [name.encode()])
    two = one.again()
    assert [room.name for room in two.hub.empty_rooms] == ["second", "third"]
    two.again().file.close()
    assert {room for room, _ in rows_of(two.path)} == {"second", "third", "lobby"}


def test_the_file_is_its_users_alone_and_one_processs_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "h"
    link = tmp_path / "link"
    link.symlink_to(path)
    one = Kept(link)
    one.save()
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()}
    assert modes == {"h": 0o600, "h-wal": 0o600, "link": 0o600}
    child = os.fork()
    if child == 0:
        try:
            HistoryFile(path)
        except HistoryFileError as error:
            os._exit(7 if "another process has it open" in str(error) else 8)
        os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    one.file.close()
    assert sorted(os.listdir(tmp_path)) == ["h", "link"]


def header(path: Path, at: int, value: int) -> None:
    data = bytearray(path.read_bytes())
    data[at : at + 4] = value.to_bytes(4, "big")
    path.write_bytes(data)


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "folder": (lambda path: (path.unlink(), path.mkdir()), "it is a folder"),
    "fifo": (lambda path: (path.unlink(), os.mkfifo(path)), "it is no regular file"),
    "device": (lambda path: (path.unlink(), path.symlink_to("/dev/full")), "no regular file"),
    "circle": (lambda path: (path.unlink(), path.symlink_to(path)), "lead in a circle"),
    "text": (lambda path: path.write_text("my dear diary " * 99), "it is no SQLite file"),
    "short": (lambda path: path.write_bytes(path.read_bytes()[:99]), "it is no SQLite file"),
    "foreign": (lambda path: header(path, 68, 0), "another application's SQLite file"),
    "newer": (lambda path: header(path, 60, 2), "version 2, and 1 is known"),
    "open to all": (lambda path: path.chmod(0o620), "others can write it: chmod 600"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_none_of_ours_is_refused_in_one_line_and_left_as_it_is(
    tmp_path: Path, case: str
) -> None:
    change, why = REFUSED[case]
    path = tmp_path / "h"
    Kept(path).again().file.close()
    change(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(HistoryFileError, match=why) as raised:
        open_or_begin_anew(path, WIDE, 0.0)
    assert str(raised.value).startswith("cannot keep the history in /")
    assert "\n" not in str(raised.value)
    assert os.listdir(tmp_path) == ["h"]
    assert before == (path.read_bytes() if path.is_file() else None)


def scribble(path: Path, statement: str) -> None:
    database = sqlite3.connect(path)
    database.executescript(statement)
    database.close()


DAMAGED: dict[str, Callable[[Path], object]] = {
    "truncated": lambda path: os.truncate(path, path.stat().st_size - 4096),
    "cut in a page": lambda path: os.truncate(path, 5000),
    "header only": lambda path: os.truncate(path, 100),
    "a page of zeros": lambda path: path.write_bytes(path.read_bytes()[:4096] + bytes(3 * 4096)),
    "another schema": lambda path: scribble(path, "DROP TABLE messages"),
    "no room's name": lambda path: scribble(path, "UPDATE rooms SET name = 'a b'"),
    "no JSON": lambda path: scribble(path, "UPDATE rooms SET modes = '[1'"),
    "no modes": lambda path: scribble(path, "UPDATE rooms SET modes = '{}'"),
    "no kind": lambda path: scribble(path, "UPDATE messages SET kind = 'x'"),
    "no place": lambda path: scribble(path, "UPDATE messages SET place = 10 + place"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_file_of_ours_is_kept_aside_and_another_begun(tmp_path: Path, case: str) -> None:
    path = tmp_path / "h"
    one = Kept(path)
    anna = enter(one.hub, "anna")
    one.hub.join(anna, "lobby")
    one.hub.say(anna, "lobby", [b"x" * 3000] * 5)
    one.again().file.close()
    DAMAGED[case](path)
    for number in (1, 2):
        damaged = path.read_bytes()
        two = Kept(path)
        assert two.aside is not None
        aside, why = two.aside
        assert "\n" not in why
        assert aside.name.startswith("h.damaged-2")
        assert aside.read_bytes() == damaged
        assert len(list(tmp_path.glob("h.damaged-*"))) == number
        assert len(two.hub.lobby.history) == 0
        two.again().file.close()
        os.truncate(path, 4096)


def test_transactions_that_were_left_of_another_file_are_not_taken(tmp_path: Path) -> None:
    one = Kept(tmp_path / "h")
    one.save()
    left = (tmp_path / "h-wal").read_bytes()
    assert left
    one.file.close()
    (tmp_path / "h").unlink()
    (tmp_path / "h-wal").write_bytes(left)
    two = Kept(tmp_path / "h")
    two.again().file.close()
    (aside,) = tmp_path.glob("h.damaged-*-wal")
    assert aside.read_bytes() == left


# ── the thread ──────────────────────────────────────────────────────────────────────


def test_a_start_that_cannot_be_is_told_and_a_stop_after_it_is_done_at_once(
    tmp_path: Path,
) -> None:
    calls: list[Callable[[], object]] = []
    writer = HistoryWriter(tmp_path / "none" / "h", lambda f, *a: calls.append(lambda: f(*a)))
    failures: list[BaseException] = []
    writer.start(WIDE, 0.0).addErrback(lambda failure: failures.append(failure.value))
    assert writer._thread is not None
    writer._thread.join(20)
    for call in calls:
        call()
    assert [str(each).rpartition(": ")[2] for each in failures] == ["create it"]
    assert writer.stop().called
