"""What is counted, and how Prometheus reads it.

Counts are kept per connection and per refusal, never per message; everything else is read
off the transports when somebody asks.  ``prometheus_client`` is imported only by whoever
makes :class:`Metrics`.  This module must not know how the figures travel.
"""

from __future__ import annotations

import platform
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from twisted.logger import Logger

from socketsuite import __version__
from socketsuite.observe.events import Closed, Connected, Draining, Event, Listening, Refused
from socketsuite.observe.families import family, histogram, limit_families, own_families
from socketsuite.observe.lag import BOUNDS, LoopDelay
from socketsuite.reasons import CLOSED, REFUSED
from twisted import __version__ as twisted_version

_MOST_OWN_FIGURES = 64
_FIGURE_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]{0,99}")
_DATAGRAM_COUNTS = ("datagrams_in", "datagrams_out", "bytes_in", "bytes_out")
_VERSIONS = {"0.0.1", "0.0.4", "1.0.0"}
# Upper bounds in seconds; one more bucket, without a bound, is behind them.
DURATIONS = (0.01, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 3600.0, 21600.0, 86400.0)


class Counters:
    """A subscriber that counts one service's events.

    :ivar listening: the sockets that are open; empty once it drains.
    :ivar closed: by transport and reason; every reason is there, for each transport there is.
    :ivar durations: how many closed connections fell into each bucket of :data:`DURATIONS`, and
        beyond; they lasted *seconds* together.
    :ivar bytes_in: of the connections that are closed; likewise *bytes_out*.
    """

    def __init__(self, service: str) -> None:
        self.service = service
        self.listening: list[Listening] = []
        self.opened: Counter[str] = Counter()
        self.closed: Counter[tuple[str, str]] = Counter()
        self.durations = [0] * (len(DURATIONS) + 1)
        self.seconds = 0.0
        self.refused: Counter[str] = Counter(dict.fromkeys(REFUSED, 0))
        self.bytes_in = 0
        self.bytes_out = 0
        self.draining = False

    def __call__(self, event: Event) -> None:
        """Count *event*."""
        if isinstance(event, Connected):
            self.opened[event.transport] += 1
        elif isinstance(event, Closed):
            self.closed[event.transport, event.reason] += 1
            self.durations[bisect_left(DURATIONS, event.duration)] += 1
            self.seconds += event.duration
            self.bytes_in += event.bytes_in
            self.bytes_out += event.bytes_out
        elif isinstance(event, Refused):
            self.refused[event.reason] += 1
        elif isinstance(event, Listening):
            self.listening.append(event)
            self._expect(event.transport)
        elif isinstance(event, Draining):
            self.draining = True
            self.listening.clear()

    def _expect(self, transport: str) -> None:
        """Have every figure of a transport's connections, from the start."""
        if transport != "udp":
            # An endpoint of Twisted's does not tell of what kind it is; all count as TCP.
            kind = "tcp" if transport == "endpoint" else transport
            self.opened[kind] += 0
            self.closed.update({(kind, reason): 0 for reason in CLOSED})


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
    :param lines_dropped: returns how many lines the log has lost.
    :param total_send_queue: the limit in bytes of what may wait for all peers together.
    """

    def __init__(
        self,
        services: Sequence[ServiceMetrics],
        delay: LoopDelay,
        lines_dropped: Callable[[], int] = int,
        total_send_queue: int = 0,
    ) -> None:
        # All that a snapshot needs, now: later a chroot may have taken it away.
        import prometheus_client.core
        import prometheus_client.openmetrics.exposition  # noqa: F401
        from prometheus_client import CollectorRegistry, ProcessCollector

        self.registry = CollectorRegistry(auto_describe=False)
        self._subjects = services
        self._delay = delay
        self._lines_dropped = lines_dropped
        self._total_send_queue = total_send_queue
        ProcessCollector(registry=self.registry)
        self.registry.register(self)

    def page(self, accept: str = "") -> tuple[str, bytes]:
        """Return the figures of this moment: their media type, and the page.

        :param accept: the reader's ``Accept`` header, which chooses Prometheus's text format or
            OpenMetrics.
        """
        from prometheus_client.exposition import choose_encoder

        encode, media_type = choose_encoder(_understood(accept))
        return media_type, encode(self.registry)

    def collect(self) -> Iterator[Any]:
        """Yield every family of figures; the registry calls this."""
        yield family(
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
        yield from limit_families(
            {one.name: getattr(one.service, "limits", {}) for one in self._subjects},
            self._total_send_queue,
        )
        yield from own_families({one.name: one.own_figures() for one in self._subjects})
        yield histogram(
            "connection_duration_seconds",
            "How long connections lasted that have ended",
            DURATIONS,
            [(one.name, one.counters.durations, one.counters.seconds) for one in self._subjects],
        )
        yield histogram(
            "loop_delay_seconds",
            "How late the event loop was, measured four times a second",
            BOUNDS,
            [(None, self._delay.counts, self._delay.total)],
        )
        yield family(
            "gauge",
            "loop_delay_max_seconds",
            "The longest loop delay of the last 30 to 60 seconds",
            (),
            [((), self._delay.recent)],
        )
        text = "Lines of the log dropped because they could not be written"
        yield family("counter", "log_lines_dropped", text, (), [((), self._lines_dropped())])

    def _counters(self, snapshots: Sequence[tuple[ServiceMetrics, Snapshot]]) -> Iterator[Any]:
        all_counters = [service_metrics.counters for service_metrics in self._subjects]
        by_tally = (
            ("connections_opened", "Connections let in", ("transport",), "opened"),
            (
                "connections_closed",
                "Connections that ended, by reason",
                ("transport", "reason"),
                "closed",
            ),
            ("refusals", "Peers and datagrams refused, by reason", ("reason",), "refused"),
        )
        for name, text, labels, attribute in by_tally:
            samples: list[tuple[tuple[str, ...], float]] = [
                ((counters.service, *((key,) if isinstance(key, str) else key)), count)
                for counters in all_counters
                for key, count in getattr(counters, attribute).items()
            ]
            yield family("counter", name, text, ("service", *labels), samples)
        by_reading = (
            ("received_bytes", "Bytes received", "bytes_in"),
            ("sent_bytes", "Bytes sent", "bytes_out"),
            ("received_datagrams", "Datagrams received", "datagrams_in"),
            ("sent_datagrams", "Datagrams sent", "datagrams_out"),
        )
        for name, text, attribute in by_reading:
            samples = [((one.name,), getattr(now, attribute)) for one, now in snapshots]
            yield family("counter", name, text, ("service",), samples)

    def _gauges(self, snapshots: Sequence[tuple[ServiceMetrics, Snapshot]]) -> Iterator[Any]:
        samples: list[tuple[tuple[str, ...], float]] = []
        for one, snapshot in snapshots:
            # A transport seen once stays, at 0, so that a graph of it does not break off.
            kinds = sorted({*one.counters.opened, *snapshot.open})
            samples += [((one.name, kind), snapshot.open[kind]) for kind in kinds]
        yield family(
            "gauge", "connections_open", "Connections open now", ("service", "transport"), samples
        )
        samples = [((one.name,), snapshot.queued) for one, snapshot in snapshots]
        text = "Bytes that peers have not taken yet"
        yield family("gauge", "send_queue_bytes", text, ("service",), samples)
        samples = [((one.name,), int(one.counters.draining)) for one, _ in snapshots]
        yield family("gauge", "draining", "Whether the service drains", ("service",), samples)
        expiries = [
            (one.name, getattr(one.service, "certificate_expiry", None)) for one, _ in snapshots
        ]
        samples = [((name,), expiry) for name, expiry in expiries if expiry is not None]
        text = "When the certificate that is served expires, in seconds since 1970"
        yield family("gauge", "certificate_expiry_timestamp_seconds", text, ("service",), samples)


def _understood(accept: str) -> str:
    """Return the media ranges of an ``Accept`` header whose versions there are.

    The library compares whatever a version says, which raises, and repeats it in its answer.
    """
    return ",".join(one for one in accept.split(",") if _versions(one) <= _VERSIONS)


def _versions(media_range: str) -> set[str]:
    parameters = (each.strip() for each in media_range.split(";")[1:])
    return {each[8:] for each in parameters if each.startswith("version=")}
