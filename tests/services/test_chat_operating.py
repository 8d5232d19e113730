"""What the daemon's operator may have the chat do."""

from __future__ import annotations

from typing import Any

import pytest

from socketsuite.contract import CommandError
from socketsuite.services.chat.hub import Hub
from socketsuite.services.chat.operating import commands


@pytest.fixture
def hub() -> Hub:
    return Hub(lambda: 1000.0)


def enter(hub: Hub, nick: str, room: str, closed: list[str] | None = None) -> None:
    person = hub.enter(
        frontend="test",
        host="192.0.2.1",
        render=lambda _: b"",
        write=lambda _: None,
        close=(closed if closed is not None else []).append,
    )
    hub.rename(person, nick)
    hub.join(person, room)


def run(hub: Hub, name: str, *words: str) -> Any:
    return commands(hub)[name].function(*words)


def test_rooms_and_people_are_listed(hub: Hub) -> None:
    for nick in ("ann", "bob"):
        enter(hub, nick, "tea")
    assert run(hub, "rooms") == [
        {"room": "tea", "people": 2, "topic": ""},
        {"room": "lobby", "people": 0, "topic": ""},
    ]
    assert run(hub, "people")[1] == {
        "nick": "bob",
        "frontend": "test",
        "host": "192.0.2.1",
        "account": None,
        "rooms": ["tea"],
    }


def test_somebody_is_put_out_kept_out_and_let_in_again(hub: Hub) -> None:
    enter(hub, "ann", "tea")
    enter(hub, "bob", "tea")
    assert run(hub, "kick", "bob", "tea", "too", "loud") == "bob is out of tea"
    assert run(hub, "ban", "bob", "#tea") == "bob may not come into #tea"
    bob = hub.person("bob")
    with pytest.raises(Exception, match="banned"):
        hub.join(bob, "tea")
    run(hub, "unban", "BOB", "tea")
    hub.join(bob, "tea")


def test_somebodys_connection_is_closed(hub: Hub) -> None:
    closed: list[str] = []
    enter(hub, "ann", "tea", closed)
    run(hub, "close", "ann", "good", "night")
    assert closed == ["good night"]


@pytest.mark.parametrize(
    ("name", "words"),
    [("kick", ("zoe", "tea")), ("ban", ("zoe", "nowhere")), ("close", ("zoe",))],
)
def test_what_the_hub_refuses_is_the_answer(hub: Hub, name: str, words: tuple[str, ...]) -> None:
    enter(hub, "ann", "tea")
    with pytest.raises(CommandError, match=r"nobody has that nick|there is no such room"):
        run(hub, name, *words)
