"""Connections that begin with a proxy's header: real sockets, a reactor turned by hand."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trustme
from OpenSSL import SSL
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IFileDescriptorReceiver
from twisted.internet.protocol import Factory, Protocol
from twisted.python import log
from zope.interface import implementer

from socketsuite.daemon.serve.tls_admission import wrap
from socketsuite.reasons import (
    BAD_PROXY_HEADER,
    DECLINED,
    DENY,
    HANDSHAKE_TIMEOUT,
    IDLE_TIMEOUT,
    PROXY_FROM,
    PROXY_HEADER_TIMEOUT,
    Reason,
)
from socketsuite.testing.mutations import mutations
from socketsuite.transport.burst import burst_of
from socketsuite.transport.observed import observe_port
from socketsuite.transport.options import PortOptions, ProxyOptions, TLSOptions
from socketsuite.transport.proxied import ProxyHeaderFactory
from tests.transport.plain_port import PlainPort

SIGNATURE = bytes.fromhex("0D0A0D0A000D0A515549540A")
LINE = b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"
IPV6 = bytes.fromhex("20010db8000000000000000000000001") + bytes(15) + b"\x01"
BLOCK = SIGNATURE + struct.pack("!BBH", 0x21, 0x21, 41) + IPV6 + struct.pack("!HH", 56324, 443)
BLOCK += b"\xe0\x00\x02hi"
LOCAL = SIGNATURE + b"\x20\x00\x00\x00"
PATHS = SIGNATURE + struct.pack("!BBH", 0x21, 0x31, 216) + b"/client".ljust(108, b"\0") * 2
ENDS = {
    LINE: (IPv4Address("TCP", "192.0.2.1", 56324), IPv4Address("TCP", "198.51.100.2", 443)),
    BLOCK: (IPv6Address("TCP", "2001:db8::1", 56324), IPv6Address("TCP", "::1", 443)),
}


class Served(Protocol):
    """Echoes, and keeps what happened to it."""

    transport: Any

    def __init__(self, addr: Any) -> None:
        self.built_for = addr
        self.peer: Any = None
        self.received = b""
        self.lost: list[Any] = []

    def connectionMade(self) -> None:
        self.peer = self.transport.getPeer()

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        self.transport.write(data)

    def connectionLost(self, reason: Any = None) -> None:
        self.lost.append(reason)


class _Listing:
    """An observer that lists the connections, and those that have ended."""

    def __init__(self, world: Behind) -> None:
        self.world = world

    def opened(self, transport: Any) -> None:
        self.world.transports.append(transport)

    def closed(self, transport: Any, reason: Any) -> None:
        self.world.ended.append(transport)

    def received(self, transport: Any, data: bytes) -> None:
        self.world.told += data

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


class Behind(PlainPort):
    """One port of a *kind* (``tcp`` or ``unix``) whose connections begin with a header."""

    def __init__(self, burst: bool, kind: str, folder: Path) -> None:
        super().__init__()
        self.burst, self.kind = burst, kind
        self.path = str(folder / "sock")
        self.told = b""
        self.served: list[Served] = []
        self.transports: list[Any] = []
        self.ended: list[Any] = []
        self.asked: list[str | None] = []
        self.admitted: list[Any] = []
        self.life: list[str] = []
        self.trusted = True
        self.refusal: Reason | None = None
        self.build: Callable[[Any], Any] = Served
        self.behind: Callable[[Any], Any] = lambda service: service

    def open(self, **changes: Any) -> None:
        world = self

        class Service(Factory):
            noisy = False

            def startFactory(self) -> None:
                world.life.append("start")

            def stopFactory(self) -> None:
                world.life.append("stop")

            def buildProtocol(self, addr: Any) -> Any:
                protocol = world.build(addr)
                if protocol is not None:
                    world.served.append(protocol)
                return protocol

        def trusted(host: str | None) -> bool:
            world.asked.append(host)
            return world.trusted

        seconds = changes.pop("header_seconds", 5.0)
        refusal = changes.pop("refusal", lambda _: world.refusal)
        proxy = ProxyOptions(trusted, refusal, world.admitted.append, seconds)
        options = PortOptions(_Listing(self), send_queue=1 << 20, proxy=proxy, **changes)
        factory = ProxyHeaderFactory(self.behind(Service()))
        port = (
            self.reactor.listenUNIX(self.path, factory)
            if self.kind == "unix"
            else self.reactor.listenTCP(0, factory, 200, "127.0.0.1")
        )
        self.port = observe_port(port, options, burst=self.burst)

    def call(self) -> socket.socket:
        """Return a caller who is connected, as far as the kernel is concerned."""
        if self.kind == "tcp":
            return super().call()
        caller = socket.socket(socket.AF_UNIX)
        caller.connect(self.path)
        caller.setblocking(False)
        self.callers.append(caller)
        return caller

    def own_ends(self, caller: socket.socket) -> tuple[Any, Any]:
        """Return the peer and the host that a service sees without a header."""
        if self.kind == "unix":
            return UNIXAddress(None), UNIXAddress(self.path.encode())
        theirs, ours = caller.getsockname(), caller.getpeername()
        return IPv4Address("TCP", *theirs), IPv4Address("TCP", *ours)

    def why(self) -> Reason | None:
        """Wait for the end of the only connection; return the reason given."""
        self.until(lambda: self.ended)
        (transport,) = self.ended
        reason: Reason | None = transport.why
        return reason


def behind(burst: bool, kind: str, folder: Path) -> Iterator[Behind]:
    made = Behind(burst, kind, folder)
    log.addObserver(made.logged.append)
    yield made
    log.removeObserver(made.logged.append)
    made.close()
    assert [call for call in made.reactor.getDelayedCalls() if call.active()] == []


@pytest.fixture(params=["burst-tcp", "burst-unix", "twisted-tcp", "twisted-unix"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Behind]:
    transport, kind = request.param.split("-")
    yield from behind(transport == "burst", kind, tmp_path)


@pytest.fixture(params=["burst", "twisted"])
def tcp_world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Behind]:
    yield from behind(request.param == "burst", "tcp", tmp_path)


@pytest.fixture(params=["burst", "twisted"])
def unix_world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Behind]:
    yield from behind(request.param == "burst", "unix", tmp_path)


def failures(world: Behind) -> list[Any]:
    return [event["failure"].type for event in world.logged if event["isError"]]


# ── the header and what follows it ──────────────────────────────────────────────────────


@pytest.mark.parametrize("header", [LINE, BLOCK], ids=["v1", "v2"])
def test_a_header_split_at_every_byte_names_the_client(world: Behind, header: bytes) -> None:
    world.open()
    for count, cut in enumerate(range(1, len(header))):
        caller = world.call()
        caller.send(header[:cut])
        world.until(lambda: len(world.transports) == count + 1)  # noqa: B023
        framer = world.transports[-1]._framer
        world.until(lambda: len(framer.held) == cut)  # noqa: B023
        assert len(world.served) == count
        caller.send(header[cut:] + b"hello")
        assert world.read(caller, 5) == b"hello"
    for one in world.served:
        assert (one.transport.getPeer(), one.transport.getHost()) == ENDS[header]
        assert one.built_for == one.peer == ENDS[header][0]
        assert one.received == b"hello"
        assert one.transport.bytes_in == 5


@pytest.mark.parametrize("header", [LINE, BLOCK], ids=["v1", "v2"])
def test_a_header_that_comes_byte_by_byte_names_the_client(world: Behind, header: bytes) -> None:
    world.open()
    caller = world.call()
    if world.kind == "tcp":
        caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in header:
        caller.send(bytes([byte]))
        world.turn()
    world.until(lambda: world.served)
    assert world.served[0].peer == ENDS[header][0]


def test_a_second_header_is_the_services_bytes(world: Behind) -> None:
    world.open()
    caller = world.call()
    caller.send(LINE + LINE)
    assert world.read(caller, len(LINE)) == LINE
    assert world.served[0].received == LINE


@pytest.mark.parametrize(
    "header", [b"PROXY UNKNOWN ::1 ::1 1 1\r\n", LOCAL, PATHS], ids=["unknown", "local", "paths"]
)
def test_a_header_without_a_client_leaves_the_real_peer(world: Behind, header: bytes) -> None:
    world.open()
    caller = world.call()
    caller.send(header + b"hello")
    assert world.read(caller, 5) == b"hello"
    (one,) = world.served
    peer, host = world.own_ends(caller)
    assert one.built_for == one.peer == peer
    assert one.transport.getHost() == host


def test_a_protocol_with_a_buffer_of_its_own_is_read_into_that(world: Behind) -> None:
    class Buffered(Served):
        def get_buffer(self) -> memoryview:
            return memoryview(bytearray(100))

        def dataReceived(self, data: Any) -> None:
            assert isinstance(data, memoryview if world.burst else bytes)
            super().dataReceived(bytes(data))

    world.build = Buffered
    world.open()
    caller = world.call()
    caller.send(LINE + b"hello")
    assert world.read(caller, 5) == b"hello"


def test_half_a_header_keeps_nobody_busy(world: Behind) -> None:
    world.open()
    for part in (LINE[:20], BLOCK[:14], BLOCK[:30]):
        world.call().send(part)
    world.until(lambda: len(world.transports) == 3)
    held = [len(part) for part in (LINE[:20], BLOCK[:14], BLOCK[:30])]
    world.until(lambda: [len(one._framer.held) for one in world.transports] == held)
    turns: list[int] = []
    if world.burst:
        burst = burst_of(world.reactor)
        burst._run = lambda epoll: turns.append(1)  # type: ignore[method-assign]
    for one in world.transports:
        one.doRead = lambda: turns.append(1)
    for _ in range(20):
        world.turn()
    assert turns == []


# ── who is refused ──────────────────────────────────────────────────────────────────────


def test_a_header_from_anybody_else_is_not_read(world: Behind) -> None:
    world.trusted = False
    world.open()
    world.call().send(LINE + b"hello")
    assert world.why() == PROXY_FROM
    assert world.asked == ["127.0.0.1" if world.kind == "tcp" else None]
    assert world.transports[0].header is None
    assert world.served == []


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (b"hello", "this is something else"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n", "not a port"),
        (SIGNATURE + b"\x31\x11\x00\x00", "binary, but of version 3"),
    ],
)
def test_without_a_good_header_nobody_is_served(world: Behind, data: bytes, detail: str) -> None:
    world.open()
    world.call().send(data)
    assert world.why() == BAD_PROXY_HEADER.because(detail)
    assert world.served == []
    assert failures(world) == []


def test_headers_made_wrong_at_random_cost_their_own_connections_alone(world: Behind) -> None:
    world.open()
    inputs = list(mutations([LINE, BLOCK], seed=1, count=60))
    for number, data in enumerate(inputs, 1):
        caller = world.call()
        world.until(lambda: len(world.transports) == number)  # noqa: B023
        with contextlib.suppress(OSError):  # ended already
            caller.send(data)
            caller.shutdown(socket.SHUT_WR)
    world.until(lambda: len(world.ended) == len(inputs))
    assert len(world.served) < len(inputs)
    assert failures(world) == []
    good = world.call()
    good.send(LINE + b"hello")
    assert world.read(good, 5) == b"hello"


@pytest.mark.parametrize("part", [b"", LINE[:-1], BLOCK[:20]], ids=["nothing", "v1", "v2"])
def test_a_caller_that_ends_within_the_header_is_let_go(world: Behind, part: bytes) -> None:
    world.open()
    caller = world.call()
    caller.send(part)
    caller.shutdown(socket.SHUT_WR)
    assert world.why() == BAD_PROXY_HEADER.because("closed before its end")
    assert world.served == []


def test_a_header_that_does_not_come_in_time_ends_the_connection(world: Behind) -> None:
    world.open(header_seconds=0.05)
    world.call().send(LINE[:-1])
    assert world.why() == PROXY_HEADER_TIMEOUT


def test_a_client_that_is_served_has_no_deadline_any_more(world: Behind) -> None:
    world.open(header_seconds=30)
    caller = world.call()
    world.until(lambda: world.reactor.getDelayedCalls())
    caller.send(LINE)
    world.until(lambda: world.served)
    assert world.reactor.getDelayedCalls() == []


def test_a_service_that_closes_does_so_when_its_answer_is_out(world: Behind) -> None:
    world.open()
    caller = world.call()
    caller.send(LINE + b"hello")
    world.until(lambda: world.served and world.served[0].received)
    (served,) = world.served
    served.transport.write(b" and goodbye")
    served.transport.loseConnection()
    assert world.read(caller, 17) == b"hello and goodbye"
    world.until(lambda: served.lost)


def test_admission_is_asked_about_the_real_client(world: Behind) -> None:
    seen: list[Any] = []

    def refusal(transport: Any) -> Reason:
        seen.append((transport.getPeer(), transport.getHost()))
        return DENY

    world.open(refusal=refusal)
    world.call().send(LINE + b"hello")
    assert world.why() == DENY
    assert world.admitted == []
    assert seen == [ENDS[LINE]]
    assert world.served == []


def test_a_factory_that_makes_no_protocol_ends_the_connection(world: Behind) -> None:
    world.build = lambda addr: None
    world.open()
    world.call().send(LINE)
    assert world.why() == DECLINED
    assert world.admitted == []
    assert failures(world) == []


def test_a_factory_that_raises_costs_that_connection_alone(world: Behind) -> None:
    def build(addr: Any) -> Served:
        if addr.host == "192.0.2.1":
            raise ValueError("not him")
        return Served(addr)

    world.build = build
    world.open()
    world.call().send(LINE)
    world.until(lambda: world.ended)
    good = world.call()
    good.send(BLOCK + b"hello")
    assert world.read(good, 5) == b"hello"
    assert failures(world) == [ValueError]


def test_the_factory_starts_and_stops_with_its_port(world: Behind) -> None:
    world.open()
    assert world.life == ["start"]
    world.port.stopListening()
    world.until(lambda: world.life == ["start", "stop"])


def test_what_comes_with_the_header_is_all_that_an_observer_hears(world: Behind) -> None:
    world.open(log_data=True)
    caller = world.call()
    caller.send(LINE + b"hello")
    assert world.read(caller, 5) == b"hello"
    assert world.told == b"hello"


def test_a_header_is_not_read_while_the_transport_is_paused(world: Behind) -> None:
    world.open()
    caller = world.call()
    world.until(lambda: world.transports)
    (transport,) = world.transports
    transport.pauseProducing()
    caller.send(LINE + b"hello")
    for _ in range(5):
        world.turn()
    assert not world.served
    transport.resumeProducing()
    assert world.read(caller, 5) == b"hello"


def test_a_caller_that_closes_its_half_behind_the_header_is_answered(world: Behind) -> None:
    world.open()
    caller = world.call()
    caller.send(LINE + b"hello")
    caller.shutdown(socket.SHUT_WR)
    assert world.read(caller, 5) == b"hello"
    world.until(lambda: world.ended)
    assert world.ended[0].peer_finished


def test_a_caller_that_resets_within_the_header_is_let_go(tcp_world: Behind) -> None:
    tcp_world.open()
    caller = tcp_world.call()
    caller.send(LINE[:5])
    tcp_world.until(lambda: tcp_world.transports and tcp_world.transports[0]._framer.held)
    caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    caller.close()
    assert tcp_world.why() is None
    assert tcp_world.served == []
    assert failures(tcp_world) == []


def test_descriptors_that_follow_the_header_reach_the_service(unix_world: Behind) -> None:
    @implementer(IFileDescriptorReceiver)
    class Receiver(Served):
        given: list[int]

        def fileDescriptorReceived(self, descriptor: int) -> None:
            self.given = [descriptor]

    unix_world.build = Receiver
    unix_world.open()
    caller = unix_world.call()
    caller.send(LINE)
    unix_world.until(lambda: unix_world.served)
    reading, writing = os.pipe()
    socket.send_fds(caller, [b"hello"], [reading])
    assert unix_world.read(caller, 5) == b"hello"
    served: Any = unix_world.served[0]
    os.write(writing, b"through")
    assert os.read(served.given[0], 10) == b"through"
    for descriptor in (reading, writing, *served.given):
        os.close(descriptor)


# ── TLS after the header ────────────────────────────────────────────────────────────────


class SecureCaller:
    """A TLS client whose bytes pass through the test's hands."""

    def __init__(self, world: Behind, authority: trustme.CA) -> None:
        context = ssl.create_default_context()
        authority.configure_trust(context)
        self.world, self.caller = world, world.call()
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")

    def do(self, step: Callable[[], Any], before: bytes = b"") -> Any:
        """Take *step* to its end; *before* goes out first, in the segment of its bytes."""
        outcome: list[Any] = []

        def taken() -> bool:
            nonlocal before
            with contextlib.suppress(ssl.SSLWantReadError):
                outcome.append(step())
            if data := before + self.outgoing.read():
                self.caller.send(data)
                before = b""
            with contextlib.suppress(BlockingIOError):
                self.incoming.write(self.caller.recv(1 << 16))
            return bool(outcome)

        self.world.until(taken)
        return outcome[0]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def open_tls(world: Behind, authority: trustme.CA, **attributes: Any) -> None:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    authority.issue_cert("localhost").configure_cert(context)
    seconds = attributes.pop("handshake_seconds", 10.0)
    if world.burst:
        world.open(tls=TLSOptions(lambda: context, lambda: seconds), **attributes)
        return
    made: Any = SimpleNamespace(serverConnectionForTLS=lambda _: SSL.Connection(context, None))
    world.behind = lambda service: wrap(service, lambda: made, world.reactor, lambda: seconds)
    world.open(**attributes)


