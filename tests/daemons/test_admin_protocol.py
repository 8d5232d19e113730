"""The operator's socket and the metrics page, on real sockets, without a twistd around."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import pytest
import pytest_twisted  # type: ignore[import-untyped]
from twisted.internet import reactor as global_reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, UNIXClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from socketsuite.daemon.admin.http_page import MetricsPage
from socketsuite.daemon.admin.report import Report
from socketsuite.daemon.admin.socket import (
    LONGEST_LINE,
    SLOW_SECONDS,
    AdminProtocol,
    AdminSocket,
)
from socketsuite.daemon.errors import StartError
from socketsuite.observe.counters import ServiceMetrics
from socketsuite.observe.events import Closed, Connected, Events, Listening, Refused
from socketsuite.observe.lag import LoopDelay
from socketsuite.reasons import CLOSED_BY_OPERATOR
from socketsuite.service import MAIN

reactor: Any = global_reactor
_Test = TypeVar("_Test", bound=Callable[..., Any])


def in_reactor(test: _Test) -> _Test:
    return cast(_Test, pytest_twisted.inlineCallbacks(test))


class Wire(StringTransport):
    why: str | None = None
    queued = 0


class Peer(SimpleNamespace):
    """A connection of the service, as the registry holds it."""

    def __init__(self, number: int, queued: int = 0) -> None:
        peer = f"127.0.0.1:{number}"
        super().__init__(id=number, opened_at=0.0, peer=peer, local="x", admitted=True)
        self.end: Any = None
        self.transport: Any = SimpleNamespace(
            options=SimpleNamespace(kind="tcp", frontend=MAIN),
            bytes_in=number,
            bytes_out=2 * number,
            queued=queued,
            protocol=None,
            close=lambda reason: setattr(self, "end", reason),
        )


class Process(SimpleNamespace):
    command = "socketsuite-echo"
    starting = False
    draining = False

    def drain(self) -> None:
        assert not self.draining
        self.draining = True


class Office:
    """One operator's connection in memory, and the service behind it."""

    def __init__(self, *peers: Peer) -> None:
        self.clock = Clock()
        self.process = Process()
        connections = SimpleNamespace(
            open={id(each): each for each in peers},
            end=lambda transport, reason: transport.close(reason),
        )
        service = SimpleNamespace(
            name="echo", events=Events(), connections=connections, factory=None
        )
        self.service_metrics = ServiceMetrics(service)
        # The transports are the keys of the registry.
        connections.open = {_Key(each.transport): each for each in peers}
        self.report = Report(
            self.process, [self.service_metrics], LoopDelay(self.clock), self.clock
        )
        self.protocol = AdminProtocol(self.report, self.clock)
        self.transport = Wire()
        self.protocol.makeConnection(self.transport)

    def ask(self, request: Any) -> Any:
        line = request if isinstance(request, bytes) else json.dumps(request).encode()
        self.protocol.dataReceived(line + b"\n")
        (answer,) = self.answers()
        return answer

    def answers(self) -> list[Any]:
        lines = self.transport.value().splitlines()
        self.transport.clear()
        return [json.loads(line) for line in lines]


class _Key:
    def __init__(self, transport: Any) -> None:
        self._transport = transport

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def test_a_status_names_the_process_its_services_and_their_connections() -> None:
    office = Office(Peer(1), Peer(2, queued=9))
    listening = Listening("echo", "tcp", "127.0.0.1", 7, "IPv4", io="compiled")
    office.service_metrics.counters(listening)
    office.service_metrics.counters(Refused("echo", "tcp", "p", "max_connections"))
    office.clock.advance(5.0)
    told = office.ask({"command": "status"})
    assert told["process"]["state"] == "serving"
    assert told["process"]["uptime"] == 5.0
    (service,) = told["services"]
    assert service["listeners"] == [
        {
            "transport": "tcp",
            "address": "127.0.0.1",
            "port": 7,
            "frontend": "main",
            "io": "compiled",
        }
    ]
    assert service["frontends"] == {"main": {"open": 2, "opened": 0, "bytes_in": 3, "bytes_out": 6}}
    assert (service["open"], service["bytes_in"], service["queued"]) == (2, 3, 9)
    assert service["refused"] == {"max_connections": 1}
    assert told["connections"][0] == {
        "id": 2,
        "service": "echo",
        "frontend": "main",
        "transport": "tcp",
        "peer": "127.0.0.1:2",
        "age": 5.0,
        "bytes_in": 2,
        "bytes_out": 4,
        "queued": 9,
        "idle": None,
        "own": {},
    }


