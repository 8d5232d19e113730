"""TLS as a service meets it on either transport: the handshake's end, a pause, how it all ends."""

from __future__ import annotations

import contextlib
import ssl
from pathlib import Path

import pytest
import trustme

from socketsuite.testing import Daemon, read_line
from tests.daemons.conftest import Start
from tests.daemons.handshakes import Caller
from tests.support.stranger import package

SERVICE = """
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import Factory, Protocol
from zope.interface import implementer


@implementer(IHandshakeListener)
class OwnEvent(Protocol):
    told = b""
    paused = False

    def connectionMade(self):
        self.told += b"made,"
        self.transport.pauseProducing()
        self.paused = True
        self.factory.reactor.callLater(0.3, self.resume)

    def handshakeCompleted(self):
        self.told += b"handshake,"

    def resume(self):
        self.paused = False
        self.transport.resumeProducing()

    def dataReceived(self, data):
        self.told += b"paused," if self.paused else b"data,"
        self.transport.write(self.told + b"\\n")
        if b"bye" in data:
            self.transport.loseConnection()


def factory(reactor):
    made = Factory.forProtocol(OwnEvent)
    made.reactor = reactor
    return made
"""


@pytest.fixture(params=["burst", "twisted"])
def daemon(request: pytest.FixtureRequest, serve: Start, tmp_path: Path) -> Daemon:
    authority = trustme.CA()
    leaf = authority.issue_cert("localhost")
    leaf.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "cert.pem"))
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    certificate = ("--tls-cert", str(tmp_path / "cert.pem"), "--transport", request.param)
    return serve("acme-service", *certificate, env=package(tmp_path, SERVICE))


def test_the_handshakes_end_is_told_and_a_paused_protocol_is_given_nothing(
    daemon: Daemon, tmp_path: Path
) -> None:
    """The first data comes in one segment with the end of the handshake."""
    context = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    with Caller(daemon, context) as caller:
        caller.socket.sendall(caller.flight())
        while not caller.secured:
            caller._heard.write(caller.socket.recv(1 << 16))
            last = caller.flight()
        caller.tls.write(b"hello")
        caller.socket.sendall(last + caller._unsent.read())
        said = b""
        while not said.endswith(b"\n"):
            caller._heard.write(caller.socket.recv(1 << 16))
            try:
                said += caller.tls.read(1 << 16)
            except ssl.SSLWantReadError:
                continue
        assert said == b"made,handshake,data,\n"


def test_a_close_by_the_service_is_told_as_that(daemon: Daemon, tmp_path: Path) -> None:
    context = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    plain = daemon.connect(port=daemon.port("tls"))
    with context.wrap_socket(plain, server_hostname="localhost") as caller:
        caller.sendall(b"bye")
        assert read_line(caller) == b"made,handshake,data,\n"
        assert caller.recv(1) == b""
    daemon.wait_for_line("closed .*reason=closed_by_service")


RAISES = """
from twisted.internet.protocol import Factory


class Raises(Factory):
    def buildProtocol(self, addr):
        raise ZeroDivisionError


def factory():
    return Raises()
"""


@pytest.mark.parametrize("transport", ["burst", "twisted"])
def test_a_factory_that_raises_has_declined(serve: Start, tmp_path: Path, transport: str) -> None:
    issued = trustme.CA().issue_cert("localhost")
    issued.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "cert.pem"))
    certificate = ("--tls-cert", str(tmp_path / "cert.pem"), "--transport", transport)
    daemon = serve("acme-service", *certificate, env=package(tmp_path, RAISES))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    plain = daemon.connect(port=daemon.port("tls"))
    with contextlib.suppress(OSError), context.wrap_socket(plain) as caller:
        caller.recv(1)
    daemon.wait_for_line("reason=declined")
    daemon.wait_for_line("ZeroDivisionError")
