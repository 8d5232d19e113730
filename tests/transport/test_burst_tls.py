"""TLS straight on the socket: handshakes that take their time, names, certificates, endings."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import trustme
from OpenSSL import SSL
from twisted.internet.interfaces import IHalfCloseableProtocol, ISSLTransport
from twisted.internet.protocol import Factory, Protocol
from zope.interface import implementer

from socketsuite.reasons import HANDSHAKE_TIMEOUT
from socketsuite.transport import tls
from socketsuite.transport.burst import accelerate, burst_of
from socketsuite.transport.options import PortOptions, TLSOptions
from socketsuite.transport.tls import BurstTLSServer
from tests.transport.hand_turned import HandTurned

PATIENCE = 10.0


class Recorder(Protocol):
    transport: Any

    def __init__(self, made: list[Any]) -> None:
        self.received = b""
        self.lost: list[Any] = []
        self.connected_once = False
        made.append(self)

    def connectionMade(self) -> None:
        self.connected_once = True

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        self.transport.write(data)

    def connectionLost(self, reason: Any = None) -> None:
        self.lost.append(reason)


@dataclass
class Certificates:
    authority: trustme.CA
    server: trustme.LeafCert
    other: trustme.LeafCert

    def server_context(self, leaf: trustme.LeafCert | None = None) -> SSL.Context:
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        (leaf or self.server).configure_cert(context)
        return context

    def client_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        return context


@pytest.fixture(scope="module")
def certificates() -> Certificates:
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    issue = authority.issue_cert
    return Certificates(authority, issue("localhost"), issue("other.example"))


class World(HandTurned):
    """A TLS port."""

    def __init__(self, context: SSL.Context, handshake_seconds: float = 10.0) -> None:
        super().__init__()
        self.made: list[Any] = []
        self.context = context
        world = self

        self.protocol: Callable[[], Protocol] = lambda: Recorder(self.made)

        class Made(Factory):
            noisy = False

            def buildProtocol(self, addr: Any) -> Any:
                return world.protocol()

        listening = self.reactor.listenTCP(0, Made(), interface="127.0.0.1")
        secure = TLSOptions(lambda: world.context, lambda: handshake_seconds)
        self.port = accelerate(listening, PortOptions(tls=secure), BurstTLSServer)

    def secure(self, context: ssl.SSLContext, name: str = "localhost") -> ssl.SSLSocket:
        """Return a caller who has completed its handshake."""
        caller = context.wrap_socket(
            self.call(), server_hostname=name, do_handshake_on_connect=False
        )
        self.callers.append(caller)
        self.until(lambda: done(caller.do_handshake))
        return caller


def done(step: Callable[[], Any]) -> bool:
    try:
        step()
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
        return False
    return True


@pytest.fixture
def world(certificates: Certificates) -> Iterator[World]:
    made = World(certificates.server_context())
    yield made
    made.close()


def test_bytes_go_both_ways(world: World, certificates: Certificates) -> None:
    caller = world.secure(certificates.client_context())
    caller.send(b"hello")
    assert world.read(caller, 5) == b"hello"
    (server,) = world.made
    assert (server.transport.bytes_in, server.transport.bytes_out) == (5, 5)
    assert ISSLTransport.providedBy(server.transport)


def test_more_than_a_record_and_more_than_the_kernel_takes(
    world: World, certificates: Certificates
) -> None:
    caller = world.secure(certificates.client_context())
    text = bytes(range(256)) * 4096 * 8
    world.until(lambda: world.made[0].connected_once)
    world.made[0].transport.write(text)
    assert world.read(caller, len(text)) == text


def test_without_openssls_own_calls_those_of_its_binding_serve(
    world: World, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "_DIRECT", False)
    monkeypatch.delattr(tls, "_read")
    monkeypatch.delattr(tls, "_write")
    caller = world.secure(certificates.client_context())
    caller.send(b"hello")
    assert world.read(caller, 5) == b"hello"
    world.made[0].transport.write(b"x" * 100_000)
    assert world.read(caller, 100_000) == b"x" * 100_000


def test_the_protocol_is_connected_only_after_the_handshake(
    world: World, certificates: Certificates
) -> None:
    caller = certificates.client_context().wrap_socket(
        world.call(), server_hostname="localhost", do_handshake_on_connect=False
    )
    done(caller.do_handshake)
    world.until(lambda: world.made)
    assert not world.made[0].connected_once
    world.until(lambda: done(caller.do_handshake))
    world.until(lambda: world.made[0].connected_once)


def test_a_handshake_in_one_byte_pieces_blocks_nobody(
    world: World, certificates: Certificates
) -> None:
    """The slow one's bytes come one by one, and another is served meanwhile."""
    hello = client_hello(certificates)
    slow, quick = world.call(), world.secure(certificates.client_context())
    for index in range(len(hello)):
        slow.send(hello[index : index + 1])
        quick.send(b"x")
        assert world.read(quick, 1) == b"x"
    answered: list[bytes] = []

    def answer() -> list[bytes]:
        with contextlib.suppress(BlockingIOError):
            answered.append(slow.recv(4096))
        return answered

    world.until(answer)
    assert answered[0][:1] == b"\x16"  # a handshake record: the server goes on


