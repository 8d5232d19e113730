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
from tests.transport.plain_port import PlainPort

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


class ProxiedPort(PlainPort):
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
        proxied = self

        class Service(Factory):
            noisy = False

            def startFactory(self) -> None:
                proxied.life.append("start")

            def stopFactory(self) -> None:
                proxied.life.append("stop")

            def buildProtocol(self, addr: Any) -> Any:
                protocol = proxied.build(addr)
                if protocol is not None:
                    proxied.served.append(protocol)
                return protocol

        class Server(Proxied, base):
            def __init__(self, *arguments: Any) -> None:
                super().__init__(*arguments)
                proxied.transports.append(self)

            def connectionLost(self, reason: Any) -> None:
                super().connectionLost(reason)
                proxied.ended.append(self)

        def trusted(host: str) -> bool:
            proxied.asked.append(host)
            return proxied.trusted

        seconds = changes.pop("header_seconds", 5.0)
        refusal = changes.pop("refusal", lambda _: proxied.refusal)
        proxy = ProxyOptions(trusted, refusal, proxied.admitted.append, seconds)
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
def proxied() -> Iterator[ProxiedPort]:
    made = ProxiedPort()
    log.addObserver(made.logged.append)
    yield made
    log.removeObserver(made.logged.append)
    made.close()
    assert [call for call in made.reactor.getDelayedCalls() if call.active()] == []


def failures(proxied: ProxiedPort) -> list[Any]:
    return [event["failure"].type for event in proxied.logged if event["isError"]]


# ── the header and what follows it ──────────────────────────────────────────────────────


@pytest.mark.parametrize("header", [LINE, BLOCK], ids=["v1", "v2"])
def test_a_header_split_at_every_byte_names_the_client(proxied: ProxiedPort, header: bytes) -> None:
    proxied.open()
    for count, cut in enumerate(range(1, len(header))):
        caller = proxied.call()
        caller.send(header[:cut])
        proxied.until(lambda: len(proxied.transports) == count + 1)  # noqa: B023
        framer = proxied.transports[-1]._framer
        proxied.until(lambda: len(framer._held) == cut)  # noqa: B023
        assert len(proxied.served) == count
        caller.send(header[cut:] + b"hello")
        assert proxied.read(caller, 5) == b"hello"
    for one in proxied.served:
        assert (one.transport.getPeer(), one.transport.getHost()) == ENDS[header]
        assert one.built_for == one.peer == ENDS[header][0]
        assert one.received == b"hello"
        assert one.transport.bytes_in == 5


@pytest.mark.parametrize("header", [LINE, BLOCK], ids=["v1", "v2"])
def test_a_header_that_comes_byte_by_byte_names_the_client(
    proxied: ProxiedPort, header: bytes
) -> None:
    proxied.open()
    caller = proxied.call()
    caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in header:
        caller.send(bytes([byte]))
        proxied.turn()
    proxied.until(lambda: proxied.served)
    assert proxied.served[0].peer == ENDS[header][0]


def test_a_second_header_is_the_services_bytes(proxied: ProxiedPort) -> None:
    proxied.open()
    caller = proxied.call()
    caller.send(LINE + LINE)
    assert proxied.read(caller, len(LINE)) == LINE
    assert proxied.served[0].received == LINE


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN ::1 ::1 1 1\r\n", LOCAL], ids=["v1", "v2"])
def test_a_header_without_a_client_leaves_the_real_peer(
    proxied: ProxiedPort, header: bytes
) -> None:
    proxied.open()
    caller = proxied.call()
    caller.send(header + b"hello")
    assert proxied.read(caller, 5) == b"hello"
    (one,) = proxied.served
    assert one.built_for == one.peer == IPv4Address("TCP", *caller.getsockname())
    assert one.transport.getHost() == IPv4Address("TCP", *caller.getpeername())


def test_a_protocol_that_borrows_the_buffer_still_does(proxied: ProxiedPort) -> None:
    class Borrower(Served):
        borrows_buffer = True

        def dataReceived(self, data: Any) -> None:
            assert isinstance(data, memoryview)
            super().dataReceived(bytes(data))

    proxied.build = Borrower
    proxied.open()
    caller = proxied.call()
    caller.send(LINE + b"hello")
    assert proxied.read(caller, 5) == b"hello"


