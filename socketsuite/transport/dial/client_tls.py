"""TLS for a client: whom to trust, who we are, half-closing, and failures in plain words.

OpenSSL verifies the chain and ``service-identity`` the name (RFC 9525).  Twisted's own
``optionsForClientTLS`` does the same, but keeps to itself why a chain was refused.

This module must not know what is said over the connection.
"""

from __future__ import annotations

import functools
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
from twisted.internet.defer import Deferred
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
from twisted.python.failure import Failure
from zope.interface import implementer

from socketsuite.transport.dial.failed import Code, Failed, os_cause
from socketsuite.transport.dial.target import TLSChoice

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
_WANTS_CERTIFICATE = "it wants a client certificate (--cert)"
_NO_COMMON = "it found no common ground, or wants a client certificate (--cert)"
_UNKNOWN_CA = "it does not trust the authority that signed our certificate"
_UNSAFE = "it speaks no version of TLS that is safe"
_NOT_TLS = "it does not speak TLS"
_WORDS: dict[str, tuple[str, Code]] = {
    "alert certificate required": (_WANTS_CERTIFICATE, "client-certificate"),
    "alert handshake failure": (_NO_COMMON, "tls"),
    "alert bad certificate": ("it refused our certificate", "client-certificate"),
    "alert certificate expired": ("it says that our certificate has expired", "client-certificate"),
    "alert certificate revoked": (
        "it says that our certificate has been revoked",
        "client-certificate",
    ),
    "alert unknown ca": (_UNKNOWN_CA, "client-certificate"),
    "alert protocol version": (_UNSAFE, "tls"),
    "unsupported protocol": (_UNSAFE, "tls"),
    "unrecognized name": ("it does not know that name (--tls-name)", "tls"),
    "wrong version number": (_NOT_TLS, "not-tls"),
    "packet length too long": (_NOT_TLS, "not-tls"),
    "record layer failure": (_NOT_TLS, "not-tls"),
    "unexpected message": (_NOT_TLS, "not-tls"),
}

# RFC 8446, 5.1 and 4: what may come first is a handshake record with a ServerHello, or an alert.
_HANDSHAKE, _ALERT, _MAJOR, _SERVER_HELLO = 22, 21, 3, 2
_HELLO_AT = 5
# <openssl/ssl.h>: the info callback is told of each step of a handshake.
_STEP = 0x01
_ASKED = b"read server certificate request"


class NotTLS(Exception):
    """What came first is no TLS."""


class HalfClosableTLS(TLSMemoryBIOProtocol):
    """TLS that can end its own sending and go on receiving, as RFC 8446 section 6.1 allows.

    Twisted's own would shut the TCP connection under the TLS, which the server must take
    for an attack.

    Tells what does not begin like TLS by its first bytes: OpenSSL would wait for the rest of
    a record whose length those bytes are not.
    """

    def __init__(self, tls: ClientTLS, factory: TLSMemoryBIOFactory, wrapped: Any) -> None:
        super().__init__(factory, wrapped)
        self.tls = tls
        self._beginning = b""

    def dataReceived(self, data: bytes) -> None:
        """Take what the server sent, if it may be TLS."""
        if len(self._beginning) <= _HELLO_AT:
            self._beginning += data[: _HELLO_AT + 1]
            if not _may_be_tls(self._beginning):
                self._reason = Failure(NotTLS())
                self._tlsShutdownFinished(None)
                return
        was_ready = self._handshakeDone
        super().dataReceived(data)
        if was_ready and not self._lostTLSConnection and not self.tls.heard.called:
            self.tls.heard.callback(None)

    def loseWriteConnection(self) -> None:
        """Send the ``close_notify`` alert; to be called with no producer registered."""
        connection = self.getHandle()
        with suppress(SSL.Error):
            connection.shutdown()
        with suppress(SSL.WantReadError):
            self.transport.write(connection.bio_read(1 << 15))  # type: ignore[union-attr]


def _may_be_tls(beginning: bytes) -> bool:
    kind, major, hello = beginning[:1], beginning[1:2], beginning[_HELLO_AT : _HELLO_AT + 1]
    if kind == bytes([_ALERT]):
        return major in (b"", bytes([_MAJOR]))
    return (
        kind in (b"", bytes([_HANDSHAKE]))
        and major in (b"", bytes([_MAJOR]))
        and hello in (b"", bytes([_SERVER_HELLO]))
    )