def test_the_figures_of_several_frontends_are_told_apart_and_together() -> None:
    irc, web = Peer(1), Peer(2)
    irc.transport.options.frontend, web.transport.options.frontend = "irc", "web"
    office = Office(irc, web)
    for name in ("irc", "web"):
        office.service_metrics.counters(Connected("echo", "tcp", "p", "l", name))
        office.service_metrics.counters(Refused("echo", "tcp", "p", "deny", None, name))
        office.service_metrics.counters(Closed("echo", "tcp", "p", 0, 0, 1.0, "lost", None, name))
    told = office.ask({"command": "status"})
    (service,) = told["services"]
    assert (service["open"], service["opened"], service["bytes_out"]) == (2, 2, 6)
    assert (service["refused"], service["closed"]) == ({"deny": 2}, {"lost": 2})
    assert service["frontends"] == {
        "irc": {"open": 1, "opened": 1, "bytes_in": 1, "bytes_out": 2},
        "web": {"open": 1, "opened": 1, "bytes_in": 2, "bytes_out": 4},
    }
    assert {row["peer"]: row["frontend"] for row in told["connections"]} == {
        "127.0.0.1:1": "irc",
        "127.0.0.1:2": "web",
    }


def test_a_limit_keeps_the_largest_queues_and_tells_the_total() -> None:
    told = Office(*(Peer(n, queued=n) for n in range(1, 9))).ask({"command": "status", "limit": 2})
    assert [row["queued"] for row in told["connections"]] == [8, 7]
    assert told["total"] == 8


def test_a_connection_is_closed_by_its_id() -> None:
    idle, stuck = Peer(1), Peer(2, queued=1)
    office = Office(idle, stuck)
    assert office.ask({"command": "close", "id": 1}) == {"closed": 1}
    assert office.ask({"command": "close", "id": 2}) == {"closed": 2}
    assert idle.end == stuck.end == CLOSED_BY_OPERATOR


def test_a_drain_is_answered_before_it_begins_and_begins_once() -> None:
    office = Office()
    for _ in range(2):
        assert office.ask({"command": "drain"}) == {"draining": True}
    assert office.ask({"command": "status"})["process"]["state"] == "serving"
    office.clock.advance(0)
    assert office.process.draining
    assert office.ask({"command": "status"})["process"]["state"] == "draining"


@pytest.mark.parametrize(
    "request_",
    [
        b"",
        b"[]",
        b"nonsense",
        b"\xff",
        b"[" * 60_000,
        {"command": "reboot"},
        {"command": ["status"]},
        {"command": "close", "id": 3},
        {"command": "close", "id": "1"},
        {"command": "close"},
        {"command": "status", "limit": -1},
        {"command": "status", "limit": True},
        {"command": "watch", "interval": 0},
        b'{"command": "watch", "interval": NaN}',
    ],
)
def test_what_is_not_understood_is_one_error_and_no_end(request_: Any) -> None:
    office = Office(Peer(1))
    assert list(office.ask(request_)) == ["error"]
    assert office.ask({"command": "status"})["total"] == 1


def test_an_overlong_line_ends_the_connection() -> None:
    office = Office()
    office.protocol.dataReceived(b"x" * (LONGEST_LINE + 1))
    assert list(office.answers()[0]) == ["error"]
    assert office.transport.disconnecting


def test_a_watch_tells_again_and_again_until_the_reader_is_gone() -> None:
    office = Office()
    office.protocol.dataReceived(b'{"command": "watch", "interval": 2}\n')
    office.clock.pump([2.0, 2.0])
    assert [told["process"]["uptime"] for told in office.answers()] == [0.0, 2.0, 4.0]
    office.protocol.connectionLost(Failure(OSError()))
    assert office.clock.getDelayedCalls() == []


def test_a_watcher_that_does_not_read_is_told_nothing_and_dropped() -> None:
    office = Office()
    office.protocol.dataReceived(b'{"command": "watch", "interval": 1}\n')
    office.answers()
    office.transport.queued = 1
    office.clock.pump([1.0] * int(SLOW_SECONDS))
    assert office.answers() == []
    assert not office.transport.disconnected
    office.clock.advance(1.0)
    assert office.transport.disconnected