def test_half_a_header_keeps_nobody_busy(proxied: ProxiedPort) -> None:
    proxied.open()
    for part in (LINE[:20], BLOCK[:14], BLOCK[:30]):
        proxied.call().send(part)
    proxied.until(lambda: len(proxied.transports) == 3)
    held = [len(part) for part in (LINE[:20], BLOCK[:14], BLOCK[:30])]
    proxied.until(lambda: [len(one._framer._held) for one in proxied.transports] == held)
    burst = burst_of(proxied.reactor)
    turns: list[int] = []
    own = burst._run
    burst._run = lambda epoll: turns.append(1) or own(epoll)  # type: ignore[method-assign,func-returns-value]
    for _ in range(20):
        proxied.turn()
    assert turns == []


# ── who is refused ──────────────────────────────────────────────────────────────────────


def test_a_header_from_anybody_else_is_not_read(proxied: ProxiedPort) -> None:
    proxied.trusted = False
    proxied.open()
    proxied.call().send(LINE + b"hello")
    assert proxied.why() == PROXY_FROM
    assert proxied.asked == ["127.0.0.1"]
    assert proxied.transports[0].header is None
    assert proxied.served == []


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (b"hello", "this is something else"),
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n", "not a port"),
        (SIGNATURE + b"\x31\x11\x00\x00", "binary, but of version 3"),
    ],
)
def test_without_a_good_header_nobody_is_served(
    proxied: ProxiedPort, data: bytes, detail: str
) -> None:
    proxied.open()
    proxied.call().send(data)
    assert proxied.why() == BAD_PROXY_HEADER.because(detail)
    assert proxied.served == []
    assert failures(proxied) == []


@pytest.mark.parametrize("part", [b"", LINE[:-1], BLOCK[:20]], ids=["nothing", "v1", "v2"])
def test_a_caller_that_ends_within_the_header_is_let_go(proxied: ProxiedPort, part: bytes) -> None:
    proxied.open()
    caller = proxied.call()
    caller.send(part)
    caller.shutdown(socket.SHUT_WR)
    assert proxied.why() == BAD_PROXY_HEADER.because("closed before its end")
    assert proxied.served == []


def test_a_header_that_does_not_come_in_time_ends_the_connection(proxied: ProxiedPort) -> None:
    proxied.open(header_seconds=0.05)
    proxied.call().send(LINE[:-1])
    assert proxied.why() == PROXY_HEADER_TIMEOUT


def test_a_client_that_is_served_has_no_deadline_any_more(proxied: ProxiedPort) -> None:
    proxied.open(header_seconds=30)
    caller = proxied.call()
    proxied.until(lambda: proxied.reactor.getDelayedCalls())
    caller.send(LINE)
    proxied.until(lambda: proxied.served)
    assert proxied.reactor.getDelayedCalls() == []


def test_a_service_that_closes_does_so_when_its_answer_is_out(proxied: ProxiedPort) -> None:
    proxied.open()
    caller = proxied.call()
    caller.send(LINE + b"hello")
    proxied.until(lambda: proxied.served and proxied.served[0].received)
    (served,) = proxied.served
    served.transport.write(b" and goodbye")
    served.transport.loseConnection()
    assert proxied.read(caller, 17) == b"hello and goodbye"
    proxied.until(lambda: served.lost)


def test_admission_is_asked_about_the_real_client(proxied: ProxiedPort) -> None:
    seen: list[Any] = []

    def refusal(transport: Any) -> Reason:
        seen.append((transport.getPeer(), transport.getHost()))
        return DENY

    proxied.open(refusal=refusal)
    proxied.call().send(LINE + b"hello")
    assert proxied.why() == DENY
    assert proxied.admitted == []
    assert seen == [ENDS[LINE]]
    assert proxied.served == []


def test_a_factory_that_makes_no_protocol_ends_the_connection(proxied: ProxiedPort) -> None:
    proxied.build = lambda addr: None
    proxied.open()
    proxied.call().send(LINE)
    assert proxied.why() == DECLINED
    assert proxied.admitted == []
    assert failures(proxied) == []


