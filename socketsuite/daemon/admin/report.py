"""How the process and its services are, and what an operator may do about it.

Reads the registries and the transports when it is asked; must not know how it is asked, nor
how a status is shown.
"""

from __future__ import annotations

import heapq
import os
import socket
import struct
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from socketsuite import __version__
from socketsuite.observe.counters import ServiceMetrics
from socketsuite.observe.lag import LoopDelay
from socketsuite.observe.own_figures import flat
from socketsuite.reasons import CLOSED_BY_OPERATOR

# Of Linux's struct tcp_info: milliseconds since data was last sent and received.
_TCP_INFO = struct.Struct("=8x36xI4xI")


class Process(Protocol):
    """What there is to ask of the process."""

    command: str
    starting: bool
    draining: bool

    def drain(self) -> None: ...  # noqa: D102


class Report:
    """Tells how the process and its services are, and does what an operator asks for."""

    def __init__(
        self, process: Process, services: Sequence[ServiceMetrics], delay: LoopDelay, reactor: Any
    ) -> None:
        self.process = process
        self.services = services
        self._delay = delay
        self._seconds = reactor.seconds
        self._started_at = reactor.seconds()
        self._started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())

    def health(self) -> dict[str, Any]:
        """Return what ``/health`` says."""
        services = {one.name: len(one.service.connections.open) for one in self.services}
        checks = {one.name: one.hooks.checks() for one in self.services}
        wrong = any(text for found in checks.values() for text in found.values())
        state = self._state
        return {
            "status": state if state != "serving" else "failing" if wrong else "ok",
            "uptime": self._uptime,
            "connections": services,
            "checks": {name: _verdicts(found) for name, found in checks.items() if found},
        }

    @property
    def _uptime(self) -> float:
        return float(round(self._seconds() - self._started_at, 3))

    @property
    def _state(self) -> str:
        if self.process.draining:
            return "draining"
        return "starting" if self.process.starting else "serving"

    def status(self, limit: int) -> dict[str, Any]:
        """Return everything, with *limit* connections, the largest queue first."""
        delay = {"recent": self._delay.recent, "maximum": self._delay.maximum}
        every = [
            (each.transport.queued, -each.id, each, one.name)
            for one in self.services
            for each in _open(one)
        ]
        listed = heapq.nlargest(limit, every, key=lambda row: row[:2])
        own = self._own_columns(listed)
        now = self._seconds()
        return {
            "process": {
                "pid": os.getpid(),
                "command": self.process.command,
                "version": __version__,
                "started": self._started,
                "uptime": self._uptime,
                "state": self._state,
                "loop_delay": {name: round(value, 6) for name, value in delay.items()},
            },
            "services": [_service(one) for one in self.services],
            "connections": [
                _connection(each, name, now, own.get(each.id, {})) for _, _, each, name in listed
            ],
            "total": len(every),
        }

    def _own_columns(self, listed: Sequence[tuple[int, int, Any, str]]) -> dict[int, Any]:
        """Return what services say of the connections that are listed, by their ids."""
        found: dict[int, Any] = {}
        for one in self.services:
            protocols = {
                each.id: each.transport.protocol
                for _, _, each, name in listed
                if name == one.name and each.admitted
            }
            found.update(one.hooks.columns(protocols))
        return found

    def close(self, number: int) -> bool:
        """Close the connection with that id; return whether there is one."""
        for one in self.services:
            for each in _open(one):
                if each.id == number:
                    one.service.connections.end(each.transport, CLOSED_BY_OPERATOR)
                    return True
        return False


def _open(service_metrics: ServiceMetrics) -> list[Any]:
    return list(service_metrics.service.connections.open.values())


def _service(service_metrics: ServiceMetrics) -> dict[str, Any]:
    counters, snapshot = service_metrics.counters, service_metrics.read()
    total = snapshot.total
    opened, refused, closed = Counter[str](), Counter[str](), Counter[str]()
    for counts in counters.frontends.values():
        opened.update(counts.opened)
        refused.update(counts.refused)
        for (_, reason), count in counts.closed.items():
            closed[reason] += count
    return {
        "name": service_metrics.name,
        "listeners": [
            {
                "transport": one.transport,
                "address": one.address,
                "port": one.port,
                "frontend": one.frontend,
                "io": one.io,
            }
            for one in counters.listening
        ],
        "open": sum(total.open.values()),
        "opened": sum(opened.values()),
        "closed": {reason: count for reason, count in closed.items() if count},
        "refused": {reason: count for reason, count in refused.items() if count},
        "bytes_in": total.bytes_in,
        "bytes_out": total.bytes_out,
        "queued": total.queued,
        "datagrams_in": total.datagrams_in,
        "datagrams_out": total.datagrams_out,
        "frontends": {
            name: {
                "open": sum(traffic.open.values()),
                "opened": sum(counters.of(name).opened.values()),
                "bytes_in": traffic.bytes_in,
                "bytes_out": traffic.bytes_out,
            }
            for name, traffic in snapshot.frontends.items()
        },
        "figures": flat(service_metrics.hooks.figures()),
        "checks": _verdicts(service_metrics.hooks.checks()),
    }


def _verdicts(checks: Mapping[str, str | None]) -> dict[str, str]:
    return {name: "ok" if text is None else text for name, text in checks.items()}


def _connection(each: Any, service: str, now: float, own: Mapping[str, Any]) -> dict[str, Any]:
    transport = each.transport
    age = round(now - each.opened_at, 3)
    idle = idle_seconds(transport)
    return {
        "id": each.id,
        "service": service,
        "frontend": transport.options.frontend,
        "transport": transport.options.kind,
        "peer": each.peer,
        "age": age,
        "bytes_in": transport.bytes_in,
        "bytes_out": transport.bytes_out,
        "queued": transport.queued,
        "idle": None if idle is None else min(idle, age),
        "own": own,
    }


def idle_seconds(transport: Any) -> float | None:
    """Return how long no data went either way; ``None`` where the kernel does not tell.

    Asked of the kernel, which knows it of TCP: so no message pays for a clock.
    """
    try:
        raw = transport.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
        return float(min(_TCP_INFO.unpack(raw))) / 1000
    except (AttributeError, OSError, struct.error):
        return None
