"""Families of figures, as ``prometheus_client`` wants them: gauges, counters, histograms, limits.

``prometheus_client`` is imported only when a family is made.  This module must not know where
the figures come from.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

_OFF = "; 0 is no limit"
_NEVER = "; 0 is never"
# Which setting is shown by which gauge, socketsuite_limit_…
LIMITS = {
    "max_connections": ("connections", "Connections at one time" + _OFF),
    "max_connections_per_host": (
        "connections_per_host",
        "Connections of one host at one time" + _OFF,
    ),
    "max_rate_per_host": (
        "new_connections_per_host",
        "New connections of one host within the rate window" + _OFF,
    ),
    "rate_window": ("rate_window_seconds", "What new connections of a host are counted over"),
    "send_queue": ("send_queue_bytes", "Bytes that a peer may leave unread"),
    "send_queue_soft": ("send_queue_soft_bytes", "Bytes that a peer may leave unread for long"),
    "send_queue_seconds": ("send_queue_soft_seconds", "How long the soft limit may be exceeded"),
    "udp_rate": (
        "datagrams_per_second_per_host",
        "Datagrams a second that one host is answered" + _OFF,
    ),
    "first_byte_timeout": ("first_byte_timeout_seconds", "Time for the first byte" + _NEVER),
    "idle_timeout": ("idle_timeout_seconds", "Time without a byte either way" + _NEVER),
    "handshake_timeout": ("handshake_timeout_seconds", "Time for the TLS handshake"),
    "write_timeout": ("write_timeout_seconds", "Time for a peer to take anything" + _NEVER),
    "half_close_timeout": (
        "half_close_timeout_seconds",
        "Time for an answer to a caller that has closed its half",
    ),
    "start_timeout": ("start_timeout_seconds", "Time for the service to start"),
    "stop_timeout": ("stop_timeout_seconds", "Time for the service to stop after a drain"),
    "drain_timeout": ("drain_timeout_seconds", "Time for connections to finish in a drain"),
}


def family(
    kind: str,
    name: str,
    text: str,
    labels: Sequence[str],
    samples: Iterable[tuple[Sequence[str], float]],
) -> Any:
    """Return a family of counters or gauges; *name* is without the suite's, and ``_total``."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    make = CounterMetricFamily if kind == "counter" else GaugeMetricFamily
    made: Any = make(f"socketsuite_{name}", text, labels=labels)
    for values, value in samples:
        made.add_metric(list(values), value)
    return made


def histogram(
    name: str,
    text: str,
    labels: Sequence[str],
    bounds: Sequence[float],
    samples: Iterable[tuple[Sequence[str], Sequence[int], float]],
) -> Any:
    """Return a family of histograms; *name* is without the suite's.

    :param bounds: the upper bounds of the buckets; one without a bound is behind them.
    :param samples: by the values of *labels* the count in each bucket alone, and the sum of all
        that was observed.
    """
    from prometheus_client.core import HistogramMetricFamily

    made: Any = HistogramMetricFamily(f"socketsuite_{name}", text, labels=labels)
    names = [*map(str, bounds), "+Inf"]
    for values, counts, total in samples:
        buckets = list(zip(names, map(float, accumulate(counts)), strict=True))
        made.add_metric(list(values), buckets, total)
    return made


def limit_families(
    services: Mapping[str, Mapping[str, float]], total_send_queue: int
) -> Iterator[Any]:
    """Yield a gauge for each limit.

    :param services: of each service the settings named in :data:`LIMITS`.
    """
    for setting, (name, text) in LIMITS.items():
        samples = [((name,), said[setting]) for name, said in services.items() if setting in said]
        yield family("gauge", f"limit_{name}", text, ("service",), samples)
    text = "Bytes that all peers of the process together may leave unread" + _OFF
    yield family("gauge", "limit_total_send_queue_bytes", text, (), [((), total_send_queue)])
