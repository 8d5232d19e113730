"""What is measured, how hard it is driven, and what is to be reached.

Data only; this module must not know how servers are started or how anything is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Workload:
    """One thing that every server is made to do.

    :ivar name: short, for ``--only`` and in the JSON.
    :ivar service: what the server must offer; a key of ``contestants.SERVICES``.
    :ivar mode: the load generator's mode.
    :ivar load: the load generator's options.
    :ivar unit: what the figures are per.
    :ivar size: how many of the load generator's messages make a unit.
    :ivar rate: lines or messages a second offered when latency is measured; 0: it is not.
    :ivar targets: the ratio ours/peer that is to be reached, by the peer's name.
    :ivar among: who takes part, where not all do.
    :ivar allowance: what ours may cost beside that.
    :ivar quick: part of the quick run, too.
    """

    name: str
    title: str
    service: str
    mode: Literal[
        "tcp", "tls", "udp", "fan-out", "stream", "connect", "idle",
        "irc-fan-out", "irc-return", "irc-idle",
        "websocket-fan-out", "websocket-idle", "socketio-fan-out",
    ]  # fmt: skip
    load: Mapping[str, int]
    unit: str = "message"
    size: float = 1.0
    rate: float = 0.0
    targets: Mapping[str, float] = field(default_factory=dict)
    among: frozenset[str] | None = None
    allowance: float = 0.0
    quick: bool = False

    @property
    def of_memory(self) -> bool:
        """Whether it is memory that is compared, and not CPU time."""
        return self.mode.endswith("idle")

    def has(self, name: str) -> bool:
        """Whether the contestant of that name takes part."""
        if name in _ALONE_IN:
            return self.name in _ALONE_IN[name]
        return self.among is None or name in self.among

    @property
    def figure(self) -> str:
        """What the figure that is compared counts."""
        if self.of_memory:
            return f"{self.unit} of RSS"
        return f"CPU µs per {self.unit}"

    @property
    def offered(self) -> str:
        """The rate at which latency is measured, in words."""
        what = "line" if self.mode.endswith("fan-out") else self.unit
        return f"{self.rate:,.0f} {what}s/s"


# Who takes part in these alone: what our defaults cost is shown where it matters.
_ALONE_IN = {
    "ours-pure": frozenset({"tcp-echo-64", "tcp-echo-of-1", "tcp-echo-of-500", "chat-50-one"}),
    "ours-without-ring": frozenset({"tcp-echo-64", "chat-50-one"}),
    "ours-quiet": frozenset({"connections"}),
}
_CHAT_TARGETS = {"node": 0.65, "uvloop": 0.88}


def _chat(readers: int, senders: int, *, quick: bool = False) -> Workload:
    many = "many" if senders > 1 else "one"
    return Workload(
        f"chat-{readers}-{many}",
        f"Chat fan-out, 64 B, {readers} readers, {senders} sender{'s' * (senders > 1)}",
        "chat",
        "fan-out",
        {"connections": readers, "senders": senders, "size": 64},
        unit="delivery",
        rate=10_000 / readers,
        targets=_CHAT_TARGETS if readers < 200 else {"node": 0.85, "uvloop": 1.0},
        quick=quick,
    )


_IRC_TARGETS = {"ngircd": 1.0, "inspircd": 1.0}


def _irc(senders: int, *, quick: bool = False) -> Workload:
    return Workload(
        f"irc-50-{'many' if senders > 1 else 'one'}",
        f"IRC, 64 B to a room of 50, {senders} sender{'s' * (senders > 1)}",
        "irc",
        "irc-fan-out",
        {"connections": 50, "senders": senders, "size": 64},
        unit="delivery",
        rate=200,
        targets=_IRC_TARGETS,
        quick=quick,
    )


def _web(service: str, label: str, peer: str, *, quick: bool = False) -> Workload:
    return Workload(
        f"{service}-200",
        f"{label}, 64 B to a room of 200",
        service,
        "websocket-fan-out" if service == "websocket" else "socketio-fan-out",
        {"connections": 200, "senders": 1, "size": 64},
        unit="delivery",
        rate=50,
        targets={peer: 1.0},
        quick=quick,
    )


def _echo(callers: int, targets: Mapping[str, float]) -> Workload:
    many = "s" * (callers > 1)
    return Workload(
        f"tcp-echo-of-{callers}",
        f"TCP echo, 64 B, {callers} connection{many}",
        "tcp-echo",
        "tcp",
        {"connections": callers, "size": 64},
        targets=targets,
    )


WORKLOADS = (
    Workload(
        "tcp-echo-64",
        "TCP echo, 64 B, 50 connections",
        "tcp-echo",
        "tcp",
        {"connections": 50, "size": 64},
        rate=10_000,
        targets={"node": 0.55, "uvloop": 0.82, "c": 1.0},
        quick=True,
    ),
    _echo(1, {"uvloop": 1.15}),
    _echo(500, {"uvloop": 0.90}),
    Workload(
        "tcp-echo-4k",
        "TCP echo, 4 KiB, 50 connections",
        "tcp-echo",
        "tcp",
        {"connections": 50, "size": 4096},
        rate=10_000,
    ),
    Workload(
        "connections",
        "Connections, made and closed, 16 at a time",
        "tcp-echo",
        "connect",
        {"connections": 16},
        unit="connection",
    ),
    Workload(
        "udp-echo-64",
        "UDP echo, 64 B, 50 sockets",
        "udp-echo",
        "udp",
        {"connections": 50, "size": 64},
        unit="datagram",
        rate=10_000,
        targets={"node": 0.75},
        quick=True,
    ),
    Workload(
        "tls-echo-64",
        "TLS 1.3 echo, 64 B, 20 connections",
        "tls-echo",
        "tls",
        {"connections": 20, "size": 64},
        rate=5_000,
        targets={"node": 1.0, "twisted": 0.5},
        quick=True,
    ),
    _chat(50, 1, quick=True),
    _chat(50, 10, quick=True),
    _chat(200, 1),
    _chat(200, 10),
    _irc(1, quick=True),
    _irc(10),
    Workload(
        "irc-return",
        "IRC, 2,000 come at once into rooms of 50",
        "irc",
        "irc-return",
        {"connections": 2000, "room": 50},
        unit="person",
    ),
    _web("websocket", "WebSocket", "ws", quick=True),
    _web("socketio", "Socket.IO", "socket.io"),
    Workload(
        "accumulator",
        "Accumulator, int32, 8 connections",
        "accumulator",
        "stream",
        {"connections": 8},
        unit="integer",
        size=4,
    ),
    Workload(
        "file-sink",
        "File sink, 8 connections",
        "filesink",
        "stream",
        {"connections": 8},
        unit="MB",
        size=MEGABYTE,
        targets={"node": 0.70},
        quick=True,
    ),
    Workload(
        "idle-memory",
        "Memory of an idle connection, at 5,000",
        "tcp-echo",
        "idle",
        {"connections": 5000},
        unit="bytes",
        size=5000,
        targets={"node": 0.5},
        quick=True,
    ),
    Workload(
        "irc-memory",
        "Memory of IRC, 10,000 in rooms of 50",
        "irc",
        "irc-idle",
        {"connections": 10_000, "room": 50},
        unit="MB",
        size=MEGABYTE,
        # ngircd looks for each newcomer's nick in all others: 10,000 take it half a minute.
        among=frozenset({"ours", "inspircd"}),
        targets={"inspircd": 1.0},
        allowance=40,
    ),
    Workload(
        "websocket-memory",
        "Memory of an idle person on WebSocket, at 5,000",
        "websocket",
        "websocket-idle",
        {"connections": 5000, "room": 50},
        unit="bytes",
        size=5000,
        targets={"ws": 0.5},
    ),
)
