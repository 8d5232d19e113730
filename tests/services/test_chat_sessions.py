"""The line frontend between its lines: who waits, who is gone, and how much is shown."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed

from socketsuite.services.chat.events import Event, Said
from socketsuite.services.chat.line_commands import MOST_LISTED
from socketsuite.services.chat.line_render import render_ncat, render_plain
from socketsuite.services.chat.line_session import MOST_HISTORY
from tests.services.line_chat import LineRoom


@pytest.mark.parametrize("later", [False, True])
def test_a_password_is_asked_for_and_what_comes_meanwhile_waits(later: bool) -> None:
    room = LineRoom()
    asked = []
    answer: Deferred[str | None] = Deferred() if later else succeed("Cathy")

    def authenticate(name: str, password: str, host: str) -> Deferred[str | None]:
        asked.append((name, password))
        return answer

    service: Any = room.service
    service.authenticate = authenticate
    room.type("cat: /login cathy")
    assert room.seen("cat") == "* password of cathy?\n"
    room.forget()
    room.type("cat: /secret word\ncat: hello")
    room.type("cat: again")
    assert asked == [("cathy", "/secret word")]
    if later:
        assert room.streams["cat"].producerState == "paused"
        assert room.seen("ann") == ""
        answer.callback("Cathy")
    assert room.seen("ann") == "* guest3 is now Cathy\n-> <Cathy> hello\n-> <Cathy> again\n"
    assert room.seen("cat") == "* you are logged in as Cathy\n* guest3 is now Cathy\n"
    assert room.streams["cat"].producerState == "producing"


def test_a_wrong_password_is_told_and_a_failure_is_one_line() -> None:
    room = LineRoom()
    service: Any = room.service
    service.authenticate = lambda name, password, host: succeed(None)
    room.type("cat: /login cathy wrong")
    told = "* cathy: the password is another one, or there is no such account\n"
    assert room.seen("cat") == told


def test_who_is_gone_before_the_answer_disturbs_nobody() -> None:
    room = LineRoom()
    answer: Deferred[str | None] = Deferred()
    service: Any = room.service
    service.authenticate = lambda name, password, host: answer
    room.type("cat: /login cathy word")
    room.type("cat: hello")
    room.streams["cat"].gone()
    answer.callback("Cathy")
    assert room.seen("ann") == "* guest3 has gone: closed\n"
    assert set(room.service.hub.people) == {"ann", "bob"}
    assert room.streams["cat"].producerState == "paused"
    assert room.clock.getDelayedCalls() == []


def test_long_lists_end_with_how_many_more_there_are() -> None:
    room = LineRoom()
    for _ in range(MOST_LISTED):
        room.enter("more")
    room.type("bob: /who")
    assert room.seen("bob").endswith(" and 3 more\n")


def test_who_may_not_enter_the_lobby_is_told_and_may_go_elsewhere() -> None:
    room = LineRoom()
    room.type("ann: /key tea")
    room.enter("dan")
    assert room.seen("dan") == "* lobby: the room's key is another one\n"
    room.forget()
    room.type("dan: hello?\ndan: /join den\ndan: hello")
    assert room.seen("dan") == (
        "* not said: #lobby: you are not in that room; /join it\n* guest4 joined #den\n"
    )


def test_a_client_that_is_put_out_is_told_why() -> None:
    room = LineRoom()
    room.people["bob"].close("killed by root")
    assert room.seen("bob") == "* you are out: killed by root\n"
    assert room.seen("ann") == "* bob has gone: killed by root\n"
    assert room.streams["bob"].half_closed


def test_who_has_chosen_a_nick_keeps_it_at_login() -> None:
    room = LineRoom()
    service: Any = room.service
    service.authenticate = lambda name, password, host: succeed("Robert")
    room.type("bob: /login robert word")
    assert room.seen("bob") == "* you are logged in as Robert\n"
    assert (room.people["bob"].nick, room.people["bob"].account) == ("bob", "Robert")


def test_a_room_that_is_not_listed_is_none_for_who_is_not_inside() -> None:
    room = LineRoom()
    room.type("ann: /join den")
    room.service.hub.moderation.set_modes(room.people["ann"], "den", [(True, "s", None)])
    room.forget()
    room.type("bob: /rooms\nbob: /who den")
    assert room.seen("bob") == "* #lobby* 3 people\n* den: there is no such room\n"
    room.forget()
    room.type("ann: /rooms")
    assert room.seen("ann") == "* #lobby* 3 people\n* #den* 1 person\n"


def test_no_message_holds_a_carriage_return() -> None:
    room = LineRoom()
    told: list[Said] = []

    def render(event: Event) -> bytes:
        if isinstance(event, Said):
            told.append(event)
        return b""

    hub = room.service.hub
    dan = hub.enter(frontend="x", host="x", render=render, write=print, close=print)
    hub.join(dan, "lobby")
    room.type("bob: a\rb\nbob: /me c\rd\nbob: /msg guest4 e\rf")
    assert [one.messages[0].text for one in told] == [b"a^Mb", b"c^Md", b"e^Mf"]
    # Who is told nothing but lines sees none that is to one person.
    assert render_plain(told[-1]) == render_ncat(told[-1]) == b""


def test_history_is_shown_as_far_as_one_answer_may_go() -> None:
    room = LineRoom()
    room.type("cat: " + "\n".join([f"{number:01000}" for number in range(120)]))
    room.forget()
    room.type("bob: /history 120")
    _, *lines = room.seen("bob").splitlines()
    assert MOST_HISTORY <= len("\n".join(lines)) + 1 < MOST_HISTORY + 1100
    assert lines[-1].endswith("119")


def test_who_is_drained_is_heard_no_more() -> None:
    room = LineRoom()
    room.type("bob: " + "\n".join(["x"] * 300))
    room.streams["bob"].protocol.drain()
    room.forget()
    room.type("bob: hello")
    assert (room.seen("ann"), room.seen("bob")) == ("", "")
    assert room.clock.getDelayedCalls() == []


def test_what_comes_while_lines_wait_comes_after_them() -> None:
    room = LineRoom()
    room.type("cat: " + "\n".join(str(number) for number in range(300)))
    room.type("cat: 300")
    room.clock.advance(0)
    heard = [line.removeprefix("-> <guest3> ") for line in room.seen("ann").splitlines()]
    assert heard == [str(number) for number in range(301)]
