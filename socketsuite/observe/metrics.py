"""What is counted, and how Prometheus reads it.

Counts are kept per connection and per refusal, never per message; everything else is read
off the transports when somebody asks.  ``prometheus_client`` is imported only by whoever
makes :class:`Metrics`.  This module must not know how the figures travel.
"""

from __future__ import annotations

import platform
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from twisted.logger import Logger

from socketsuite import __version__
from socketsuite.observe.events import Closed, Connected, Draining, Event, Listening, Refused
from socketsuite.observe.lag import BOUNDS, LoopDelay
from socketsuite.reasons import CLOSED, REFUSED
from twisted import __version__ as twisted_version

_MOST_OWN_FIGURES = 64
_FIGURE_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]{0,99}")
_DATAGRAM_COUNTS = ("datagrams_in", "datagrams_out", "bytes_in", "bytes_out")


class Counters:
    """A subscriber that counts one service's events.

    :ivar listening: the sockets that are open; empty once it drains.
    :ivar bytes_in: of the connections that are closed; likewise *bytes_out*.
    """

    def __init__(self, service: str) -> None:
        self.service = service
        self.listening: list[Listening] = []
        self.opened: Counter[str] = Counter()
        self.closed: Counter[str] = Counter(dict.fromkeys(CLOSED, 0))
        self.refused: Counter[str] = Counter(dict.fromkeys(REFUSED, 0))
        self.bytes_in = 0
        self.bytes_out = 0
        self.draining = False

    def __call__(self, event: Event) -> None:
        """Count *event*."""
        if isinstance(event, Connected):
            self.opened[event.transport] += 1
        elif isinstance(event, Closed):
            self.closed[event.reason] += 1
            self.bytes_in += event.bytes_in
            self.bytes_out += event.bytes_out
        elif isinstance(event, Refused):
            self.refused[event.reason] += 1
        elif isinstance(event, Listening):
            self.listening.append(event)
        elif isinstance(event, Draining):
            self.draining = True
            self.listening.clear()


@dataclass
class Snapshot:
    """What a service's transports say at one moment, its closed connections included."""

    open: Counter[str] = field(default_factory=Counter)
    bytes_in: int = 0
    bytes_out: int = 0
    queued: int = 0
    datagrams_in: int = 0
    datagrams_out: int = 0


class ServiceMetrics:
    """One service as the figures see it.

    :param service: has ``name``, ``events``, ``connections`` (with ``open``, by transport),
        ``factory`` and, where it has any, ``datagram_ports``, with what they count.
    """

    _log = Logger()

    def __init__(self, service: Any) -> None:
        self.service = service
        self.name: str = service.name
        self.counters = Counters(self.name)
        self._complained = False
        self._datagrams = dict.fromkeys(_DATAGRAM_COUNTS, 0)
        service.events.subscribe(self.counters)

    def read(self) -> Snapshot:
        """Return the figures of this moment."""
        snapshot = Snapshot(bytes_in=self.counters.bytes_in, bytes_out=self.counters.bytes_out)
        for transport in self.service.connections.open:
            snapshot.open[transport.options.kind] += 1
            snapshot.bytes_in += transport.bytes_in
            snapshot.bytes_out += transport.bytes_out
            snapshot.queued += transport.queued
        ports = getattr(self.service, "datagram_ports", ())
        for name in _DATAGRAM_COUNTS:
            if ports:  # when they have been closed, what they had counted still counts
                self._datagrams[name] = sum(getattr(port, name) for port in ports)
            setattr(snapshot, name, getattr(snapshot, name) + self._datagrams[name])
        return snapshot

    def own_figures(self) -> dict[str, float]:
        """Return what the service's factory says of itself by ``metrics()``, if it does."""
        offered = getattr(self.service.factory, "metrics", None)
        if offered is None:
            return {}
        try:
            said: Mapping[str, float] = offered()
            figures = {str(name): float(value) for name, value in said.items()}
        except Exception:  # noqa: BLE001 - a stranger's code: it costs its own figures alone
            if not self._complained:
                self._complained = True
                self._log.failure("{service}: metrics() raised", service=self.name)
            return {}
        named = [(name, value) for name, value in figures.items() if _FIGURE_NAME.fullmatch(name)]
        return dict(named[:_MOST_OWN_FIGURES])


