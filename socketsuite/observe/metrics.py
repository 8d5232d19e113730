"""What Prometheus reads of the process and its services, as one page.

``prometheus_client`` is imported only by whoever makes :class:`Metrics`.  This module must not
know how the page travels, nor how its figures are counted.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from socketsuite import __version__
from socketsuite.observe.counters import DURATIONS, ServiceMetrics, Snapshot
from socketsuite.observe.families import family, histogram, limit_families
from socketsuite.observe.lag import BOUNDS, LoopDelay
from socketsuite.observe.own_figures import own_families
from twisted import __version__ as twisted_version

_VERSIONS = {"0.0.1", "0.0.4", "1.0.0"}
_BY_FRONTEND = ("service", "frontend")


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
        yield from own_families({one.name: one.hooks.figures() for one in self._subjects})
        yield family(
            "gauge",
            "health_check",
            "Whether a check of the service's own is good",
            ("service", "check"),
            [
                ((one.name, check), int(wrong is None))
                for one in self._subjects
                for check, wrong in one.hooks.checks().items()
            ],
        )
        yield histogram(
            "connection_duration_seconds",
            "How long connections lasted that have ended",
            _BY_FRONTEND,
            DURATIONS,
            [
                ((one.name, frontend), counts.durations, counts.seconds)
                for one in self._subjects
                for frontend, counts in one.counters.frontends.items()
            ],
        )
        yield histogram(
            "loop_delay_seconds",
            "How late the event loop was, measured four times a second",
            (),
            BOUNDS,
            [((), self._delay.counts, self._delay.total)],
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
                ((one.name, frontend, *((key,) if isinstance(key, str) else key)), count)
                for one in self._subjects
                for frontend, counts in one.counters.frontends.items()
                for key, count in getattr(counts, attribute).items()
            ]
            yield family("counter", name, text, (*_BY_FRONTEND, *labels), samples)
        by_reading = (
            ("counter", "received_bytes", "Bytes received", "bytes_in"),
            ("counter", "sent_bytes", "Bytes sent", "bytes_out"),
            ("counter", "received_datagrams", "Datagrams received", "datagrams_in"),
            ("counter", "sent_datagrams", "Datagrams sent", "datagrams_out"),
            ("gauge", "send_queue_bytes", "Bytes that peers have not taken yet", "queued"),
        )
        for kind, name, text, attribute in by_reading:
            samples = [
                ((one.name, frontend), getattr(traffic, attribute))
                for one, now in snapshots
                for frontend, traffic in now.frontends.items()
            ]
            yield family(kind, name, text, _BY_FRONTEND, samples)

    def _gauges(self, snapshots: Sequence[tuple[ServiceMetrics, Snapshot]]) -> Iterator[Any]:
        samples: list[tuple[tuple[str, ...], float]] = []
        for one, snapshot in snapshots:
            for frontend, traffic in snapshot.frontends.items():
                # A transport seen once stays, at 0, so that a graph of it does not break off.
                kinds = sorted({*one.counters.of(frontend).opened, *traffic.open})
                samples += [((one.name, frontend, kind), traffic.open[kind]) for kind in kinds]
        text, labels = "Connections open now", (*_BY_FRONTEND, "transport")
        yield family("gauge", "connections_open", text, labels, samples)
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
