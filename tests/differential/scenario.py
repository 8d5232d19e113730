"""What a scenario is made of, as values: they can be printed, compared and made smaller.

Connections are numbered in the order in which they are made.  This module knows nothing of
sockets, nor of Twisted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

KINDS = ("tcp", "unix", "tls", "observed tcp", "observed unix")


@dataclass(frozen=True)
class Op:
    """Something the server's side does: *name*, on connection *on*.

    *ops* of a timer are done when it is due; those of a producer are ``Op("when paused")``
    and so on, each with what is done at its first such call.
    """

    name: str
    on: int = 0
    value: Any = None
    ops: tuple[Op, ...] = ()


@dataclass(frozen=True)
class Handler:
    """What a protocol does at an event; *at* are received bytes, where the event is data."""

    event: str
    ops: tuple[Op, ...]
    at: int = 0


@dataclass(frozen=True)
class Connection:
    """A server's protocol: what it does at what, and what it does with all that it receives.

    *late* is a handshake whose last flight the kernel would not take at once.
    """

    handlers: tuple[Handler, ...] = ()
    half_closeable: bool = False
    echo: bool = False
    forward: int | None = None
    late: bool = False


@dataclass(frozen=True)
class Step:
    """Something a caller does, or the server's side from outside of any callback.

    *settle*: whether the server's side goes on until nothing moves before the next step.
    """

    name: str
    caller: int = 0
    value: Any = None
    rate: int = 0
    settle: bool = True
    ops: tuple[Op, ...] = ()


@dataclass(frozen=True)
class Scenario:
    """Connections, and what happens; *tight* means small kernel buffers at both ends."""

    kind: str
    connections: tuple[Connection, ...]
    steps: tuple[Step, ...]
    tight: bool = False
    old_tls: bool = False

    @property
    def secure(self) -> bool:
        return self.kind == "tls"

    @property
    def local(self) -> bool:
        return self.kind.endswith("unix")


def all_ops(scenario: Scenario) -> list[Op]:
    """Return every operation of *scenario*, those inside of others too."""
    found: list[Op] = []
    for connection in scenario.connections:
        for handler in connection.handlers:
            found += nested(handler.ops)
    for step in scenario.steps:
        found += nested(step.ops)
    return found


def nested(ops: tuple[Op, ...]) -> list[Op]:
    """Return *ops* and those inside of them."""
    found: list[Op] = []
    for op in ops:
        found += [op, *nested(op.ops)]
    return found


def script(scenario: Scenario) -> str:
    """Return *scenario* as text to be read."""
    lines = [f"kind: {scenario.kind}"]
    lines += ["small kernel buffers at both ends"] * scenario.tight
    lines += ["TLS 1.2"] * scenario.old_tls
    for number, connection in enumerate(scenario.connections):
        does = [
            *["knows of half-closed connections"] * connection.half_closeable,
            *["writes back what it receives"] * connection.echo,
            *["the kernel does not take its last handshake flight at once"] * connection.late,
        ]
        if connection.forward is not None:
            does.append(f"forwards to {connection.forward}, as whose producer it registers")
        lines.append(f"connection {number}: " + "; ".join(does))
        for handler in connection.handlers:
            at = f" of {handler.at} bytes" if handler.event == "data" else ""
            lines.append(f"  at {handler.event}{at}:")
            lines += _said(handler.ops, "    ")
    lines.append("steps:")
    for step in scenario.steps:
        words = [step.name] if step.name == "server" else [f"caller {step.caller}", step.name]
        words += [] if step.value is None else [str(step.value)]
        words += [f"in pieces of {step.rate}"] * bool(step.rate)
        words += ["(the next step comes at once)"] * (not step.settle)
        lines.append("  " + " ".join(words))
        lines += _said(step.ops, "    ")
    return "\n".join(lines)


def _said(ops: tuple[Op, ...], indent: str) -> list[str]:
    lines = []
    for op in ops:
        value = "" if op.value is None else f" {op.value}"
        on = "" if op.name.startswith("when") else f"{op.on}: "
        lines.append(f"{indent}{on}{op.name}{value}")
        lines += _said(op.ops, indent + "  ")
    return lines
