"""Makes a scenario smaller while what is wrong with it stays wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from tests.differential.scenario import Connection, Op, Scenario, Step


def shrink(scenario: Scenario, fails: Callable[[Scenario], bool], most: int = 400) -> Scenario:
    """Return the smallest scenario found for which *fails*, after up to *most* tries."""
    tries = 0
    found = True
    while found:
        found = False
        for smaller in _smaller(scenario):
            tries += 1
            if tries > most:
                return scenario
            if fails(smaller):
                scenario, found = smaller, True
                break
    return scenario


def _smaller(scenario: Scenario) -> Iterator[Scenario]:
    """Yield scenarios that have one thing less, the large things first."""
    if len(scenario.connections) > 1:
        yield _without_last(scenario)
    for steps in _shorter(scenario.steps):
        yield replace(scenario, steps=steps)
    for place, connection in enumerate(scenario.connections):
        for less in _smaller_connection(connection):
            yield replace(scenario, connections=_with(scenario.connections, place, less))
    for place, step in enumerate(scenario.steps):
        for less_step in _smaller_step(step):
            yield replace(scenario, steps=_with(scenario.steps, place, less_step))
    for name in ("tight", "old_tls"):
        if getattr(scenario, name):
            flag: dict[str, Any] = {name: False}
            yield replace(scenario, **flag)
    if scenario.kind.startswith("observed"):
        yield replace(scenario, kind=scenario.kind.partition(" ")[2])
    if scenario.kind == "unix":
        yield replace(scenario, kind="tcp")


def _without_last(scenario: Scenario) -> Scenario:
    last = len(scenario.connections) - 1
    return replace(
        scenario,
        connections=scenario.connections[:-1],
        steps=tuple(step for step in scenario.steps if step.caller != last),
    )


def _smaller_connection(connection: Connection) -> Iterator[Connection]:
    for handlers in _shorter(connection.handlers):
        yield replace(connection, handlers=handlers)
    for name, none in (
        ("half_closeable", False),
        ("echo", False),
        ("forward", None),
        ("late", False),
    ):
        if getattr(connection, name) != none:
            with_less: dict[str, Any] = {name: none}
            yield replace(connection, **with_less)
    for place, handler in enumerate(connection.handlers):
        for ops in _smaller_ops(handler.ops):
            less = replace(handler, ops=ops)
            yield replace(connection, handlers=_with(connection.handlers, place, less))
        if handler.at > 1:
            less = replace(handler, at=1)
            yield replace(connection, handlers=_with(connection.handlers, place, less))


def _smaller_step(step: Step) -> Iterator[Step]:
    for ops in _smaller_ops(step.ops):
        yield replace(step, ops=ops)
    if not step.settle:
        yield replace(step, settle=True)
    if step.rate:
        yield replace(step, rate=0)
    if step.name == "send" and step.value > 1:
        yield replace(step, value=1)
        yield replace(step, value=step.value // 2)
    if step.name == "connect" and step.value:
        yield replace(step, value=None)


def _smaller_ops(ops: tuple[Op, ...]) -> Iterator[tuple[Op, ...]]:
    yield from _shorter(ops)
    for place, op in enumerate(ops):
        if op.name == "timer":
            yield ops[:place] + op.ops + ops[place + 1 :]
            if op.value:
                yield _with(ops, place, replace(op, value=0))
        if op.name in ("write", "write sequence", "file") and op.value > 1:
            for size in (1, 480, op.value // 2):
                if size < op.value:
                    yield _with(ops, place, replace(op, value=size))
        if op.name in ("push", "pull", "pull made push"):
            total, piece, by_timer = op.value
            if by_timer:
                yield _with(ops, place, replace(op, value=(total, piece, False)))
            if total > 1000:
                yield _with(ops, place, replace(op, value=(total // 2, piece, by_timer)))
        for nested in _smaller_ops(op.ops):
            yield _with(ops, place, replace(op, ops=nested))


def _shorter(things: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    half = len(things) // 2
    if half > 1:
        yield things[:half]
        yield things[half:]
    for place in range(len(things)):
        yield things[:place] + things[place + 1 :]


def _with(things: tuple[Any, ...], place: int, thing: Any) -> tuple[Any, ...]:
    return (*things[:place], thing, *things[place + 1 :])
