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
from tests.support.hand_turned import HandTurned

TIMEOUT = 10.0


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


class TLSPort(HandTurned):
    """A TLS port."""

    def __init__(self, context: SSL.Context, handshake_seconds: float = 10.0) -> None:
        super().__init__()
        self.made: list[Any] = []
        self.context = context
        tls_port = self

        self.protocol: Callable[[], Protocol] = lambda: Recorder(self.made)

        class Made(Factory):
            noisy = False

            def buildProtocol(self, addr: Any) -> Any:
                return tls_port.protocol()

        listening = self.reactor.listenTCP(0, Made(), interface="127.0.0.1")
        secure = TLSOptions(lambda: tls_port.context, lambda: handshake_seconds)
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
def tls_port(certificates: Certificates) -> Iterator[TLSPort]:
    made = TLSPort(certificates.server_context())
    yield made
    made.close()


def test_bytes_go_both_ways(tls_port: TLSPort, certificates: Certificates) -> None:
    caller = tls_port.secure(certificates.client_context())
    caller.send(b"hello")
    assert tls_port.read(caller, 5) == b"hello"
    (server,) = tls_port.made
    assert (server.transport.bytes_in, server.transport.bytes_out) == (5, 5)
    assert ISSLTransport.providedBy(server.transport)


def test_more_than_a_record_and_more_than_the_kernel_takes(
    tls_port: TLSPort, certificates: Certificates
) -> None:
    caller = tls_port.secure(certificates.client_context())
    text = bytes(range(256)) * 4096 * 8
    tls_port.until(lambda: tls_port.made[0].connected_once)
    tls_port.made[0].transport.write(text)
    assert tls_port.read(caller, len(text)) == text


def test_without_openssls_own_calls_those_of_its_binding_serve(
    tls_port: TLSPort, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "_DIRECT", False)
    monkeypatch.delattr(tls, "_read")
    monkeypatch.delattr(tls, "_write")
    caller = tls_port.secure(certificates.client_context())
    caller.send(b"hello")
    assert tls_port.read(caller, 5) == b"hello"
    tls_port.made[0].transport.write(b"x" * 100_000)
    assert tls_port.read(caller, 100_000) == b"x" * 100_000


def test_the_protocol_is_connected_only_after_the_handshake(
    tls_port: TLSPort, certificates: Certificates
) -> None:
    caller = certificates.client_context().wrap_socket(
        tls_port.call(), server_hostname="localhost", do_handshake_on_connect=False
    )
    done(caller.do_handshake)
    tls_port.until(lambda: tls_port.made)
    assert not tls_port.made[0].connected_once
    tls_port.until(lambda: done(caller.do_handshake))
    tls_port.until(lambda: tls_port.made[0].connected_once)


def test_a_handshake_in_one_byte_pieces_blocks_nobody(
    tls_port: TLSPort, certificates: Certificates
) -> None:
    """The slow one's bytes come one by one, and another is served meanwhile."""
    hello = client_hello(certificates)
    slow, quick = tls_port.call(), tls_port.secure(certificates.client_context())
    for index in range(len(hello)):
        slow.send(hello[index : index + 1])
        quick.send(b"x")
        assert tls_port.read(quick, 1) == b"x"
    answered: list[bytes] = []

    def answer() -> list[bytes]:
        with contextlib.suppress(BlockingIOError):
            answered.append(slow.recv(4096))
        return answered

    tls_port.until(answer)
    assert answered[0][:1] == b"\x16"  # a handshake record: the server goes on


def client_hello(certificates: Certificates) -> bytes:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = certificates.client_context().wrap_bio(incoming, outgoing, False, "localhost")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def test_a_handshake_has_a_deadline(certificates: Certificates) -> None:
    tls_port = TLSPort(certificates.server_context(), handshake_seconds=0.05)
    caller = tls_port.call()
    tls_port.until(lambda: burst_of(tls_port.reactor).members)
    (transport,) = burst_of(tls_port.reactor).members.values()
    tls_port.until(lambda: transport.disconnected)
    assert transport.why == HANDSHAKE_TIMEOUT
    assert not tls_port.made[0].connected_once
    assert tls_port.made[0].lost == []
    with pytest.raises(ConnectionResetError):
        caller.recv(1)
    tls_port.close()