def client_hello(certificates: Certificates) -> bytes:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = certificates.client_context().wrap_bio(incoming, outgoing, False, "localhost")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def test_a_handshake_has_a_deadline(certificates: Certificates) -> None:
    world = World(certificates.server_context(), handshake_seconds=0.05)
    caller = world.call()
    world.until(lambda: burst_of(world.reactor).members)
    (transport,) = burst_of(world.reactor).members.values()
    world.until(lambda: transport.disconnected)
    assert transport.why == HANDSHAKE_TIMEOUT
    assert not world.made[0].connected_once
    assert world.made[0].lost == []
    with pytest.raises(ConnectionResetError):
        caller.recv(1)
    world.close()


def test_garbage_costs_its_connection_alone(world: World, certificates: Certificates) -> None:
    good = world.secure(certificates.client_context())
    bad = world.call()
    bad.send(b"GET / HTTP/1.0\r\n\r\n")
    world.until(lambda: len(burst_of(world.reactor).members) == 1)
    good.send(b"fine")
    assert world.read(good, 4) == b"fine"
    assert [one.lost for one in world.made] == [[], []]


def test_the_peers_close_alert_is_its_half_close(certificates: Certificates) -> None:
    made: list[Any] = []

    @implementer(IHalfCloseableProtocol)
    class Answering(Recorder):
        def dataReceived(self, data: bytes) -> None:
            self.received += data

        def readConnectionLost(self) -> None:
            self.transport.write(b"all of " + self.received)
            self.transport.loseConnection()

        def writeConnectionLost(self) -> None:
            pass

    world = World(certificates.server_context())
    world.protocol = lambda: Answering(made)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    caller = certificates.client_context().wrap_bio(incoming, outgoing, False, "localhost")
    plain = world.call()

    def pump() -> None:
        if outgoing.pending:
            plain.send(outgoing.read())
        with contextlib.suppress(BlockingIOError):
            incoming.write(plain.recv(1 << 16))

    def step(action: Callable[[], Any]) -> bool:
        finished = done(action)
        pump()
        return finished

    world.until(lambda: step(caller.do_handshake))
    caller.write(b"it")
    with contextlib.suppress(ssl.SSLWantReadError):
        caller.unwrap()  # sends the alert; its answer comes behind what is still to be read
    pump()
    world.until(lambda: made and made[0].received == b"it")
    world.until(lambda: made[0].lost)
    assert made[0].transport.bytes_out == len(b"all of it")
    world.close()


def test_our_half_close_is_a_close_alert_and_reading_goes_on(
    world: World, certificates: Certificates
) -> None:
    context = certificates.client_context()
    caller = world.secure(context)
    world.until(lambda: world.made[0].connected_once)
    (server,) = world.made
    server.transport.write(b"last words")
    server.transport.loseWriteConnection()
    assert world.read(caller, 10) == b"last words"
    ended: list[bytes] = []

    def end() -> list[bytes]:
        with contextlib.suppress(ssl.SSLWantReadError):
            ended.append(caller.recv(1))
        return ended

    world.until(end)
    assert ended == [b""]
    caller.send(b"still talking")
    world.until(lambda: server.received == b"still talking")


def test_alpn_and_server_names_are_the_contexts_business(certificates: Certificates) -> None:
    context = certificates.server_context()
    other = certificates.server_context(certificates.other)
    context.set_alpn_select_callback(lambda _connection, offered: offered[-1])

    def choose(connection: SSL.Connection) -> None:
        if connection.get_servername() == b"other.example":
            connection.set_context(other)

    context.set_tlsext_servername_callback(choose)
    world = World(context)
    client = certificates.client_context()
    client.set_alpn_protocols(["one", "two"])
    caller = world.secure(client)
    assert caller.selected_alpn_protocol() == "two"
    world.until(lambda: world.made[0].connected_once)
    assert world.made[0].transport.negotiatedProtocol == b"two"
    assert world.secure(certificates.client_context(), "other.example").version()
    world.close()


def test_a_client_certificate_is_there_for_the_protocol(certificates: Certificates) -> None:
    context = certificates.server_context()
    certificates.authority.configure_trust(context)
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT)
    world = World(context)
    client = certificates.client_context()
    certificates.authority.issue_cert("me@example.org").configure_cert(client)
    caller = world.secure(client)
    caller.send(b"hello")
    assert world.read(caller, 5) == b"hello"
    certificate = world.made[0].transport.getPeerCertificate().to_cryptography()
    assert "trustme" in certificate.issuer.rfc4514_string()
    nameless = certificates.client_context().wrap_socket(
        world.call(), server_hostname="localhost", do_handshake_on_connect=False
    )

    def refused() -> bool:
        try:
            nameless.do_handshake()
            return nameless.recv(1) == b"never"
        except (ssl.SSLWantReadError, BlockingIOError):
            return False
        except OSError:
            return True

    world.until(refused)
    assert [one.connected_once for one in world.made] == [True, False]
    world.close()


def test_the_next_connection_gets_the_context_of_its_time(
    world: World, certificates: Certificates
) -> None:
    client = certificates.client_context()
    first = world.secure(client)
    world.context = certificates.server_context(certificates.other)
    second = world.secure(client, "other.example")
    for caller in (first, second):
        caller.send(b"x")
        assert world.read(caller, 1) == b"x"
