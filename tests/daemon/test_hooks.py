"""A service's optional methods: found through wrappers, and harmful to themselves alone."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import globalLogPublisher
from twisted.protocols.policies import (
    LimitTotalConnectionsFactory,
    ProtocolWrapper,
    WrappingFactory,
)

from socketsuite.contract import AdminCommand
from socketsuite.daemon.admin.own import OwnHooks
from socketsuite.daemon.serve.hooks import hook_of


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def logged() -> Iterator[list[str]]:
    found: list[str] = []

    def observe(event: Any) -> None:
        words = {k: event.get(k) for k in ("service", "hook", "what")}
        found.append("{service} {hook} {what}".format(**words))

    publisher: Any = globalLogPublisher
    publisher.addObserver(observe)
    yield found
    publisher.removeObserver(observe)


class Service(Factory):
    """One whose methods do what the test has them do."""

    def __init__(self, **methods: Any) -> None:
        for name, method in methods.items():
            setattr(self, name, method)


def hooks(clock: Clock | None = None, **methods: Any) -> OwnHooks:
    served = SimpleNamespace(name="chat", factory=Service(**methods))
    return OwnHooks(served, clock or Clock())


def raising(*_: Any) -> Any:
    raise RuntimeError("no")


def test_a_hook_is_found_through_wrapping_factories_the_outermost_first() -> None:
    inner: Any = Service(metrics=lambda: {"inner": 1}, health=dict)
    outer: Any = WrappingFactory(LimitTotalConnectionsFactory())
    outer.wrappedFactory.wrappedFactory = WrappingFactory(inner)
    found = hook_of(outer, "metrics")
    assert found is not None
    assert found() == {"inner": 1}
    outer.metrics = lambda: {"outer": 1}
    assert hook_of(outer, "metrics") is outer.metrics
    assert hook_of(outer, "health") is inner.health
    assert hook_of(outer, "nothing") is None
    assert hook_of(None, "metrics") is None


def test_what_is_no_method_is_no_hook_and_a_ring_of_wrappers_has_an_end() -> None:
    inner: Any = Service(metrics=dict)
    outer: Any = Service(metrics={"rooms": 3}, wrappedFactory=inner)
    assert hook_of(outer, "metrics") is inner.metrics
    outer.wrappedFactory = outer
    assert hook_of(outer, "metrics") is None


def test_a_service_without_methods_says_nothing_and_neither_does_one_that_is_not_served() -> None:
    for one in (hooks(), OwnHooks(SimpleNamespace(name="x", factory=None))):
        assert one.figures() == ()
        assert [one.checks(), one.commands(), one.columns({1: Protocol()})] == [{}, {}, {}]


@pytest.mark.parametrize(
    "wrong",
    [
        raising,
        lambda *_: 7,
        lambda *_: None,
        lambda *_: Deferred(),
        lambda *_: fail(RuntimeError("no")),
    ],
)
def test_a_method_that_is_wrong_is_logged_once_and_costs_its_own_answer(
    wrong: Any, logged: list[str]
) -> None:
    names = ("metrics", "health", "status_columns", "admin_commands")
    one = hooks(**dict.fromkeys(names, wrong))
    protocol = Protocol()
    protocol.connected = True
    for _ in range(3):
        assert one.figures() == ()
        assert list(one.checks()) == ["health"]
        assert one.columns({1: protocol}) == {}
        assert one.commands() == {}
    assert sorted(logged) == sorted(f"chat {name} None" for name in names)


def test_a_coroutine_is_no_answer_and_nobody_complains_that_it_was_not_awaited(
    recwarn: pytest.WarningsRecorder,
) -> None:
    async def health() -> dict[str, bool]:
        return {}

    checks = hooks(health=health).checks()
    assert checks == {"health": "it is asked at once: write def, not async def"}
    assert not recwarn.list


def test_a_slow_method_is_asked_less_often_and_its_last_answer_stands(logged: list[str]) -> None:
    clock, asked = Clock(), []

    def metrics() -> dict[str, float]:
        asked.append(clock.now)
        clock.now += 0.5
        return {"asked": len(asked)}

    one = hooks(clock, metrics=metrics)
    for _ in range(3):
        assert one.figures()[0].samples == (((), 1.0),)
    clock.now += 49.9
    one.figures()
    assert len(asked) == 1
    clock.now += 0.2
    assert one.figures()[0].samples == (((), 2.0),)
    assert len(logged) == 1
    assert "took 0.50 s" in logged[0]


def test_checks_are_good_or_say_what_is_wrong() -> None:
    verdicts = {
        "a": True,
        "b": None,
        "c": False,
        "d": "disk\nfull\x1b",
        "e": "",
        "f": 3,
        7: True,
        "x" * 999: "y" * 999,
    }
    checks = hooks(health=lambda: verdicts).checks()
    assert checks == {
        "a": None,
        "b": None,
        "c": "failing",
        "d": "disk^Jfull^[",
        "e": "failing",
        "f": "answered 3, which is neither a truth value nor a text",
        "7": None,
        "x" * 63 + "…": "y" * 199 + "…",
    }
    assert len(hooks(health=lambda: dict.fromkeys(range(99))).checks()) == 64
    told = hooks(health=lambda: raising()).checks()
    assert told == {"health": "raised RuntimeError: no"}


def test_columns_are_bounded_and_one_that_raises_costs_its_own_connection(
    logged: list[str],
) -> None:
    good, bad, unready = Protocol(), Protocol(), Protocol()
    good.connected = bad.connected = True
    wrapped = ProtocolWrapper(WrappingFactory(Factory()), good)
    said = {"nick": "b\x1b", "n": 7, "huge": 10**400, "nan": float("nan"), "long": "x" * 99}

    def columns(protocol: Any) -> Any:
        assert protocol is not unready
        return raising() if protocol is bad else {**said, **{str(n): n for n in range(9)}}

    one = hooks(status_columns=columns)
    found = one.columns({1: wrapped, 2: bad, 3: unready, 4: None, 5: good})
    assert set(found) == {1, 5}
    told = found[1]
    assert len(told) == 8
    assert (told["nick"], told["n"], told["nan"]) == ("b^[", 7, "nan")
    assert all(len(str(told[name])) == 64 for name in ("huge", "long"))
    one.columns({2: bad})
    assert len(logged) == 1


def test_columns_that_take_long_are_left_out_for_the_rest(logged: list[str]) -> None:
    clock = Clock()

    def columns(_: Any) -> dict[str, int]:
        clock.now += 0.1
        return {"n": 1}

    protocols: dict[int, Any] = {n: SimpleNamespace() for n in range(1000)}
    assert len(hooks(clock, status_columns=columns).columns(protocols)) == 3
    assert len(logged) == 1


def test_commands_are_functions_or_described_and_nothing_else(logged: list[str]) -> None:
    def kick(nick: str) -> None:
        """Close somebody's connection.

        At once.
        """

    described = AdminCommand(kick, "Help")
    offered = {"kick": kick, "ban": described, "No good": kick, "x": 7}
    found = hooks(admin_commands=lambda: offered).commands()
    assert list(found) == ["kick", "ban"]
    assert found["kick"].help.startswith("Close somebody's connection.\n")
    assert len(logged) == 1
    many = {f"c{n}": kick for n in range(99)}
    assert len(hooks(admin_commands=lambda: many).commands()) == 64