@implementer(IOpenSSLClientConnectionCreator)
class ClientTLS:
    """One connection's TLS: the choices made concrete, and what went wrong with it.

    :ivar heard: fires with the first thing that the server sends after the handshake.
    :ivar asked: whether the server asked for a certificate of ours.
    :ivar certificate: the server's own, once it was looked at, verified or not.
    :raises Failed: naming the file that does not hold what it should.
    """

    def __init__(self, choice: TLSChoice) -> None:
        self._name = choice.name
        self._identity = _identity(choice.name)
        self._verdict: str | None = None
        self._context = _context(choice)
        self._connection: SSL.Connection | None = None
        self.heard: Deferred[None] = Deferred()
        self.asked = False
        self.certificate: crypto.X509 | None = None

    def wrap(self, factory: IProtocolFactory, reactor: IReactorTime) -> IProtocolFactory:
        """Return a factory that speaks TLS and hands *factory* what comes out of it."""
        wrapped = TLSMemoryBIOFactory(self, True, factory, clock=reactor)
        wrapped.protocol = functools.partial(HalfClosableTLS, self)  # type: ignore[assignment]
        return wrapped

    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """Return a connection whose handshake fails unless the server is who it should be."""
        connection = SSL.Connection(self._context, None)
        self._connection = connection
        if isinstance(self._identity, DNS_ID):  # RFC 6066: an address is never sent
            connection.set_tlsext_host_name(self._identity.hostname)
        connection.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, self._verify)
        return connection

    def _verify(
        self, _connection: SSL.Connection, certificate: crypto.X509, error: int, depth: int, ok: int
    ) -> bool:
        """Judge one certificate of the chain, after OpenSSL has; depth 0 is the server's."""
        if depth == 0:
            self.certificate = certificate
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

    @property
    def session(self) -> tuple[str, str] | None:
        """The version of TLS and the cipher, once they are agreed on."""
        connection = self._connection
        cipher = connection.get_cipher_name() if connection is not None else None
        if connection is None or cipher is None:
            return None
        return connection.get_protocol_version_name(), cipher

    @property
    def is_judged_late(self) -> bool:
        """Whether the server judges our certificate after the handshake (RFC 8446, 4.4.2)."""
        connection = self._connection
        return connection is not None and connection.get_protocol_version() >= SSL.TLS1_3_VERSION

    def cause(self, error: BaseException) -> tuple[str, Code] | None:
        """Return why TLS failed, in plain words and as a code; ``None`` if it did not."""
        if isinstance(error, NotTLS):
            return f"TLS: {_NOT_TLS}", "not-tls"
        if not isinstance(error, SSL.Error):
            return None
        if self._verdict is not None:
            return f"TLS: {self._verdict}", "untrusted"
        said = str(error.args[0][-1][-1]) if error.args and error.args[0] else "failed"
        unknown: tuple[str, Code] = (said, "tls")
        words, code = next((told for sign, told in _WORDS.items() if sign in said), unknown)
        return f"TLS: {words}", code


@functools.cache
def _context(choice: TLSChoice) -> SSL.Context:
    """Return the context for *choice*: reading all the authorities takes a while."""
    trust: Any = platformTrust()
    if choice.cafile is not None:
        trust = trustRootFromCertificates(_certificates(choice.cafile))
    options = CertificateOptions(
        trustRoot=trust, raiseMinimumTo=TLSVersion.TLSv1_2, **_own_certificate(choice)
    )
    context = options.getContext()
    context.set_info_callback(_note_step)
    return context


def _note_step(connection: SSL.Connection, where: int, _result: int) -> None:
    if where & _STEP and _ASKED in connection.get_state_string():
        connection.get_app_data().tls.asked = True  # Twisted sets it to the HalfClosableTLS


def _identity(name: str) -> DNS_ID | IPAddress_ID:
    try:
        return IPAddress_ID(name.partition("%")[0])
    except ValueError:
        pass
    try:
        return DNS_ID(name)
    except ValueError:
        raise Failed(f"{name} is not a name that a certificate can be for", "untrusted") from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Failed(f"cannot read {path}: {os_cause(error)}", "file") from None


def _certificates(path: Path) -> list[Certificate]:
    try:
        found = x509.load_pem_x509_certificates(_read(path))
    except ValueError:
        raise Failed(f"{path} holds no certificate in PEM form", "file") from None
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
        raise Failed(f"{path} holds no unencrypted private key in PEM form", "file") from None
    if private.public_key() != chain[0].to_cryptography().public_key():
        raise Failed(
            f"the key in {path} does not belong to the certificate in {choice.cert}", "file"
        )
    return {"privateKey": key, "certificate": chain[0], "extraCertChain": chain[1:]}
