"""Certificates as settings: read, checked, and said no to in one line.

Knows nothing of connections, nor of the transport that will use them.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IProtocolNegotiationFactory
from twisted.internet.ssl import CertificateOptions, TLSVersion

from socketsuite.addresses import path_text
from socketsuite.daemon.errors import StartError, cause_text
from socketsuite.settings import setting
from socketsuite.transport.tls import error_words


@dataclass(eq=False)
class TLSSettings:
    """TLS."""

    tls_cert: Path | None = setting(
        None,
        "speak TLS with this certificate chain (PEM), on every --tls-port, or else on every --port",
        metavar="FILE",
        reload=True,
    )
    tls_key: Path | None = setting(
        None,
        "its private key (PEM); not needed when the certificate's file holds it too",
        metavar="FILE",
        reload=True,
    )
    tls_client_ca: Path | None = setting(
        None,
        "let in only clients whose certificate one of these authorities signed (PEM)",
        metavar="FILE",
        reload=True,
    )
    tls_client_certificates: Literal["required", "optional"] = setting(
        "required",
        "whether a client without a certificate is let in too; one that is shown has to be good",
        needs="tls_client_ca",
        reload=True,
    )


class _Context(SSL.Context):
    """A context without callbacks from OpenSSL into Python, unless one is really needed.

    Each takes memory that is both writable and executable, which the units in etc/ forbid.
    Twisted sets one to choose among protocols even where there is nothing to choose.
    """

    def set_alpn_select_callback(self, callback: Any) -> None:
        pass

    def choose_among(self, protocols: Sequence[bytes]) -> None:
        """Choose the first of *protocols* that the peer offers too; else none at all."""

        def choose(_: SSL.Connection, offered: list[bytes]) -> Any:
            ours = (one for one in protocols if one in offered)
            return next(ours, SSL.NO_OVERLAPPING_PROTOCOLS)

        super().set_alpn_select_callback(choose)


class _Options(CertificateOptions):
    _contextFactory = _Context


def offer_protocols(options: CertificateOptions | None, factory: Any) -> None:
    """Let peers choose among the protocols that *factory* speaks (ALPN, RFC 7301), if it says so.

    It says so as Twisted's own do: by ``IProtocolNegotiationFactory``.
    """
    if options is not None and IProtocolNegotiationFactory.providedBy(factory):
        context: Any = options.getContext()
        context.choose_among(factory.acceptableProtocols())


def load_context(
    settings: TLSSettings, origins: Mapping[str, str] = MappingProxyType({})
) -> CertificateOptions | None:
    """Return the TLS configuration that *settings* describe, ``None`` for no TLS at all.

    TLS 1.2 and up.

    :param origins: where each setting was said, by its name, for errors.
    :raises StartError: naming the file, and what is wrong with it.
    """
    if settings.tls_cert is None:
        return None
    said = {name: origins.get(name, f"--{name.replace('_', '-')}") for name in vars(settings)}
    chain = _certificates(settings.tls_cert, said["tls_cert"])
    key = _private_key(
        settings.tls_key or settings.tls_cert, said["tls_key" if settings.tls_key else "tls_cert"]
    )
    options = _Options(
        privateKey=key,
        certificate=chain[0],
        extraCertChain=chain[1:],
        raiseMinimumTo=TLSVersion.TLSv1_2,
        **_client_verification(settings, said["tls_client_ca"]),
    )
    try:
        with warnings.catch_warnings():
            # Twisted hands pyOpenSSL what that would rather not be given.
            warnings.simplefilter("ignore", DeprecationWarning)
            options.getContext()
    except SSL.Error as error:
        words = error_words(error)
        if "mismatch" in words:
            raise StartError(
                f"the key in {path_text(settings.tls_key or settings.tls_cert)} does not belong to"
                f" the certificate in {path_text(settings.tls_cert)}"
            ) from None
        raise StartError(
            f"{path_text(settings.tls_cert)} ({said['tls_cert']}) cannot be used: {words}"
        ) from None
    return options


def out_of_time(options: CertificateOptions | None, settings: TLSSettings) -> str | None:
    """Return the line that says so, if the certificate in *options* is not valid today.

    :param settings: what the options were made from, for the name of the file.
    """
    if options is None or options.certificate is None or settings.tls_cert is None:
        return None
    certificate = options.certificate.to_cryptography()
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    now = datetime.now(UTC)
    if now < begin:
        words = f"is not valid before {begin:%Y-%m-%d %H:%M} UTC"
    elif now > end:
        words = f"has expired on {end:%Y-%m-%d %H:%M} UTC"
    else:
        return None
    return f"the certificate in {path_text(settings.tls_cert)} {words}"


def expiry(options: CertificateOptions | None) -> float | None:
    """Return when the certificate in *options* expires, in seconds since 1970."""
    if options is None or options.certificate is None:
        return None
    return options.certificate.to_cryptography().not_valid_after_utc.timestamp()


def same(one: CertificateOptions | None, other: CertificateOptions | None) -> bool:
    """Return whether both hold one and the same certificate."""
    first, second = (
        each.certificate.digest("sha256") if each is not None and each.certificate else None
        for each in (one, other)
    )
    return first == second


def _client_verification(settings: TLSSettings, origin: str) -> dict[str, Any]:
    if settings.tls_client_ca is None:
        return {}
    return {
        "verify": True,
        "requireCertificate": settings.tls_client_certificates == "required",
        "caCerts": _certificates(settings.tls_client_ca, origin),
    }


def _read(path: Path, origin: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StartError(f"cannot read {path_text(path)} ({origin}): {cause_text(error)}") from None


def _certificates(path: Path, origin: str) -> list[crypto.X509]:
    end = b"-----END CERTIFICATE-----"
    *blocks, rest = _read(path, origin).split(end)
    if b"-----BEGIN CERTIFICATE-----" in rest:
        raise StartError(f"{path_text(path)} ({origin}) ends in the middle of a certificate")
    try:
        found = [crypto.load_certificate(crypto.FILETYPE_PEM, block + end) for block in blocks]
    except (crypto.Error, ValueError):
        found = []
    if not found:
        raise StartError(f"{path_text(path)} ({origin}) holds no certificate in PEM form")
    return found


def _private_key(path: Path, origin: str) -> crypto.PKey:
    # Not by crypto.load_privatekey(): what keeps it from a prompt at a terminal is a callback.
    try:
        key: Any = load_pem_private_key(_read(path, origin), password=None)
        return crypto.PKey.from_cryptography_key(key)
    except (crypto.Error, ValueError, TypeError, UnsupportedAlgorithm):
        raise StartError(
            f"{path_text(path)} ({origin}) holds no unencrypted private key in PEM form"
        ) from None
