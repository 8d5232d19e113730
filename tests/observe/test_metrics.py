"""What is counted, and what Prometheus reads."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.task import Clock

from socketsuite.figures import Counter, Gauge, Histogram
from socketsuite.observe.counters import DURATIONS, ServiceMetrics
from socketsuite.observe.events import Closed, Connected, Draining, Events, Listening, Refused
from socketsuite.observe.families import LIMITS
from socketsuite.observe.lag import LoopDelay
from socketsuite.observe.metrics import Metrics
from socketsuite.observe.own_figures import NoHooks, read_figures
from socketsuite.policies.settings import AdmissionSettings, DatagramLimits, LimitSettings
from socketsuite.reasons import CLOSED, REFUSED
from socketsuite.service import MAIN

ONLY = ("frontend", MAIN)


def transport(
    kind: str, bytes_in: int = 0, bytes_out: int = 0, queued: int = 0, frontend: str = MAIN
) -> Any:
    options = SimpleNamespace(kind=kind, frontend=frontend)
    return SimpleNamespace(options=options, bytes_in=bytes_in, bytes_out=bytes_out, queued=queued)


def service(*transports: Any, name: str = "echo", **more: Any) -> Any:
    connections = SimpleNamespace(open=transports)
    return SimpleNamespace(
        **{"name": name, "events": Events(), "connections": connections, "factory": None, **more}
    )


def read(*services: Any) -> dict[tuple[str, ...], float]:
    """Return every sample of the page by its name and its labels, the service's first.

    Without that of the only frontend of a service.
    """
    subjects = [ServiceMetrics(one) for one in services]
    return samples(Metrics(subjects, LoopDelay(Clock())))


def samples(metrics: Metrics) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(metrics.page()[1].decode())
    return {
        (
            sample.name.removeprefix("socketsuite_"),
            *sorted(
                (value for label, value in sample.labels.items() if (label, value) != ONLY),
                key=lambda value: value != "echo",
            ),
        ): sample.value
        for family in families
        for sample in family.samples
    }


def test_bytes_are_those_of_open_and_closed_connections() -> None:
    one = service(transport("tcp", 5, 7, 11), transport("unix", 1, 1, 1))
    metrics = Metrics([ServiceMetrics(one)], LoopDelay(Clock()))
    one.events.emit(Listening("echo", "tcp", "127.0.0.1", 7, "IPv4"))
    one.events.emit(Closed("echo", "tcp", "p", 100, 200, 1.0, "lost"))
    found = samples(metrics)
    assert found["received_bytes_total", "echo"] == 106
    assert found["sent_bytes_total", "echo"] == 208
    assert found["send_queue_bytes", "echo"] == 12
    assert found["connections_open", "echo", "unix"] == 1
    assert found["connections_closed_total", "echo", "lost", "tcp"] == 1
    assert found["connections_closed_total", "echo", "idle_timeout", "tcp"] == 0


def test_every_frontend_that_listens_has_figures_of_its_own_from_the_start() -> None:
    port = SimpleNamespace(datagrams_in=3, datagrams_out=2, bytes_in=30, bytes_out=20)
    web, one_port = transport("tls", 5, 7, 11, "web"), SimpleNamespace(frontend="dns", **vars(port))
    one = service(web, transport("tcp", 1, 1, 1, "irc"), datagram_ports=[one_port])
    metrics = Metrics([ServiceMetrics(one)], LoopDelay(Clock()))
    for kind, frontend in [("tcp", "irc"), ("tls", "web"), ("udp", "dns")]:
        one.events.emit(Listening("echo", kind, "127.0.0.1", 7, "IPv4", frontend))
    names = {("irc", "tcp"), ("web", "tls")}
    found = samples(metrics)
    by_reason = {key for key in found if key[0] == "connections_closed_total"}
    wanted = {(name, kind, reason) for name, kind in names for reason in CLOSED}
    assert {(key[2], key[4], key[3]) for key in by_reason} == wanted
    refused = {key[2:] for key in found if key[0] == "refusals_total"}
    assert refused == {(name, reason) for name in ("irc", "web", "dns") for reason in REFUSED}
    assert found["connections_open", "echo", "web", "tls"] == 1
    one.events.emit(Closed("echo", "tls", "p", 100, 200, 1.0, "lost", None, "web"))
    one.events.emit(Refused("echo", "tcp", "p", "deny", None, "irc"))
    found = samples(metrics)
    assert found["received_bytes_total", "echo", "web"] == 105
    assert found["received_bytes_total", "echo", "irc"] == 1
    assert found["sent_bytes_total", "echo", "dns"] == 20
    assert found["received_datagrams_total", "echo", "dns"] == 3
    assert found["received_datagrams_total", "echo", "web"] == 0
    assert found["send_queue_bytes", "echo", "web"] == 11
    assert found["connections_closed_total", "echo", "web", "lost", "tls"] == 1
    assert found["refusals_total", "echo", "irc", "deny"] == 1
    assert found["refusals_total", "echo", "web", "deny"] == 0
    assert found["connection_duration_seconds_count", "echo", "web"] == 1
    assert found["connection_duration_seconds_count", "echo", "irc"] == 0


def test_a_transport_without_connections_is_shown_as_zero() -> None:
    one = service()
    metrics = Metrics([ServiceMetrics(one)], LoopDelay(Clock()))
    one.events.emit(Connected("echo", "tcp", "p", "l"))
    found = samples(metrics)
    assert found["connections_open", "echo", "tcp"] == 0
    assert found["connections_opened_total", "echo", "tcp"] == 1


@pytest.mark.parametrize(
    ("listens", "counted"),
    [("tcp", "tcp"), ("tls", "tls"), ("unix", "unix"), ("endpoint", "tcp"), ("udp", None)],
)
def test_every_reason_is_there_from_the_start_at_zero(listens: str, counted: str | None) -> None:
    one = service()
    metrics = Metrics([ServiceMetrics(one)], LoopDelay(Clock()))
    one.events.emit(Listening("echo", listens, "127.0.0.1", 7, "IPv4"))
    found = samples(metrics)
    refused = {key[2]: count for key, count in found.items() if key[0] == "refusals_total"}
    assert refused == dict.fromkeys(REFUSED, 0.0)
    closed = {key[2:]: n for key, n in found.items() if key[0] == "connections_closed_total"}
    pairs = [(label, counted) for label in CLOSED if counted]
    assert closed == dict.fromkeys(pairs, 0.0)
    assert ("connections_opened_total", "echo", "tcp") in found or counted != "tcp"


def test_how_long_connections_lasted_is_a_histogram() -> None:
    one = service()
    metrics = Metrics([ServiceMetrics(one)], LoopDelay(Clock()))
    for seconds in (0.001, 0.1, 4.0, 1e9):
        one.events.emit(Closed("echo", "tcp", "p", 0, 0, seconds, "lost"))
    found = samples(metrics)
    name = "connection_duration_seconds"
    buckets = {key[2]: n for key, n in found.items() if key[0] == f"{name}_bucket"}
    assert len(buckets) == len(DURATIONS) + 1
    wanted = {"0.01": 1, "0.1": 2, "1.0": 2, "5.0": 3, "86400.0": 3, "+Inf": 4}
    assert {bound: buckets[bound] for bound in wanted} == wanted
    assert found[f"{name}_count", "echo"] == 4
    assert found[f"{name}_sum", "echo"] == 0.101 + 4.0 + 1e9


def test_every_limit_that_is_a_number_is_a_gauge() -> None:
    groups = (AdmissionSettings(), LimitSettings(), DatagramLimits())
    limits = {name: value for group in groups for name, value in vars(group).items()}
    numbers = {name for name, value in limits.items() if isinstance(value, int | float)}
    assert numbers == set(LIMITS)
    found = read(service(limits={**limits, "max_connections": 9}))
    assert found["limit_connections", "echo"] == 9
    assert {f"limit_{name}" for name, _ in LIMITS.values()} <= {key[0] for key in found}


def test_lines_that_the_log_has_dropped_are_counted() -> None:
    metrics = Metrics([], LoopDelay(Clock()), lambda: 3)
    assert samples(metrics)["log_lines_dropped_total",] == 3


def test_a_refusal_counts_by_its_label_and_not_by_its_detail() -> None:
    one = service()
    metrics = Metrics([ServiceMetrics(one)], LoopDelay(Clock()))
    one.events.emit(Listening("echo", "tcp", "127.0.0.1", 7, "IPv4"))
    before = set(samples(metrics))
    for number in range(100):
        one.events.emit(Refused("echo", "tcp", "p", "bad_proxy_header", f"detail {number}"))
    found = samples(metrics)
    assert found["refusals_total", "echo", "bad_proxy_header"] == 100
    assert set(found) == before


def test_a_service_that_drains_listens_no_more() -> None:
    service_metrics = ServiceMetrics(service())
    service_metrics.counters(Listening("echo", "tcp", "127.0.0.1", 7, "IPv4"))
    assert len(service_metrics.counters.listening) == 1
    service_metrics.counters(Draining("echo", 0, 1.0))
    assert service_metrics.counters.listening == []
    found = samples(Metrics([service_metrics], LoopDelay(Clock())))
    assert found["draining", "echo"] == 1


def test_datagrams_still_count_when_their_port_is_closed() -> None:
    port = SimpleNamespace(datagrams_in=3, datagrams_out=2, bytes_in=30, bytes_out=20)
    one = service(datagram_ports=[port])
    metrics = Metrics([ServiceMetrics(one)], LoopDelay(Clock()))
    before = samples(metrics)
    one.datagram_ports = []
    for found in (before, samples(metrics)):
        assert found["received_datagrams_total", "echo"] == 3
        assert found["sent_bytes_total", "echo"] == 20


class Hooks(NoHooks):
    def __init__(self, said: Any, checks: dict[str, str | None]) -> None:
        self._figures, self._checks = read_figures(said).figures, checks

    def figures(self) -> Any:
        return self._figures

    def checks(self) -> dict[str, str | None]:
        return self._checks


def test_what_services_say_of_themselves_stands_beside_what_is_counted_of_them() -> None:
    histogram = Histogram("seconds", "Waited", [1.0, 5.0])
    histogram.observe(3.0)
    rooms = Gauge("members", "In rooms", {"lobby": 3, "dev": 1}, ["room"])
    a = Hooks([Counter("lines_total", "Relayed", 7), rooms, histogram], {"disk": "full", "b": None})
    b = Hooks({"lines_total": 2, "members": 9}, {})
    subjects = [
        ServiceMetrics(service(name=name), hooks) for name, hooks in [("echo", a), ("b", b)]
    ]
    found = samples(Metrics(subjects, LoopDelay(Clock())))
    assert found["service_lines_total", "echo"] == 7
    assert found["service_lines_total", "b"] == 2
    assert found["service_members", "echo", "lobby"] == 3
    assert found["service_seconds_bucket", "echo", "5.0"] == 1
    assert found["service_seconds_sum", "echo"] == 3.0
    assert (found["health_check", "echo", "disk"], found["health_check", "echo", "b"]) == (0, 1)
    # Two figures of one name that are not alike cannot both stand on a page.
    assert not [key for key in found if key[:2] == ("service_members", "b")]


def test_the_delay_of_the_loop_is_a_histogram() -> None:
    clock = Clock()
    delay = LoopDelay(clock)
    delay.start()
    clock.advance(1.0)
    found = samples(Metrics([], delay))
    assert found["loop_delay_seconds_bucket", "0.5"] == 0
    assert found["loop_delay_seconds_bucket", "1.0"] == 1
    assert found["loop_delay_seconds_bucket", "+Inf"] == 1
    assert found["loop_delay_seconds_sum",] == 0.75
    assert found["process_open_fds",] > 0