class Caller(Protocol):
    """Collects what comes until the other end closes."""

    def __init__(self) -> None:
        self.data = b""
        self.ended: Deferred[bytes] = Deferred()
        self.arrived: Deferred[None] = Deferred()

    def dataReceived(self, data: bytes) -> None:
        self.data += data
        if not self.arrived.called and self.data.endswith(b"\n"):
            self.arrived.callback(None)

    def connectionLost(self, reason: Any = None) -> None:
        self.ended.callback(self.data)


@pytest.fixture
def admin(tmp_path: Path) -> Iterator[AdminSocket]:
    made = AdminSocket(tmp_path / "admin.sock", Office().report, reactor)
    made.privilegedStartService()
    made.startService()
    yield made
    pytest_twisted.blockon(_stopped(made))


def _stopped(service: Any) -> Any:
    from twisted.internet.defer import maybeDeferred

    return maybeDeferred(service.stopService)


def dial(path: Path) -> Any:
    return connectProtocol(UNIXClientEndpoint(reactor, str(path)), Caller())


@in_reactor
def test_only_its_owner_may_open_the_socket(admin: AdminSocket, tmp_path: Path) -> Any:
    path = tmp_path / "admin.sock"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    caller = yield dial(path)
    caller.transport.write(b'{"command": "status"}\n')
    yield caller.arrived
    assert json.loads(caller.data)["process"]["command"] == "socketsuite-echo"
    caller.transport.loseConnection()
    yield caller.ended


@in_reactor
def test_the_ninth_operator_is_turned_away(admin: AdminSocket, tmp_path: Path) -> Any:
    callers = []
    for _ in range(9):
        callers.append((yield dial(tmp_path / "admin.sock")))
    assert (yield callers[8].ended) == b""
    assert len(admin.connections) == 8
    for caller in callers[:8]:
        caller.transport.loseConnection()
        yield caller.ended


def test_the_file_is_gone_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    service = AdminSocket(path, Office().report, reactor)
    service.privilegedStartService()
    assert path.is_socket()
    with pytest.raises(StartError, match=r"another server is using it; say another --admin path"):
        AdminSocket(path, Office().report, reactor).privilegedStartService()
    service.close()
    assert not path.exists()


@pytest.fixture
def page() -> Iterator[tuple[MetricsPage, Process]]:
    office = Office()
    made = MetricsPage(
        0, reactor, page=lambda _: ("text/plain", b"figures\n"), health=office.report.health
    )
    made.privilegedStartService()
    made.startService()
    yield made, office.process
    pytest_twisted.blockon(_stopped(made))


@in_reactor
def get(port: int, request: bytes) -> Any:
    endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port)
    caller = yield connectProtocol(endpoint, Caller())
    caller.transport.write(request)
    return (yield caller.ended)


@in_reactor
def test_metrics_and_health_are_answered(page: tuple[MetricsPage, Process]) -> Any:
    served, process = page
    close = b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    metrics = yield get(served.port, b"GET /metrics" + close)
    assert metrics.startswith(b"HTTP/1.1 200")
    assert metrics.endswith(b"figures\n")
    healthy = yield get(served.port, b"GET /health" + close)
    assert healthy.startswith(b"HTTP/1.1 200")
    assert json.loads(healthy.split(b"\r\n\r\n")[1])["status"] == "ok"
    process.draining = True
    draining = yield get(served.port, b"GET /health" + close)
    assert draining.startswith(b"HTTP/1.1 503")


@in_reactor
def test_a_body_is_not_taken(page: tuple[MetricsPage, Process]) -> Any:
    answer = yield get(
        page[0].port,
        b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n" + b"x",
    )
    assert not answer.startswith(b"HTTP/1.1 200")
    assert len(page[0].connections) == 0


@in_reactor
def test_the_thirty_third_reader_is_turned_away(page: tuple[MetricsPage, Process]) -> Any:
    endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", page[0].port)
    callers = []
    for _ in range(33):
        callers.append((yield connectProtocol(endpoint, Caller())))
    assert (yield callers[32].ended) == b""
    for caller in callers[:32]:
        caller.transport.loseConnection()
        yield caller.ended