def test_garbage_costs_its_connection_alone(tls_port: TLSPort, certificates: Certificates) -> None:
    good = tls_port.secure(certificates.client_context())
    bad = tls_port.call()
    bad.send(b"GET / HTTP/1.0\r\n\r\n")
    tls_port.until(lambda: len(burst_of(tls_port.reactor).members) == 1)
    good.send(b"fine")
    assert tls_port.read(good, 4) == b"fine"
    assert [one.lost for one in tls_port.made] == [[], []]


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

    tls_port = TLSPort(certificates.server_context())
    tls_port.protocol = lambda: Answering(made)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    caller = certificates.client_context().wrap_bio(incoming, outgoing, False, "localhost")
    plain = tls_port.call()

    def pump() -> None:
        if outgoing.pending:
            plain.send(outgoing.read())
        with contextlib.suppress(BlockingIOError):
            incoming.write(plain.recv(1 << 16))

    def step(action: Callable[[], Any]) -> bool:
        finished = done(action)
        pump()
        return finished

    tls_port.until(lambda: step(caller.do_handshake))
    caller.write(b"it")
    with contextlib.suppress(ssl.SSLWantReadError):
        caller.unwrap()  # sends the alert; its answer comes behind what is still to be read
    pump()
    tls_port.until(lambda: made and made[0].received == b"it")
    tls_port.until(lambda: made[0].lost)
    assert made[0].transport.bytes_out == len(b"all of it")
    tls_port.close()


def test_our_half_close_is_a_close_alert_and_reading_goes_on(
    tls_port: TLSPort, certificates: Certificates
) -> None:
    context = certificates.client_context()
    caller = tls_port.secure(context)
    tls_port.until(lambda: tls_port.made[0].connected_once)
    (server,) = tls_port.made
    server.transport.write(b"last words")
    server.transport.loseWriteConnection()
    assert tls_port.read(caller, 10) == b"last words"
    ended: list[bytes] = []

    def end() -> list[bytes]:
        with contextlib.suppress(ssl.SSLWantReadError):
            ended.append(caller.recv(1))
        return ended

    tls_port.until(end)
    assert ended == [b""]
    caller.send(b"still talking")
    tls_port.until(lambda: server.received == b"still talking")


def test_alpn_and_server_names_are_the_contexts_business(certificates: Certificates) -> None:
    context = certificates.server_context()
    other = certificates.server_context(certificates.other)
    context.set_alpn_select_callback(lambda _connection, offered: offered[-1])

    def choose(connection: SSL.Connection) -> None:
        if connection.get_servername() == b"other.example":
            connection.set_context(other)

    context.set_tlsext_servername_callback(choose)
    tls_port = TLSPort(context)
    client = certificates.client_context()
    client.set_alpn_protocols(["one", "two"])
    caller = tls_port.secure(client)
    assert caller.selected_alpn_protocol() == "two"
    tls_port.until(lambda: tls_port.made[0].connected_once)
    assert tls_port.made[0].transport.negotiatedProtocol == b"two"
    assert tls_port.secure(certificates.client_context(), "other.example").version()
    tls_port.close()


def test_a_client_certificate_is_there_for_the_protocol(certificates: Certificates) -> None:
    context = certificates.server_context()
    certificates.authority.configure_trust(context)
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT)
    tls_port = TLSPort(context)
    client = certificates.client_context()
    certificates.authority.issue_cert("me@example.org").configure_cert(client)
    caller = tls_port.secure(client)
    caller.send(b"hello")
    assert tls_port.read(caller, 5) == b"hello"
    certificate = tls_port.made[0].transport.getPeerCertificate().to_cryptography()
    assert "trustme" in certificate.issuer.rfc4514_string()
    nameless = certificates.client_context().wrap_socket(
        tls_port.call(), server_hostname="localhost", do_handshake_on_connect=False
    )

    def refused() -> bool:
        try:
            nameless.do_handshake()
            return nameless.recv(1) == b"never"
        except (ssl.SSLWantReadError, BlockingIOError):
            return False
        except OSError:
            return True

    tls_port.until(refused)
    assert [one.connected_once for one in tls_port.made] == [True, False]
    tls_port.close()


def test_the_next_connection_gets_the_context_of_its_time(
    tls_port: TLSPort, certificates: Certificates
) -> None:
    client = certificates.client_context()
    first = tls_port.secure(client)
    tls_port.context = certificates.server_context(certificates.other)
    second = tls_port.secure(client, "other.example")
    for caller in (first, second):
        caller.send(b"x")
        assert tls_port.read(caller, 1) == b"x"
