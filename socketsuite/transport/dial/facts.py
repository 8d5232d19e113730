"""What became known of a server by connecting to it: its address, and what it is with TLS.

What a certificate says was written by whoever made it: it is told on one line and in bounded
length.  This module must not know how facts are shown.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass

from cryptography import x509
from OpenSSL import crypto

from socketsuite.addresses import address_text
from socketsuite.transport.dial.dialing import StreamClient

_LONGEST = 200
_TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class CertificateFacts:
    """A certificate: who it is for and of (RFC 4514), until when (UTC), and its SHA-256 in hex.

    What it does not hold in a form that can be read is empty.
    """

    subject: str
    issuer: str
    expires: str
    sha256: str


@dataclass(frozen=True)
class TLSFacts:
    """What TLS came to; *version* and *cipher* are ``None`` where that was not agreed on.

    The certificate is the server's, whether it was verified or refused, if it was looked at.
    """

    version: str | None
    cipher: str | None
    certificate: CertificateFacts | None


@dataclass(frozen=True)
class Facts:
    """The address that was connected to, and what TLS came to where it was spoken."""

    address: str
    tls: TLSFacts | None


def facts_of(client: StreamClient) -> Facts | None:
    """Return what is known by a connection, in use or failed; ``None`` if there never was one."""
    if client.transport is None:
        return None
    address = address_text(client.transport.getPeer())
    tls = client.tls
    if tls is None or (tls.session is None and tls.certificate is None):
        return Facts(address, None)
    version, cipher = tls.session or (None, None)
    certificate = None
    if tls.certificate is not None:
        certificate = _certificate_facts(tls.certificate)
    return Facts(address, TLSFacts(version, cipher, certificate))


def _certificate_facts(certificate: crypto.X509) -> CertificateFacts:
    der = crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is odd about it is not ours to tell
        return CertificateFacts(
            subject=_read(certificate, lambda parsed: parsed.subject.rfc4514_string()),
            issuer=_read(certificate, lambda parsed: parsed.issuer.rfc4514_string()),
            expires=_read(certificate, lambda parsed: f"{parsed.not_valid_after_utc:{_TIME}}"),
            sha256=hashlib.sha256(der).hexdigest(),
        )


def _read(certificate: crypto.X509, field: Callable[[x509.Certificate], str]) -> str:
    try:
        text = field(certificate.to_cryptography())
    except Exception:  # what a stranger's certificate may lead to has no end
        return ""
    safe = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[:_LONGEST])
    return safe if len(text) <= _LONGEST else f"{safe}…"