@pytest.mark.parametrize("header", [LINE, BLOCK], ids=["v1", "v2"])
def test_a_handshake_may_follow_in_the_same_segment(
    tcp_world: Behind, authority: trustme.CA, header: bytes
) -> None:
    open_tls(tcp_world, authority)
    client = SecureCaller(tcp_world, authority)
    client.do(client.tls.do_handshake, before=header)
    client.do(lambda: client.tls.write(b"hello"))
    assert client.do(lambda: client.tls.read(5)) == b"hello"
    (one,) = tcp_world.served
    assert one.built_for == one.peer == ENDS[header][0]
    assert one.received == b"hello"


def test_the_protocol_waits_for_the_handshake_too(tcp_world: Behind, authority: trustme.CA) -> None:
    open_tls(tcp_world, authority, handshake_seconds=0.05)
    tcp_world.call().send(LINE)
    assert tcp_world.why() == HANDSHAKE_TIMEOUT
    assert {one.peer for one in tcp_world.served} <= {None}


def test_a_handshake_without_a_header_is_refused(tcp_world: Behind, authority: trustme.CA) -> None:
    open_tls(tcp_world, authority)
    client = SecureCaller(tcp_world, authority)
    with pytest.raises(ssl.SSLWantReadError):
        client.tls.do_handshake()
    client.caller.send(client.outgoing.read())
    assert tcp_world.why() == BAD_PROXY_HEADER.because("this is something else")
    assert tcp_world.served == []


