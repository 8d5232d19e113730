"""TLS on Twisted's own transport: the handshake as a gate in front of a factory.

A service sees a connection only when its handshake is complete, so a peer that stalls in
the middle of one, or has no right to a client certificate, never reaches it.  The burst
transport speaks TLS by itself (``transport/tls.py``) and needs none of this.  Knows nothing
of the service inside, nor where certificates come from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from OpenSSL import SSL
from twisted.internet.interfaces import (
    IDelayedCall,
    IHandshakeListener,
    IOpenSSLServerConnectionCreator,
    IProtocolFactory,
    IReactorTime,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import CertificateOptions
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from socketsuite.reasons import DECLINED, HANDSHAKE_TIMEOUT, Reason
from socketsuite.transport.tls import handshake_reason, stream_reason

_log = Logger(namespace="socketsuite")


def wrap(
    factory: IProtocolFactory,
    options: Callable[[], CertificateOptions],
    reactor: IReactorTime,
    seconds: Callable[[], float],
) -> IProtocolFactory:
    """Return a factory that speaks TLS and hands *factory* what comes out of it.

    :param options: returns the certificates for the next connection.
    :param seconds: returns how long its peer has for its handshake.
    """
    gate = _HandshakeFirstFactory(factory, reactor, seconds)
    wrapped = TLSMemoryBIOFactory(
        _Current(options), isClient=False, wrappedFactory=gate, clock=reactor
    )
    wrapped.protocol = _TLSProtocol
    wrapped.noisy = False
    return wrapped


@implementer(IOpenSSLServerConnectionCreator)
class _Current:
    """Gives each connection the certificates of its time."""

    def __init__(self, options: Callable[[], CertificateOptions]) -> None:
        self._options = options

    def serverConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        return self._options().serverConnectionForTLS(protocol)


class _TLSProtocol(TLSMemoryBIOProtocol):
    """Twisted's TLS layer, whose end says why, does come, and does not tear the stream.

    Twisted keeps OpenSSL's reason from the TCP connection below; leaves a paused producer
    with it, on which its close waits for ever; and hands it ``loseWriteConnection``, so that
    its FIN would pass what is still to be encrypted.  And it waits for the peer to answer a
    close alert, however long; who has sent one need not wait (RFC 8446, 6.1).  And what came
    with the end of the handshake would reach a protocol that has paused its transport.
    """

    _paused = _unread = False

    def _tlsShutdownFinished(self, reason: Failure | None) -> None:
        raw: Any = self.transport
        closed_by_us = self._handshakeDone and self.disconnecting
        if reason is not None and isinstance(reason.value, SSL.Error) and not closed_by_us:
            assert self._tlsConnection is not None
            raw.why = raw.why or (
                stream_reason(reason.value)
                if self._handshakeDone
                else handshake_reason(reason.value, self._tlsConnection)
            )
        elif reason is None and not self.disconnecting:
            raw.peer_finished = True
        super()._tlsShutdownFinished(reason)
        if self._producer is not None:
            # TCP's close would wait for the producer, and the producer for bytes to read.
            producer = self._producer
            self.unregisterProducer()
            producer.stopProducing()

    def pauseProducing(self) -> None:
        """Stop giving the protocol data, also what OpenSSL has been handed already."""
        self._paused = True
        raw: Any = self.transport
        raw.pauseProducing()

    def resumeProducing(self) -> None:
        """Go on."""
        self._paused = False
        raw: Any = self.transport
        raw.resumeProducing()
        if self._unread:
            self._unread = False
            self.factory._clock.callLater(0, self._flushReceiveBIO)

    def _flushReceiveBIO(self) -> None:
        if self._paused and not self.disconnecting:
            self._unread = True
            self._flushSendBIO()
        elif self._tlsConnection is not None:
            super()._flushReceiveBIO()

    def _shutdownTLS(self) -> None:
        super()._shutdownTLS()
        raw: Any = self.transport
        raw.loseConnection()

    def loseWriteConnection(self) -> None:
        self.loseConnection()


class _HandshakeFirstFactory(Factory):
    noisy = False

    def __init__(
        self, inner: IProtocolFactory, reactor: IReactorTime, seconds: Callable[[], float]
    ) -> None:
        self.inner = inner
        self.reactor = reactor
        self.seconds = seconds

    def buildProtocol(self, addr: Any) -> Protocol:
        return _HandshakeFirst(self, addr)


@implementer(IHandshakeListener)
class _HandshakeFirst(Protocol):
    """Stands in for the service's protocol until the handshake is done."""

    stands_in = True
    _deadline: IDelayedCall | None = None

    def __init__(self, factory: _HandshakeFirstFactory, address: Any) -> None:
        self._factory = factory
        self._address = address

    def connectionMade(self) -> None:
        self._deadline = self._factory.reactor.callLater(self._factory.seconds(), self._late)

    def _late(self) -> None:
        self._deadline = None
        self._abort(HANDSHAKE_TIMEOUT)

    def drain(self) -> None:
        """Nobody has been served yet: there is nothing to finish."""
        self._abort()

    def _abort(self, why: Reason | None = None) -> None:
        raw: Any = self.transport.transport  # type: ignore[union-attr]
        if why is None:
            raw.abortConnection()
        else:
            raw.abort(why)

    def handshakeCompleted(self) -> None:
        """Step aside: the TLS layer's protocol is the service's from here on."""
        self._cancel()
        tls: Any = self.transport
        try:
            protocol = self._factory.inner.buildProtocol(self._address)
        except Exception:  # noqa: BLE001 - a stranger's code: it costs this connection alone
            _log.failure("buildProtocol raised")
            protocol = None
        if protocol is None:
            tls.transport.why = tls.transport.why or DECLINED
            tls.loseConnection()
            return
        tls.wrappedProtocol = protocol
        protocol.makeConnection(tls)
        if IHandshakeListener.providedBy(protocol) and tls.connected and not tls.disconnecting:
            protocol.handshakeCompleted()

    def connectionLost(self, reason: Any = None) -> None:
        self._cancel()

    def _cancel(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