class Metrics:
    """Everything Prometheus may ask of this process, in a registry of its own.

    :param delay: measures the loop; somebody else starts and stops it.
    """

    def __init__(self, services: Sequence[ServiceMetrics], delay: LoopDelay) -> None:
        # All that a snapshot needs, now: later a chroot may have taken it away.
        import prometheus_client.core  # noqa: F401
        from prometheus_client import CollectorRegistry, ProcessCollector

        self.registry = CollectorRegistry(auto_describe=False)
        self._subjects = services
        self._delay = delay
        ProcessCollector(registry=self.registry)
        self.registry.register(self)

    def page(self) -> bytes:
        """Return the figures of this moment in Prometheus's text format."""
        from prometheus_client import generate_latest

        return generate_latest(self.registry)

    def collect(self) -> Iterator[Any]:
        """Yield every family of figures; the registry calls this."""
        from prometheus_client.core import HistogramMetricFamily

        yield _family(
            "gauge",
            "build_info",
            "What runs here; always 1",
            ("version", "python", "twisted"),
            [((__version__, platform.python_version(), twisted_version), 1)],
        )
        snapshots = [
            (service_metrics, service_metrics.read()) for service_metrics in self._subjects
        ]
        yield from self._counters(snapshots)
        yield from self._gauges(snapshots)
        yield from _own_families(self._subjects)
        running = list(accumulate(self._delay.counts))
        bounds = [*map(str, BOUNDS), "+Inf"]
        yield HistogramMetricFamily(
            "socketsuite_loop_delay_seconds",
            "How late the event loop was, measured four times a second",
            buckets=list(zip(bounds, map(float, running), strict=True)),
            sum_value=self._delay.total,
        )
        yield _family(
            "gauge",
            "loop_delay_max_seconds",
            "The longest loop delay of the last 30 to 60 seconds",
            (),
            [((), self._delay.recent)],
        )

    def _counters(self, snapshots: Sequence[tuple[ServiceMetrics, Snapshot]]) -> Iterator[Any]:
        all_counters = [service_metrics.counters for service_metrics in self._subjects]
        by_tally = (
            ("connections_opened", "Connections let in", "transport", "opened"),
            ("connections_closed", "Connections that ended, by reason", "reason", "closed"),
            ("refusals", "Peers and datagrams refused, by reason", "reason", "refused"),
        )
        for name, text, label, attribute in by_tally:
            samples: list[tuple[tuple[str, ...], float]] = [
                ((counters.service, value), count)
                for counters in all_counters
                for value, count in getattr(counters, attribute).items()
            ]
            yield _family("counter", name, text, ("service", label), samples)
        by_reading = (
            ("received_bytes", "Bytes received", "bytes_in"),
            ("sent_bytes", "Bytes sent", "bytes_out"),
            ("received_datagrams", "Datagrams received", "datagrams_in"),
            ("sent_datagrams", "Datagrams sent", "datagrams_out"),
        )
        for name, text, attribute in by_reading:
            samples = [((one.name,), getattr(now, attribute)) for one, now in snapshots]
            yield _family("counter", name, text, ("service",), samples)

    def _gauges(self, snapshots: Sequence[tuple[ServiceMetrics, Snapshot]]) -> Iterator[Any]:
        samples: list[tuple[tuple[str, ...], float]] = []
        for one, snapshot in snapshots:
            # A transport seen once stays, at 0, so that a graph of it does not break off.
            kinds = sorted({*one.counters.opened, *snapshot.open})
            samples += [((one.name, kind), snapshot.open[kind]) for kind in kinds]
        yield _family(
            "gauge", "connections_open", "Connections open now", ("service", "transport"), samples
        )
        samples = [((one.name,), snapshot.queued) for one, snapshot in snapshots]
        text = "Bytes that peers have not taken yet"
        yield _family("gauge", "send_queue_bytes", text, ("service",), samples)
        samples = [((one.name,), int(one.counters.draining)) for one, _ in snapshots]
        yield _family("gauge", "draining", "Whether the service drains", ("service",), samples)


def _own_families(services: Iterable[ServiceMetrics]) -> Iterator[Any]:
    by_name: dict[str, list[tuple[tuple[str, ...], float]]] = {}
    for service_metrics in services:
        for name, value in service_metrics.own_figures().items():
            by_name.setdefault(name, []).append(((service_metrics.name,), value))
    for name, samples in by_name.items():
        kind = "counter" if name.endswith("_total") else "gauge"
        bare = name.removesuffix("_total")
        yield _family(kind, f"service_{bare}", "The service's own", ("service",), samples)


def _family(
    kind: str,
    name: str,
    text: str,
    labels: Sequence[str],
    samples: Iterable[tuple[Sequence[str], float]],
) -> Any:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    make = CounterMetricFamily if kind == "counter" else GaugeMetricFamily
    family: Any = make(f"socketsuite_{name}", text, labels=labels)
    for values, value in samples:
        family.add_metric(list(values), value)
    return family
