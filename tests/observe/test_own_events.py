"""A service's own events: their lines, and that nothing in them does harm."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, make_dataclass
from typing import Any

import pytest
from twisted.logger import LogLevel, globalLogPublisher

from socketsuite.observe.events import Events, OwnEvent
from socketsuite.observe.journal import journal_form
from socketsuite.observe.json_log import json_form
from socketsuite.observe.log import EventLog
from socketsuite.observe.own_events import OwnEvents, shape_of
from socketsuite.observe.text_log import TextForm


@dataclass(frozen=True)
class NickChanged:
    nick: Any
    times: Any = None


Logged = list[dict[str, Any]]


@pytest.fixture
def logged() -> Iterator[Logged]:
    found: Logged = []
    publisher: Any = globalLogPublisher
    publisher.addObserver(found.append)
    yield found
    publisher.removeObserver(found.append)


@pytest.fixture
def emit() -> OwnEvents:
    events = Events()
    events.subscribe(EventLog("chat", float, payload=False))
    return OwnEvents("chat", events)


def line(event: dict[str, Any]) -> str:
    return TextForm()(event).partition(" chat ")[2].rstrip("\n")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("bob", "nick=bob"),
        (7, "nick=7"),
        (1.5, "nick=1.500"),
        (True, "nick=true"),
        ("", 'nick=""'),
        ("a b", 'nick="a b"'),
        ('bob" by="alice', 'nick="bob\\" by=\\"alice"'),
        ("x=1", 'nick="x=1"'),
        ("\x1b[2J\nforged\x9b\u202e", "nick=^[[2J^Jforged\\x9b\\u202e"),
        (b"\xff\n", "nick=\\xff^J"),
        ("\ud800", "nick=?"),
    ],
)
def test_a_value_is_one_printable_field_of_the_line(
    emit: OwnEvents, logged: Logged, value: Any, text: str
) -> None:
    emit(NickChanged(value))
    (event,) = logged
    assert line(event) == f"nick_changed {text}"


def test_fields_keep_their_types_in_json_and_in_the_journal(
    emit: OwnEvents, logged: Logged
) -> None:
    emit(NickChanged("a b", 7), level="warn")
    (event,) = logged
    assert event["log_level"] is LogLevel.warn
    told = json.loads(json_form(event))
    told.pop("time")
    assert told == {
        "level": "warn",
        "service": "chat",
        "event": "nick_changed",
        "message": 'nick_changed nick="a b" times=7',
        "nick": "a b",
        "times": 7,
    }
    entry = journal_form(None)(event).splitlines()
    assert {"SOCKETSUITE_EVENT=nick_changed", "SOCKETSUITE_SERVICE=chat"} < set(entry)
    assert {"NICK=a b", "TIMES=7", "PRIORITY=4"} < set(entry)


def test_what_is_too_much_is_cut_and_what_json_has_not_becomes_text(
    emit: OwnEvents, logged: Logged
) -> None:
    for value in ("x" * 10_000, b"x" * 10_000, [1] * 10_000, 10**300, float("inf"), float("nan")):
        emit(NickChanged(value))
    assert len(logged) == 6
    for event in logged:
        told = json.loads(json_form(event), parse_constant=lambda _: pytest.fail("no JSON"))
        assert isinstance(told["nick"], str)
        assert len(told["nick"]) <= 256
        assert len(line(event)) < 300


class Hostile:
    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("event", "why"),
    [
        ("text", "it is no dataclass"),
        (None, "it is no dataclass"),
        (make_dataclass("Closed", [])(), "is an event of the daemon's"),
        (make_dataclass("Refused", [])(), "is an event of the daemon's"),
        (make_dataclass("Ä", [])(), "is no name for an event"),
        (make_dataclass("A", [("message", str)])("x"), "cannot be called 'message'"),
        (make_dataclass("A", [("priority", str)])("x"), "cannot be called 'priority'"),
        (make_dataclass("A", [("Nick", str)])("x"), "cannot be called 'Nick'"),
        (make_dataclass("A", [(f"f{n}", int, 0) for n in range(17)])(), "more than 16 fields"),
        (NickChanged(Hostile()), "cannot be logged"),
    ],
)
def test_what_cannot_be_logged_is_one_error_and_raises_nothing(
    emit: OwnEvents, logged: Logged, event: Any, why: str
) -> None:
    emit(event)
    (told,) = logged
    assert told["log_level"] is LogLevel.error
    assert re.search(why, json.loads(json_form(told))["message"])
    emit(event)
    # A class is looked at once; a value is told of each time, as its line would have been.
    assert len(logged) == (2 if isinstance(event, NickChanged) else 1)


def test_names_are_made_of_words() -> None:
    names = ["Kicked", "NickChanged", "HTTPAsked", "Round2Begins"]
    made = [shape_of(make_dataclass(name, []))[0] for name in names]
    assert made == ["kicked", "nick_changed", "http_asked", "round2_begins"]


def test_an_unknown_level_is_info_and_a_broken_subscriber_is_no_matter_of_the_service(
    emit: OwnEvents, logged: Logged
) -> None:
    emit(NickChanged("x"), level="shout")
    assert logged[0]["log_level"] is LogLevel.info
    events = Events()

    def broken(_: Any) -> None:
        raise RuntimeError("no")

    events.subscribe(broken)
    OwnEvents("chat", events)(NickChanged("x"))
    assert "cannot be logged" in json.loads(json_form(logged[1]))["message"]
    assert isinstance(logged[0]["event"], OwnEvent)
