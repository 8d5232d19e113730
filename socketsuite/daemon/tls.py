"""TLS around a factory: certificates as settings, the handshake as a gate.

A service sees a connection only when its handshake is complete, so a peer that stalls in
the middle of one, or has no right to a client certificate, never reaches it.  Knows
nothing of the service inside.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from OpenSSL import SSL, crypto
from twisted.internet.interfaces import (
    IDelayedCall,
    IHandshakeListener,
    IProtocolFactory,
    IReactorTime,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import CertificateOptions, TLSVersion
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from zope.interface import implementer

from socketsuite.daemon.errors import StartError, cause_text
from socketsuite.observe.addresses import path_text
from socketsuite.settings import setting
from socketsuite.transport.tls import HANDSHAKE_LATE


@dataclass(eq=False)
class TLSSettings:
    """TLS."""

    tls_cert: Path | None = setting(
        None, "speak TLS on every --port, with this certificate chain (PEM)", metavar="FILE"
    )
    tls_key: Path | None = setting(
        None,
        "its private key (PEM); not needed when the certificate's file holds it too",
        metavar="FILE",
    )
    tls_client_ca: Path | None = setting(
        None,
        "let in only clients whose certificate one of these authorities signed (PEM)",
        metavar="FILE",
    )


def load_context(settings: TLSSettings) -> CertificateOptions | None:
    """Return the TLS configuration that *settings* describe, ``None`` for no TLS at all.

    TLS 1.2 and up.

    :raises StartError: naming the file, and what is wrong with it.
    """
    if settings.tls_cert is None:
        for name, value in (("key", settings.tls_key), ("client-ca", settings.tls_client_ca)):
            if value is not None:
                raise StartError(f"--tls-{name} needs --tls-cert FILE beside it")
        return None
    chain = _certificates(settings.tls_cert, "--tls-cert")
    key = _private_key(settings.tls_key or settings.tls_cert)
    options = CertificateOptions(
        privateKey=key,
        certificate=chain[0],
        extraCertChain=chain[1:],
        raiseMinimumTo=TLSVersion.TLSv1_2,
        **_client_verification(settings.tls_client_ca),
    )
    try:
        options.getContext().check_privatekey()
    except SSL.Error:
        raise StartError(
            f"the key in {path_text(settings.tls_key or settings.tls_cert)} does not belong to"
            f" the certificate in {path_text(settings.tls_cert)}"
        ) from None
    return options


def _client_verification(authorities: Path | None) -> dict[str, Any]:
    if authorities is None:
        return {}
    return {
        "verify": True,
        "requireCertificate": True,
        "caCerts": _certificates(authorities, "--tls-client-ca"),
    }


def _read(path: Path, flag: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StartError(f"cannot read {path_text(path)} ({flag}): {cause_text(error)}") from None


def _certificates(path: Path, flag: str) -> list[crypto.X509]:
    end = b"-----END CERTIFICATE-----"
    blocks = [block + end for block in _read(path, flag).split(end)[:-1]]
    try:
        found = [crypto.load_certificate(crypto.FILETYPE_PEM, block) for block in blocks]
    except (crypto.Error, ValueError):
        found = []
    if not found:
        raise StartError(f"{path_text(path)} ({flag}) holds no certificate in PEM form")
    return found


def _private_key(path: Path) -> crypto.PKey:
    # An empty passphrase instead of OpenSSL's own prompt, which would wait at a terminal.
    try:
        return crypto.load_privatekey(crypto.FILETYPE_PEM, _read(path, "--tls-key"), b"")
    except (crypto.Error, ValueError, TypeError):
        raise StartError(
            f"{path_text(path)} (--tls-key) holds no unencrypted private key in PEM form"
        ) from None


def wrap(
    factory: IProtocolFactory, options: CertificateOptions, reactor: IReactorTime, seconds: float
) -> IProtocolFactory:
    """Return a factory that speaks TLS and hands *factory* what comes out of it.

    :param seconds: how long a peer has for its handshake.

    For Twisted's own transport; the burst transport speaks TLS by itself.
    """
    gate = _HandshakeGateFactory(factory, reactor, seconds)
    wrapped = TLSMemoryBIOFactory(options, isClient=False, wrappedFactory=gate, clock=reactor)
    wrapped.protocol = _TLSProtocol
    wrapped.noisy = False
    return wrapped


class _TLSProtocol(TLSMemoryBIOProtocol):
    """Twisted's TLS layer, without a half-close that would tear the stream.

    Twisted hands ``loseWriteConnection`` to the TCP connection below, whose FIN would pass
    what is still to be encrypted.  And it waits for the peer to answer a close alert, however
    long; who has sent one need not wait (RFC 8446, 6.1).
    """

    def _shutdownTLS(self) -> None:
        super()._shutdownTLS()
        raw: Any = self.transport
        raw.loseConnection()

    def loseWriteConnection(self) -> None:
        self.loseConnection()


class _HandshakeGateFactory(Factory):
    noisy = False

    def __init__(self, inner: IProtocolFactory, reactor: IReactorTime, seconds: float) -> None:
        self.inner = inner
        self.reactor = reactor
        self.seconds = seconds

    def buildProtocol(self, addr: Any) -> Protocol:
        return _HandshakeGate(self, addr)


@implementer(IHandshakeListener)
class _HandshakeGate(Protocol):
    """Stands in for the service's protocol until the handshake is done."""

    _deadline: IDelayedCall | None = None

    def __init__(self, factory: _HandshakeGateFactory, address: Any) -> None:
        self._factory = factory
        self._address = address

    def connectionMade(self) -> None:
        self._deadline = self._factory.reactor.callLater(self._factory.seconds, self._late)

    def _late(self) -> None:
        self._deadline = None
        raw: Any = self.transport.transport  # type: ignore[union-attr]
        raw.why = HANDSHAKE_LATE
        raw.abortConnection()

    def handshakeCompleted(self) -> None:
        """Step aside: the TLS layer's protocol is the service's from here on."""
        self._cancel()
        tls: Any = self.transport
        protocol = self._factory.inner.buildProtocol(self._address)
        if protocol is None:
            tls.loseConnection()
            return
        tls.wrappedProtocol = protocol
        protocol.makeConnection(tls)

    def connectionLost(self, reason: Any = None) -> None:
        self._cancel()

    def _cancel(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
