"""Connections that begin with a proxy's header: real sockets, a reactor turned by hand."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trustme
from OpenSSL import SSL
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.protocol import Factory, Protocol
from twisted.python import log

from socketsuite.reasons import (
    BAD_PROXY_HEADER,
    DECLINED,
    DENY,
    HANDSHAKE_TIMEOUT,
    PROXY_FROM,
    PROXY_HEADER_TIMEOUT,
    Reason,
)
from socketsuite.transport.burst import accelerate, burst_of
from socketsuite.transport.observed import ObservedTCP, ObservedTLS
from socketsuite.transport.options import PortOptions, ProxyOptions, TLSOptions
from socketsuite.transport.proxied import Proxied, ProxyHeaderFactory
from socketsuite.transport.turns import Turns
from tests.transport.plain_port import World

SIGNATURE = bytes.fromhex("0D0A0D0A000D0A515549540A")
LINE = b"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"
IPV6 = bytes.fromhex("20010db8000000000000000000000001") + bytes(15) + b"\x01"
BLOCK = SIGNATURE + struct.pack("!BBH", 0x21, 0x21, 41) + IPV6 + struct.pack("!HH", 56324, 443)
BLOCK += b"\xe0\x00\x02hi"
LOCAL = SIGNATURE + b"\x20\x00\x00\x00"
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


class _Unheeding:
    """An observer that does nothing."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


class Behind(World):
    """One port whose connections begin with a header."""

    def __init__(self) -> None:
        super().__init__()
        self.served: list[Served] = []
        self.transports: list[Any] = []
        self.ended: list[Any] = []
        self.asked: list[str] = []
        self.admitted: list[Any] = []
        self.life: list[str] = []
        self.trusted = True
        self.refusal: Reason | None = None
        self.build: Callable[[Any], Any] = Served

    def open(self, base: type = ObservedTCP, **changes: Any) -> None:
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

        class Server(Proxied, base):
            def __init__(self, *arguments: Any) -> None:
                super().__init__(*arguments)
                world.transports.append(self)

            def connectionLost(self, reason: Any) -> None:
                super().connectionLost(reason)
                world.ended.append(self)

        def trusted(host: str) -> bool:
            world.asked.append(host)
            return world.trusted

        seconds = changes.pop("header_seconds", 5.0)
        refusal = changes.pop("refusal", lambda _: world.refusal)
        proxy = ProxyOptions(trusted, refusal, world.admitted.append, seconds)
        options = PortOptions(_Unheeding(), proxy=proxy, turns=Turns(self.reactor), **changes)
        factory = ProxyHeaderFactory(Service())
        port = self.reactor.listenTCP(0, factory, 200, "127.0.0.1")
        self.port = accelerate(port, options, Server)

    def why(self) -> Reason | None:
        """Wait for the end of the only connection; return the reason given."""
        self.until(lambda: self.ended)
        (transport,) = self.ended
        reason: Reason | None = transport.why
        return reason


@pytest.fixture
def world() -> Iterator[Behind]:
    made = Behind()
    log.addObserver(made.logged.append)
    yield made
    log.removeObserver(made.logged.append)
    made.close()
    assert [call for call in made.reactor.getDelayedCalls() if call.active()] == []


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
        world.until(lambda: len(framer._held) == cut)  # noqa: B023
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


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN ::1 ::1 1 1\r\n", LOCAL], ids=["v1", "v2"])
def test_a_header_without_a_client_leaves_the_real_peer(world: Behind, header: bytes) -> None:
    world.open()
    caller = world.call()
    caller.send(header + b"hello")
    assert world.read(caller, 5) == b"hello"
    (one,) = world.served
    assert one.built_for == one.peer == IPv4Address("TCP", *caller.getsockname())
    assert one.transport.getHost() == IPv4Address("TCP", *caller.getpeername())


def test_a_protocol_that_borrows_the_buffer_still_does(world: Behind) -> None:
    class Borrower(Served):
        borrows_buffer = True

        def dataReceived(self, data: Any) -> None:
            assert isinstance(data, memoryview)
            super().dataReceived(bytes(data))

    world.build = Borrower
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
    world.until(lambda: [len(one._framer._held) for one in world.transports] == held)
    burst = burst_of(world.reactor)
    turns: list[int] = []
    own = burst._run
    burst._run = lambda epoll: turns.append(1) or own(epoll)  # type: ignore[method-assign,func-returns-value]
    for _ in range(20):
        world.turn()
    assert turns == []


# ── who is refused ──────────────────────────────────────────────────────────────────────


def test_a_header_from_anybody_else_is_not_read(world: Behind) -> None:
    world.trusted = False
    world.open()
    world.call().send(LINE + b"hello")
    assert world.why() == PROXY_FROM
    assert world.asked == ["127.0.0.1"]
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
    secure = TLSOptions(lambda: context, lambda: seconds)
    world.open(ObservedTLS, tls=secure, **attributes)


@pytest.mark.parametrize("header", [LINE, BLOCK], ids=["v1", "v2"])
def test_a_handshake_may_follow_in_the_same_segment(
    world: Behind, authority: trustme.CA, header: bytes
) -> None:
    open_tls(world, authority)
    client = SecureCaller(world, authority)
    client.do(client.tls.do_handshake, before=header)
    client.do(lambda: client.tls.write(b"hello"))
    assert client.do(lambda: client.tls.read(5)) == b"hello"
    (one,) = world.served
    assert one.built_for == one.peer == ENDS[header][0]
    assert one.received == b"hello"


def test_the_protocol_waits_for_the_handshake_too(world: Behind, authority: trustme.CA) -> None:
    open_tls(world, authority, handshake_seconds=0.05)
    world.call().send(LINE)
    assert world.why() == HANDSHAKE_TIMEOUT
    assert [one.peer for one in world.served] == [None]


def test_a_handshake_without_a_header_is_refused(world: Behind, authority: trustme.CA) -> None:
    open_tls(world, authority)
    client = SecureCaller(world, authority)
    with pytest.raises(ssl.SSLWantReadError):
        client.tls.do_handshake()
    client.caller.send(client.outgoing.read())
    assert world.why() == BAD_PROXY_HEADER.because("this is something else")
    assert world.served == []


@pytest.mark.parametrize("data", [b"", LINE[:-1]], ids=["nothing", "half"])
def test_a_tls_caller_that_ends_within_the_header_is_let_go(
    world: Behind, authority: trustme.CA, data: bytes
) -> None:
    open_tls(world, authority)
    caller = world.call()
    caller.send(data)
    caller.close()
    assert world.why() == BAD_PROXY_HEADER.because("closed before its end")
    assert failures(world) == []


@pytest.mark.parametrize("method", ["drain", "loseConnection", "abortConnection"])
@pytest.mark.parametrize("secure", [False, True], ids=["tcp", "tls"])
def test_a_connection_without_its_header_closes_at_once(
    world: Behind, authority: trustme.CA, secure: bool, method: str
) -> None:
    if secure:
        open_tls(world, authority)
    else:
        world.open()
    world.call().send(LINE[:5])
    world.until(lambda: world.transports and world.transports[0]._framer._held)
    (transport,) = world.transports
    getattr(transport.protocol if method == "drain" else transport, method)()
    world.until(lambda: world.ended)
    assert failures(world) == []