def test_a_factory_that_raises_costs_that_connection_alone(proxied: ProxiedPort) -> None:
    def build(addr: Any) -> Served:
        if addr.host == "192.0.2.1":
            raise ValueError("not him")
        return Served(addr)

    proxied.build = build
    proxied.open()
    proxied.call().send(LINE)
    proxied.until(lambda: proxied.ended)
    good = proxied.call()
    good.send(BLOCK + b"hello")
    assert proxied.read(good, 5) == b"hello"
    assert failures(proxied) == [ValueError]


def test_the_factory_starts_and_stops_with_its_port(proxied: ProxiedPort) -> None:
    proxied.open()
    assert proxied.life == ["start"]
    proxied.port.stopListening()
    proxied.until(lambda: proxied.life == ["start", "stop"])


# ── TLS after the header ────────────────────────────────────────────────────────────────


class SecureCaller:
    """A TLS client whose bytes pass through the test's hands."""

    def __init__(self, proxied: ProxiedPort, authority: trustme.CA) -> None:
        context = ssl.create_default_context()
        authority.configure_trust(context)
        self.proxied, self.caller = proxied, proxied.call()
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

        self.proxied.until(taken)
        return outcome[0]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def open_tls(proxied: ProxiedPort, authority: trustme.CA, **attributes: Any) -> None:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    authority.issue_cert("localhost").configure_cert(context)
    seconds = attributes.pop("handshake_seconds", 10.0)
    secure = TLSOptions(lambda: context, lambda: seconds)
    proxied.open(ObservedTLS, tls=secure, **attributes)


@pytest.mark.parametrize("header", [LINE, BLOCK], ids=["v1", "v2"])
def test_a_handshake_may_follow_in_the_same_segment(
    proxied: ProxiedPort, authority: trustme.CA, header: bytes
) -> None:
    open_tls(proxied, authority)
    client = SecureCaller(proxied, authority)
    client.do(client.tls.do_handshake, before=header)
    client.do(lambda: client.tls.write(b"hello"))
    assert client.do(lambda: client.tls.read(5)) == b"hello"
    (one,) = proxied.served
    assert one.built_for == one.peer == ENDS[header][0]
    assert one.received == b"hello"


def test_the_protocol_waits_for_the_handshake_too(
    proxied: ProxiedPort, authority: trustme.CA
) -> None:
    open_tls(proxied, authority, handshake_seconds=0.05)
    proxied.call().send(LINE)
    assert proxied.why() == HANDSHAKE_TIMEOUT
    assert [one.peer for one in proxied.served] == [None]


def test_a_handshake_without_a_header_is_refused(
    proxied: ProxiedPort, authority: trustme.CA
) -> None:
    open_tls(proxied, authority)
    client = SecureCaller(proxied, authority)
    with pytest.raises(ssl.SSLWantReadError):
        client.tls.do_handshake()
    client.caller.send(client.outgoing.read())
    assert proxied.why() == BAD_PROXY_HEADER.because("this is something else")
    assert proxied.served == []


@pytest.mark.parametrize("data", [b"", LINE[:-1]], ids=["nothing", "half"])
def test_a_tls_caller_that_ends_within_the_header_is_let_go(
    proxied: ProxiedPort, authority: trustme.CA, data: bytes
) -> None:
    open_tls(proxied, authority)
    caller = proxied.call()
    caller.send(data)
    caller.close()
    assert proxied.why() == BAD_PROXY_HEADER.because("closed before its end")
    assert failures(proxied) == []


@pytest.mark.parametrize("method", ["drain", "loseConnection", "abortConnection"])
@pytest.mark.parametrize("secure", [False, True], ids=["tcp", "tls"])
def test_a_connection_without_its_header_closes_at_once(
    proxied: ProxiedPort, authority: trustme.CA, secure: bool, method: str
) -> None:
    if secure:
        open_tls(proxied, authority)
    else:
        proxied.open()
    proxied.call().send(LINE[:5])
    proxied.until(lambda: proxied.transports and proxied.transports[0]._framer._held)
    (transport,) = proxied.transports
    getattr(transport.protocol if method == "drain" else transport, method)()
    proxied.until(lambda: proxied.ended)
    assert failures(proxied) == []
