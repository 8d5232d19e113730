"""TLS on Twisted's own transport: what becomes of a producer when the stream ends."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from OpenSSL import SSL
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.tcp import Server
from zope.interface import implementer

from socketsuite.daemon.serve.tls_admission import wrap
from tests.support.hand_turned import HandTurned
from tests.support.served_port import TLSCaller, server_context


@implementer(IPushProducer)
class Producer:
    def __init__(self) -> None:
        self.calls: list[str] = []

    def pauseProducing(self) -> None:
        self.calls.append("pause")

    def resumeProducing(self) -> None:
        self.calls.append("resume")

    def stopProducing(self) -> None:
        self.calls.append("stop")


class Service(Protocol):
    def __init__(self) -> None:
        self.producer = Producer()
        self.lost = 0

    def connectionMade(self) -> None:
        self.transport.registerProducer(self.producer, True)  # type: ignore[union-attr]

    def connectionLost(self, reason: Any = None) -> None:
        self.lost += 1


class Watched(Server):
    """Has what the admission writes on the transport below."""

    why = None
    peer_finished = False


class Certificates:
    def serverConnectionForTLS(self, protocol: Any) -> Any:
        return SSL.Connection(server_context(), None)


class AdmittingPort(HandTurned):
    def __init__(self) -> None:
        super().__init__()
        self.made: list[Service] = []
        factory: Any = Factory()
        factory.noisy = False
        factory.buildProtocol = self._build
        options: Any = Certificates
        wrapped = wrap(factory, options, self.reactor, lambda: 10.0)
        self.port = self.reactor.listenTCP(0, wrapped, interface="127.0.0.1")
        self.port.transport = Watched

    def _build(self, address: Any) -> Service:
        self.made.append(Service())
        return self.made[-1]

    def connect(self) -> TLSCaller:
        caller = TLSCaller(self.call())

        def served() -> bool:
            caller.raw.sendall(caller.flight())
            return bool(self.made)

        self.until(served)
        return caller


@pytest.mark.parametrize("paused", [False, True])
def test_a_producer_is_stopped_once_when_the_peer_ends_the_stream(paused: bool) -> None:
    admitting = AdmittingPort()
    try:
        caller = admitting.connect()
        (service,) = admitting.made
        if paused:
            tls: Any = service.transport
            while "pause" not in service.producer.calls:
                tls.write(b"x" * 100_000)
        with contextlib.suppress(Exception):
            caller.tls.unwrap()  # the close alert; no answer is waited for
        caller.raw.sendall(caller._unsent.read())
        admitting.until(lambda: "stop" in service.producer.calls)
        caller.raw.close()
        admitting.until(lambda: service.lost)
        assert service.producer.calls.count("stop") == 1
        assert service.lost == 1
    finally:
        admitting.close()
