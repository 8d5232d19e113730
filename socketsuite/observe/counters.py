"""What is counted of one service, by frontend, and read off its transports when somebody asks.

Counts are kept per connection and per refusal, never per message.  This module must not know
how the figures are shown, nor how they travel.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from socketsuite.observe.events import Closed, Connected, Draining, Event, Listening, Refused
from socketsuite.observe.own_figures import Hooks, NoHooks
from socketsuite.reasons import CLOSED, REFUSED
from socketsuite.service import MAIN

_DATAGRAM_COUNTS = ("datagrams_in", "datagrams_out", "bytes_in", "bytes_out")
# Upper bounds in seconds; one more bucket, without a bound, is behind them.
DURATIONS = (0.01, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 3600.0, 21600.0, 86400.0)


@dataclass
class FrontendCounters:
    """The counts of one frontend.

    :ivar opened: by transport.
    :ivar closed: by transport and reason; every reason is there, for each transport there is.
    :ivar refused: by reason.
    :ivar durations: how many closed connections fell into each bucket of :data:`DURATIONS`, and
        beyond; they lasted *seconds* together.
    :ivar bytes_in: of the connections that are closed; likewise *bytes_out*.
    """

    opened: Counter[str] = field(default_factory=Counter)
    closed: Counter[tuple[str, str]] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(REFUSED, 0)))
    durations: list[int] = field(default_factory=lambda: [0] * (len(DURATIONS) + 1))
    seconds: float = 0.0
    bytes_in: int = 0
    bytes_out: int = 0


class Counters:
    """A subscriber that counts one service's events.

    :ivar listening: the sockets that are open; empty once it drains.
    :ivar frontends: the counts of each frontend that listens or has listened, by its name.
    """

    def __init__(self, service: str) -> None:
        self.service = service
        self.listening: list[Listening] = []
        self.frontends: dict[str, FrontendCounters] = {}
        self.draining = False

    def of(self, frontend: str) -> FrontendCounters:
        """Return the counts of *frontend*, all at zero for one that is new."""
        found = self.frontends.get(frontend)
        if found is None:
            found = self.frontends[frontend] = FrontendCounters()
        return found

    def __call__(self, event: Event) -> None:
        """Count *event*."""
        if isinstance(event, Connected):
            self.of(event.frontend).opened[event.transport] += 1
        elif isinstance(event, Closed):
            counts = self.of(event.frontend)
            counts.closed[event.transport, event.reason] += 1
            counts.durations[bisect_left(DURATIONS, event.duration)] += 1
            counts.seconds += event.duration
            counts.bytes_in += event.bytes_in
            counts.bytes_out += event.bytes_out
        elif isinstance(event, Refused):
            self.of(event.frontend).refused[event.reason] += 1
        elif isinstance(event, Listening):
            self.listening.append(event)
            self._expect(event.transport, self.of(event.frontend))
        elif isinstance(event, Draining):
            self.draining = True
            self.listening.clear()

    def _expect(self, transport: str, counts: FrontendCounters) -> None:
        """Have every figure of a transport's connections, from the start."""
        if transport != "udp":
            # An endpoint of Twisted's does not tell of what kind it is; all count as TCP.
            kind = "tcp" if transport == "endpoint" else transport
            counts.opened[kind] += 0
            counts.closed.update({(kind, reason): 0 for reason in CLOSED})


@dataclass
class Traffic:
    """What the transports of a frontend say at one moment, its closed connections included."""

    open: Counter[str] = field(default_factory=Counter)
    bytes_in: int = 0
    bytes_out: int = 0
    queued: int = 0
    datagrams_in: int = 0
    datagrams_out: int = 0

    def add(self, other: Traffic) -> None:
        """Add what *other* says."""
        self.open.update(other.open)
        for name in ("bytes_in", "bytes_out", "queued", "datagrams_in", "datagrams_out"):
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass
class Snapshot:
    """The traffic of one moment: of each frontend by its name, and of all of them."""

    frontends: dict[str, Traffic]

    @property
    def total(self) -> Traffic:
        """All frontends together."""
        total = Traffic()
        for one in self.frontends.values():
            total.add(one)
        return total


class ServiceMetrics:
    """One service as the figures see it.

    :param service: has ``name``, ``events``, ``connections`` (with ``open``, by transport) and,
        where it has any, ``datagram_ports``, with what they count.
    :param hooks: asks the service for what it says of itself.
    """

    def __init__(self, service: Any, hooks: Hooks | None = None) -> None:
        self.service = service
        self.name: str = service.name
        self.counters = Counters(self.name)
        self.hooks: Hooks = hooks or NoHooks()
        # Of the UDP ports; when they have been closed, what they had counted still counts.
        self._datagrams: dict[str, dict[str, int]] = {}
        service.events.subscribe(self.counters)

    def read(self) -> Snapshot:
        """Return the figures of this moment."""
        found = {
            name: Traffic(bytes_in=counts.bytes_in, bytes_out=counts.bytes_out)
            for name, counts in self.counters.frontends.items()
        }
        for transport in self.service.connections.open:
            options = transport.options
            traffic = found.setdefault(getattr(options, "frontend", MAIN), Traffic())
            traffic.open[options.kind] += 1
            traffic.bytes_in += transport.bytes_in
            traffic.bytes_out += transport.bytes_out
            traffic.queued += transport.queued
        ports = getattr(self.service, "datagram_ports", ())
        if ports:
            self._datagrams = _counted(ports)
        for frontend, counts in self._datagrams.items():
            traffic = found.setdefault(frontend, Traffic())
            for name, count in counts.items():
                setattr(traffic, name, getattr(traffic, name) + count)
        return Snapshot(found)


def _counted(ports: Sequence[Any]) -> dict[str, dict[str, int]]:
    """Return what the UDP ports of each frontend have counted together."""
    found: dict[str, dict[str, int]] = {}
    for port in ports:
        frontend = getattr(port, "frontend", MAIN)
        counts = found.setdefault(frontend, dict.fromkeys(_DATAGRAM_COUNTS, 0))
        for name in _DATAGRAM_COUNTS:
            counts[name] += getattr(port, name)
    return found
