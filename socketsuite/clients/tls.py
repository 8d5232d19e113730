"""TLS for a client: whom to trust, who we are, half-closing, and failures in plain words.

OpenSSL verifies the chain and ``service-identity`` the name (RFC 9525).  Twisted's own
``optionsForClientTLS`` does the same, but keeps to itself why a chain was refused.

This module must not know what is said over the connection.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from OpenSSL import SSL, crypto
from service_identity import CertificateError, VerificationError
from service_identity.hazmat import DNS_ID, IPAddress_ID, verify_service_identity
from service_identity.pyopenssl import extract_patterns
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IProtocolFactory,
    IReactorTime,
)
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    TLSVersion,
    platformTrust,
    trustRootFromCertificates,
)
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from zope.interface import implementer

from socketsuite.clients.failed import Failed, os_cause
from socketsuite.clients.options import TLSChoice

# What X509_verify_cert() finds, by number (<openssl/x509_vfy.h>).
_VERDICTS = {
    9: "its certificate is not valid yet",
    10: "its certificate has expired",
    18: "its certificate is self-signed and not trusted here (--cafile FILE would trust it)",
    23: "its certificate has been revoked",
    26: "its certificate is not one for servers",
}
_UNTRUSTED = "its certificate is signed by nobody trusted here (--cafile FILE trusts another)"

# How OpenSSL puts what went wrong, and what it means to the user.
_WORDS = {
    "alert certificate required": "it wants a client certificate (--cert)",
    "alert handshake failure": "it found no common ground, or wants a client certificate (--cert)",
    "alert bad certificate": "it refused our certificate",
    "alert certificate expired": "it says that our certificate has expired",
    "alert certificate revoked": "it says that our certificate has been revoked",
    "alert unknown ca": "it does not trust the authority that signed our certificate",
    "alert protocol version": "it speaks no version of TLS that is safe",
    "unsupported protocol": "it speaks no version of TLS that is safe",
    "unrecognized name": "it does not know that name (--tls-name)",
    "wrong version number": "it does not speak TLS",
    "packet length too long": "it does not speak TLS",
    "record layer failure": "it does not speak TLS",
}


class HalfClosableTLS(TLSMemoryBIOProtocol):
    """TLS that can end its own sending and go on receiving, as RFC 8446 section 6.1 allows.

    Twisted's own would shut the TCP connection under the TLS, which the server must take
    for an attack.
    """

    def loseWriteConnection(self) -> None:
        """Send the ``close_notify`` alert; to be called with no producer registered."""
        connection = self.getHandle()
        with suppress(SSL.Error):
            connection.shutdown()
        with suppress(SSL.WantReadError):
            self.transport.write(connection.bio_read(1 << 15))  # type: ignore[union-attr]


@implementer(IOpenSSLClientConnectionCreator)
class ClientTLS:
    """One connection's TLS: the choices made concrete, and what went wrong with it.

    :raises Failed: naming the file that does not hold what it should.
    """

    def __init__(self, choice: TLSChoice) -> None:
        self._name = choice.name
        self._identity = _identity(choice.name)
        self._verdict: str | None = None
        trust: Any = platformTrust()
        if choice.cafile is not None:
            trust = trustRootFromCertificates(_certificates(choice.cafile))
        self._options = CertificateOptions(
            trustRoot=trust, raiseMinimumTo=TLSVersion.TLSv1_2, **_own_certificate(choice)
        )

    def wrap(self, factory: IProtocolFactory, reactor: IReactorTime) -> IProtocolFactory:
        """Return a factory that speaks TLS and hands *factory* what comes out of it."""
        wrapped = TLSMemoryBIOFactory(self, True, factory, clock=reactor)
        wrapped.protocol = HalfClosableTLS
        return wrapped

    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """Return a connection whose handshake fails unless the server is who it should be."""
        connection = self._options.clientConnectionForTLS(tlsProtocol)
        if isinstance(self._identity, DNS_ID):  # RFC 6066: an address is never sent
            connection.set_tlsext_host_name(self._identity.hostname)
        connection.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, self._verify)
        return connection

    def _verify(
        self, _connection: SSL.Connection, certificate: crypto.X509, error: int, depth: int, ok: int
    ) -> bool:
        """Judge one certificate of the chain, after OpenSSL has; depth 0 is the server's."""
        if not ok:
            self._verdict = _VERDICTS.get(error, _UNTRUSTED)
            return False
        if depth == 0:
            try:
                verify_service_identity(extract_patterns(certificate), [self._identity], [])
            except (VerificationError, CertificateError):
                self._verdict = f"its certificate is not for {self._name}"
                return False
        return True

    def cause(self, error: BaseException) -> str | None:
        """Return why TLS failed, in plain words; ``None`` if *error* is not TLS's."""
        if not isinstance(error, SSL.Error):
            return None
        if self._verdict is not None:
            return f"TLS: {self._verdict}"
        said = str(error.args[0][-1][-1]) if error.args and error.args[0] else "failed"
        known = (words for sign, words in _WORDS.items() if sign in said)
        return f"TLS: {next(known, said)}"


def _identity(name: str) -> DNS_ID | IPAddress_ID:
    try:
        return IPAddress_ID(name.partition("%")[0])
    except ValueError:
        pass
    try:
        return DNS_ID(name)
    except ValueError:
        raise Failed(f"{name} is not a name that a certificate can be for") from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Failed(f"cannot read {path}: {os_cause(error)}") from None


def _certificates(path: Path) -> list[Certificate]:
    try:
        found = x509.load_pem_x509_certificates(_read(path))
    except ValueError:
        raise Failed(f"{path} holds no certificate in PEM form") from None
    return [Certificate(crypto.X509.from_cryptography(one)) for one in found]


def _own_certificate(choice: TLSChoice) -> dict[str, Any]:
    if choice.cert is None:
        return {}
    chain = [certificate.original for certificate in _certificates(choice.cert)]
    path = choice.key or choice.cert
    try:
        private = serialization.load_pem_private_key(_read(path), None)
        key = crypto.PKey.from_cryptography_key(private)  # type: ignore[arg-type]
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Failed(f"{path} holds no unencrypted private key in PEM form") from None
    if private.public_key() != chain[0].to_cryptography().public_key():
        raise Failed(f"the key in {path} does not belong to the certificate in {choice.cert}")
    return {"privateKey": key, "certificate": chain[0], "extraCertChain": chain[1:]}
