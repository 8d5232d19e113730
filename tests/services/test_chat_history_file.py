"""The file that the chat's history is kept in, and the thread that writes it."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from socketsuite.contract import Level
from socketsuite.services.chat import empty_rooms
from socketsuite.services.chat.history import HistoryLimits
from socketsuite.services.chat.history_file import HistoryFile, open_or_begin_anew
from socketsuite.services.chat.history_path import HistoryFileError
from socketsuite.services.chat.history_queue import HistoryQueue
from socketsuite.services.chat.history_writer import HistoryWriter
from socketsuite.services.chat.hub import Hub
from socketsuite.services.chat.keeping import forget_old, restore
from socketsuite.services.chat.refusals import Refused
from tests.support.kept_history import WIDE
from tests.support.talking import Now, enter, message


class Kept:
    """A hub, and the file that it is kept in; :meth:`again` is another process."""

    def __init__(self, path: Path, limits: HistoryLimits = WIDE, now: Now | None = None) -> None:
        self.path, self.limits, self.now = path, limits, now or Now()
        self.queue = HistoryQueue()
        self.hub = Hub(self.now, limits=limits, journal=self.queue)
        self.file, rooms, self.aside = open_or_begin_anew(path, limits, self.now())
        restore(self.hub, rooms)

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
    one.hub.moderation.set_topic(anna, "plans", "what \ud800 next")
    changes = [(True, "k", "a key"[2:]), (True, "l", "7"), (True, "i", None), (True, "I", "b*!*@*")]
    one.hub.moderation.set_modes(anna, "plans", changes)
    one.hub.speech.say(anna, "plans", [b"\xff\x00", "привет".encode()], "emote")
    one.hub.speech.say(anna, "plans", [b""])
    one.hub.speech.say_in(room, anna, [b"a line\n\nand more"], cuts=(7, 8))
    before = list(room.history)

    two = one.again()
    with pytest.raises(Refused, match="invited"):
        two.hub.join(enter(two.hub, "eve"), "plans", "key")
    back = two.hub.join(enter(two.hub, "bea"), "plans", "key")
    assert list(back.history) == before
    assert (back.name, back.topic, back.topic_by) == ("Plans", "what ? next", anna.mask)
    assert (back.flags, back.password, back.limit) == (room.flags, "key", 7)
    assert (back.lists, back.created, back.order) == (room.lists, room.created, 4)
    (more,) = two.hub.speech.say(two.hub.person("bea"), "plans", [b"more"])
    assert more.order == 5
    assert more.id not in {each.id for each in before}


def test_a_file_of_the_version_before_is_taken_and_is_of_this_one_then(tmp_path: Path) -> None:
    one = Kept(tmp_path / "h")
    anna = enter(one.hub, "anna")
    one.hub.join(anna, "lobby")
    one.hub.speech.say(anna, "lobby", [b"before"])
    one.save()
    one.file.close()
    header(tmp_path / "h", 60, 1)
    two = Kept(tmp_path / "h")
    assert [each.text for each in two.hub.lobby.history] == [b"before"]
    # In the file itself, where a program of before looks; not in what is beside it.
    assert (tmp_path / "h").read_bytes()[60:64] == (2).to_bytes(4, "big")


def test_the_lobbys_topic_comes_back_and_its_order_goes_on_though_all_was_deleted(
    tmp_path: Path,
) -> None:
    one = Kept(tmp_path / "h")
    anna = enter(one.hub, "anna")
    one.hub.join(anna, "lobby")
    one.hub.moderation.set_topic(anna, "lobby", "welcome")
    (said,) = one.hub.speech.say(anna, "lobby", [b"never mind this"])
    one.save()
    one.hub.lobby.history.remove(said.id)
    two = one.again()
    assert (two.hub.lobby.topic, len(two.hub.lobby.history)) == ("welcome", 0)
    assert two.hub.lobby.order == 1
    two.file.close()
    assert b"never mind" not in (tmp_path / "h").read_bytes()


def test_an_order_goes_on_though_no_line_is_kept(tmp_path: Path) -> None:
    one = Kept(tmp_path / "h", HistoryLimits(0, 1 << 20, 0.0))
    anna = enter(one.hub, "anna")
    one.hub.join(anna, "lobby")
    one.hub.speech.say(anna, "lobby", [b"x"] * 3)
    two = one.again()
    two.file.close()
    assert (two.hub.lobby.order, rows_of(two.path)) == (3, [])


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
        one.hub.speech.say(anna, name, [b"x"] * 5)
    one.save()
    one.limits.lines = 2
    forget_old(one.hub)
    one.save()
    one.file.close()
    assert rows_of(one.path) == [("den", 4), ("den", 5), ("lobby", 4), ("lobby", 5)]

    # What grew too old, or too much, while nobody ran is gone as soon as somebody does.
    three = Kept(one.path, HistoryLimits(1, 1 << 20, 60.0), one.now)
    three.file.close()
    assert rows_of(one.path) == [("den", 5), ("lobby", 5)]
    one.now.seconds += 61
    four = Kept(one.path, three.limits, one.now)
    assert len(four.hub.empty_rooms) == 0
    assert four.hub.lobby.order == 5
    four.again().file.close()
    assert rows_of(one.path) == []


def test_the_last_used_rooms_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socketsuite.services.chat.history_file.MOST_ROOMS", 2)
    monkeypatch.setattr(empty_rooms, "MOST_ROOMS", 2)
    one = Kept(tmp_path / "h")
    anna = enter(one.hub, "anna")
    one.hub.join(anna, "lobby")
    for name in ("first", "second", "third", "lobby"):
        one.now.seconds += 1
        one.hub.join(anna, name)
        one.hub.speech.say(anna, name, [name.encode()])
    two = one.again()
    assert [room.name for room in two.hub.empty_rooms] == ["second", "third"]
    assert (one.file.dropped, two.file.dropped) == (0, 1)
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


def instead(make: Callable[[Path], object]) -> Callable[[Path], object]:
    """Return what makes something else of a file."""

    def replace(path: Path) -> None:
        path.unlink()
        make(path)

    return replace


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "folder": (instead(Path.mkdir), "it is a folder"),
    "fifo": (instead(os.mkfifo), "it is no regular file"),
    "device": (instead(lambda path: path.symlink_to("/dev/full")), "no regular file"),
    "circle": (instead(lambda path: path.symlink_to(path)), "lead in a circle"),
    "text": (lambda path: path.write_text("my dear diary " * 99), "it is no SQLite file"),
    "short": (lambda path: path.write_bytes(path.read_bytes()[:99]), "it is no SQLite file"),
    "foreign": (lambda path: header(path, 68, 0), "another application's SQLite file"),
    "newer": (lambda path: header(path, 60, 3), "version 3, and 2 is known"),
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


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "h"
    Kept(path).again().file.close()
    os.chown(path, 65534, -1)
    with pytest.raises(HistoryFileError, match="another user's: chown it to this one"):
        open_or_begin_anew(path, WIDE, 0.0)


@pytest.mark.parametrize("there", [True, False])
def test_what_cannot_be_written_is_refused_with_the_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    path = tmp_path / "h"
    if there:
        Kept(path).again().file.close()
    kernel = os.statvfs(tmp_path)
    mounted = os.statvfs_result((*kernel[:8], os.ST_RDONLY, kernel[9]))
    with monkeypatch.context() as read_only:
        read_only.setattr(os, "statvfs", lambda path: mounted)
        with pytest.raises(HistoryFileError, match="read-only: name a file elsewhere"):
            open_or_begin_anew(path, WIDE, 0.0)
    # To root everything is permitted: the kernel's answer to somebody else.
    monkeypatch.setattr(os, "access", lambda path, mode, effective_ids: path != tmp_path)
    with pytest.raises(HistoryFileError, match="let this user write it and its folder"):
        open_or_begin_anew(path, WIDE, 0.0)
    assert os.listdir(tmp_path) == ["h"] * there


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
    "a trigger": lambda path: scribble(
        path, "CREATE TRIGGER t AFTER INSERT ON messages BEGIN DELETE FROM rooms; END"
    ),
    "no room's name": lambda path: scribble(path, "UPDATE rooms SET name = 'a b'"),
    "no JSON": lambda path: scribble(path, "UPDATE rooms SET modes = '[1'"),
    "no modes": lambda path: scribble(path, "UPDATE rooms SET modes = '{}'"),
    "no flags": lambda path: scribble(
        path, "UPDATE rooms SET modes = json_set(modes, '$.flags', 'nx')"
    ),
    "no kind": lambda path: scribble(path, "UPDATE messages SET kind = 'x'"),
    "no place": lambda path: scribble(path, "UPDATE messages SET place = 10 + place"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_file_of_ours_is_kept_aside_and_another_begun(tmp_path: Path, case: str) -> None:
    path = tmp_path / "h"
    one = Kept(path)
    anna = enter(one.hub, "anna")
    one.hub.join(anna, "lobby")
    one.hub.speech.say(anna, "lobby", [b"x" * 3000] * 5)
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
    outcome: list[Any] = []
    writer.start(WIDE, 0.0).addBoth(outcome.append)
    assert writer._thread is not None
    writer._thread.join(20)
    for call in calls:
        call()
    assert [str(each.value).rpartition(": ")[2] for each in outcome] == ["create it"]
    assert writer.stop().called


def told(path: Path, events: list[object]) -> HistoryWriter:
    """Return a writer whose thread does itself what the reactor's would."""

    def emit(event: object, /, *, level: Level = "info") -> None:
        events.append(event)

    return HistoryWriter(path, lambda f, *a: f(*a), emit)


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_what_can_never_be_written_costs_itself_and_what_was_with_it(tmp_path: Path) -> None:
    events: list[object] = []
    writer = told(tmp_path / "h", events)
    writer.start(WIDE, 0.0)
    writer.queue.added(message(1 << 70))
    until(lambda: writer.trouble is not None)
    assert writer.queue.lost == 1
    writer.queue.added(message(1))
    until(lambda: writer.trouble is None)
    done = writer.stop()
    until(lambda: bool(done.called))
    assert (writer.saved, writer.queue.lost) == (1, 1)
    assert [type(event).__name__ for event in events] == ["HistoryNotSaved", "HistorySaved"]
    assert rows_of(tmp_path / "h") == [("lobby", 1)]


def test_a_stop_that_takes_too_long_says_what_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, hangs = threading.Event(), threading.Event()

    def apply(file: HistoryFile, batch: object) -> None:
        begun.set()
        assert hangs.wait(20)

    monkeypatch.setattr(HistoryFile, "apply", apply)
    events: list[object] = []
    writer = told(tmp_path / "h", events)
    writer.start(WIDE, 0.0)
    writer.queue.added(message(1))
    assert begun.wait(20)
    writer.queue.added(message(2))
    writer.stop().addErrback(lambda _: None).cancel()
    hangs.set()
    assert writer._thread is not None
    writer._thread.join(20)
    assert [getattr(event, "why", "") for event in events] == [
        "2 messages could not be written in time"
    ]