@pytest.mark.parametrize("data", [b"", LINE[:-1]], ids=["nothing", "half"])
def test_a_tls_caller_that_ends_within_the_header_is_let_go(
    tcp_world: Behind, authority: trustme.CA, data: bytes
) -> None:
    open_tls(tcp_world, authority)
    caller = tcp_world.call()
    caller.send(data)
    caller.close()
    assert tcp_world.why() == BAD_PROXY_HEADER.because("closed before its end")
    assert failures(tcp_world) == []


CLOSINGS: dict[str, Callable[[Any], None]] = {
    "drain": lambda transport: transport.protocol.drain(),
    "loseConnection": lambda transport: transport.loseConnection(),
    "abortConnection": lambda transport: transport.abortConnection(),
    "close": lambda transport: transport.close(IDLE_TIMEOUT),
}


def closes_at_once(world: Behind, method: str) -> None:
    caller = world.call()
    caller.send(LINE[:5])
    world.until(lambda: world.transports and world.transports[0]._framer.held)
    CLOSINGS[method](world.transports[0])
    assert world.why() == (IDLE_TIMEOUT if method == "close" else None)
    assert world.served == []
    assert failures(world) == []


@pytest.mark.parametrize("method", CLOSINGS)
def test_a_connection_without_its_header_closes_at_once(world: Behind, method: str) -> None:
    world.open()
    closes_at_once(world, method)


@pytest.mark.parametrize("method", CLOSINGS)
def test_a_tls_connection_without_its_header_closes_at_once(
    tcp_world: Behind, authority: trustme.CA, method: str
) -> None:
    open_tls(tcp_world, authority)
    closes_at_once(tcp_world, method)
