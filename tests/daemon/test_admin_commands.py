"""A service's own commands, run: what may be asked, what is answered, and when it ends."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher

from socketsuite.contract import AdminCommand
from socketsuite.daemon.admin.commands import LONGEST_ANSWER, TIMEOUT, Commands, usage_of


class Desk:
    """Commands of services, an operator's requests, and what was answered."""

    def __init__(self, *services: dict[str, Any]) -> None:
        self.clock = Clock()
        self.told: list[dict[str, Any]] = []
        hooked = [
            SimpleNamespace(name=name, hooks=SimpleNamespace(commands=lambda own=own: own))
            for name, own in zip("ab", services, strict=False)
        ]
        self.commands = Commands(hooked, self.clock)

    def ask(self, name: Any, *words: Any, **more: Any) -> Any:
        request = {"command": "run", "name": name, "arguments": list(words), **more}
        return self.commands.run(request, self.told.append)


def command(function: Any, usage: str = "") -> AdminCommand:
    return AdminCommand(function, "Help.\nMore.", usage)


def greet(nick: str, greeting: str = "hello", *others: str) -> str:
    return f"{greeting} {nick}{''.join(others)}"


def refuse(error: Exception) -> Any:
    raise error


def test_what_a_command_returns_is_the_result() -> None:
    async def later() -> int:
        return await succeed(7)

    desk = Desk({"greet": command(greet), "nothing": command(lambda: None)}, {"on": command(later)})
    for words in (["greet", "bob"], ["greet", "bob", "bye", "!"], ["nothing"], ["on"]):
        assert desk.ask(*words) is None
    assert [one["result"] for one in desk.told] == ["hello bob", "bye bob!", None, 7]
    assert [call for call in desk.clock.getDelayedCalls() if call.active()] == []
    assert desk.commands.listed()[0] == {
        "service": "a",
        "name": "greet",
        "usage": "NICK [GREETING] [OTHERS]…",
        "help": "Help.",
    }


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        ({"name": "nobody"}, "there is no command 'nobody'"),
        ({"name": ["greet"]}, "there is no command"),
        ({"name": "both"}, "several services have command 'both'"),
        ({"name": "greet", "service": "b"}, "there is no command 'greet' of 'b'"),
        ({"name": "greet", "service": 7}, "there is no command 'greet' of 7"),
        ({"name": "greet"}, "usage: greet NICK [GREETING] [OTHERS]…"),
        ({"name": "both", "service": "a", "arguments": ["x"]}, "usage: both"),
        ({"name": "greet", "arguments": "bob"}, "arguments must be a list"),
        ({"name": "greet", "arguments": [1]}, "arguments must be a list"),
        ({"name": "greet", "arguments": ["x"] * 65}, "arguments must be a list"),
    ],
)
def test_what_was_said_wrongly_is_told_as_that(request_: Any, error: str) -> None:
    both = command(lambda: None)
    desk = Desk({"greet": command(greet), "both": both}, {"both": both})
    assert desk.commands.run({"command": "run", **request_}, desk.told.append) is None
    (told,) = desk.told
    assert told["error"].startswith(error)
    assert told["cause"] == "usage"


@pytest.mark.parametrize(
    ("function", "error"),
    [
        (lambda: refuse(LookupError("nobody\nhere\x1b")), "go raised LookupError: nobody here^["),
        (lambda: refuse(ValueError()), "go raised ValueError"),
        (lambda: refuse(TypeError("deep")), "go raised TypeError: deep"),
        (object, "go returned what JSON has not (object)"),
        (lambda: {"x": float("nan")}, "go returned what JSON has not (dict)"),
        (lambda: "x" * LONGEST_ANSWER, "go returned more than"),
    ],
)
def test_a_command_that_fails_is_one_line(function: Any, error: str) -> None:
    desk = Desk({"go": command(function)})
    desk.ask("go")
    (told,) = desk.told
    assert told["error"].startswith(error)
    assert list(told) == ["error"]
    assert "\n" not in json.dumps(told)


def test_a_command_has_its_time_and_is_cancelled_after_it() -> None:
    waiting: Deferred[str] = Deferred()
    stubborn: Deferred[str] = Deferred()

    async def goes_on() -> str:
        try:
            return await waiting
        except CancelledError:
            return await stubborn

    desk = Desk({"go": command(goes_on)})
    run = desk.ask("go")
    desk.clock.advance(TIMEOUT - 0.1)
    assert (desk.told, run.over) == ([], False)
    desk.clock.advance(0.2)
    assert desk.told == [{"error": "go was cancelled after 30 s"}]
    assert waiting.called
    stubborn.callback("late")  # and nobody is told
    assert len(desk.told) == 1


def test_an_operator_who_goes_away_cancels_what_is_under_way() -> None:
    cancelled: list[Any] = []
    desk = Desk({"go": command(lambda: Deferred(cancelled.append))})
    run = desk.ask("go")
    run.cancel()
    assert (len(cancelled), desk.told, desk.clock.getDelayedCalls()) == (1, [], [])


def test_what_goes_wrong_after_the_end_is_logged_and_answered_to_nobody() -> None:
    waiting: Deferred[str] = Deferred()

    async def breaks() -> str:
        try:
            return await waiting
        finally:
            raise LookupError("while it was being cancelled")

    desk = Desk({"go": command(breaks)})
    found: list[Any] = []
    publisher: Any = globalLogPublisher
    publisher.addObserver(found.append)
    desk.ask("go").cancel()
    publisher.removeObserver(found.append)
    failures = [one["log_failure"].type for one in found if "log_failure" in one]
    assert (desk.told, failures) == ([], [LookupError])


def test_usage_is_what_is_said_or_the_names_of_parameters() -> None:
    assert usage_of(command(greet, "WHOM")) == "WHOM"
    assert usage_of(command(lambda: None)) == ""
    assert len(usage_of(command(greet, "x" * 999))) == 200
