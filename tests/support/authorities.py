"""Certificates of every kind, good and bad, for tests of TLS.

Makes and signs them; does not judge them, and opens no socket.  A certificate says what it
was told to say: nothing here keeps an authority from signing nonsense.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH
SERVER = ExtendedKeyUsageOID.SERVER_AUTH

_DAY = datetime.timedelta(days=1)
_USES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


@dataclass(frozen=True)
class Identity:
    """A certificate, its key, and what is sent along to lead from it to a root.

    :ivar key_pem: the key as its file has it, where that is not the key itself.
    """

    certificate: x509.Certificate
    key: Any
    between: tuple[x509.Certificate, ...] = ()
    key_pem: bytes = b""

    @property
    def chain_pem(self) -> bytes:
        """The certificate, and what is sent along, as a file has them."""
        return b"".join(pem(one) for one in (self.certificate, *self.between))

    def private_pem(self, passphrase: bytes | None = None) -> bytes:
        """Return the key as a file has it."""
        lock: KeySerializationEncryption = NoEncryption()
        if passphrase is not None:
            lock = BestAvailableEncryption(passphrase)
        text: bytes = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock)
        return self.key_pem or text

    def write(self, path: Path) -> Path:
        """Write key and chain into one file."""
        path.write_bytes(self.private_pem() + self.chain_pem)
        return path

    def leaf_only(self) -> Identity:
        """Return it without what leads to a root."""
        return replace(self, between=())

    def tampered(self) -> Identity:
        """Return it with its words as they are, and another signature under them."""
        der = self.certificate.public_bytes(Encoding.DER)
        der = der[:-1] + bytes([der[-1] ^ 1])
        return replace(self, certificate=x509.load_der_x509_certificate(der))

    def with_key_of(self, other: Identity) -> Identity:
        """Return it with a key file that passes for its own, and signs as *other*'s does.

        An elliptic key's file holds the public half too, and that alone is compared with a
        certificate when it is loaded.
        """
        shown, used = (
            one.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
            for one in (self, other)
        )
        der = other.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        assert der.count(used) == 1
        text = base64.encodebytes(der.replace(used, shown))
        frame = b"-----%s PRIVATE KEY-----\n"
        return replace(self, key_pem=frame % b"BEGIN" + text + frame % b"END")


def pem(certificate: x509.Certificate) -> bytes:
    """Return a certificate as a file has it."""
    return certificate.public_bytes(Encoding.PEM)


def authority(
    name: str, issuer: Identity | None = None, *, path_length: int | None = None, **more: Any
) -> Identity:
    """Return an authority: a root, or one that *issuer* signed; see :func:`certify`."""
    return certify(name, issuer, signs=x509.BasicConstraints(True, path_length), **more)


def certify(
    name: str,
    issuer: Identity | None = None,
    *,
    key: Any = None,
    signs: x509.BasicConstraints | None = None,
    purposes: Sequence[x509.ObjectIdentifier] = (CLIENT, SERVER),
    uses: Sequence[str] = ("digital_signature",),
    since: float = -1,
    until: float = 30,
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
) -> Identity:
    """Return a new certificate for *name*, signed by *issuer*, or by its own key.

    The identifier of a key is made from its owner's name, so that a namesake has the same.

    :param key: its key, in place of a new elliptic one.
    :param signs: what it may sign, if it is an authority's.
    :param since: when it begins to be valid, in days from now; likewise *until*.
    :param extensions: further ones, and whether each is critical.
    """
    key = key or ec.generate_private_key(ec.SECP256R1())
    if signs is not None:
        uses, purposes = ("key_cert_sign", "crl_sign"), ()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issued_by = issuer.certificate.subject if issuer else subject
    said: list[tuple[x509.ExtensionType, bool]] = [
        (signs or x509.BasicConstraints(False, None), True),
        (x509.KeyUsage(**{use: use in uses for use in _USES}), True),
        (x509.SubjectKeyIdentifier(_identifier(subject)), False),
        (x509.AuthorityKeyIdentifier(_identifier(issued_by), None, None), False),
        *extensions,
    ]
    if signs is None:
        said.append((x509.SubjectAlternativeName([x509.DNSName(name)]), False))
    if purposes:
        said.append((x509.ExtendedKeyUsage(purposes), False))
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(
        issued_by,
        subject,
        key.public_key(),
        x509.random_serial_number(),
        now + since * _DAY,
        now + until * _DAY,
    )
    for extension, critical in said:
        builder = builder.add_extension(extension, critical)
    certificate = builder.sign(issuer.key if issuer else key, hashes.SHA256())
    return Identity(certificate, key, _leading_up_to(issuer) if issuer else ())


def _leading_up_to(issuer: Identity) -> tuple[x509.Certificate, ...]:
    """Return what is sent along by whom *issuer* signed: all but the root."""
    is_root = issuer.certificate.issuer == issuer.certificate.subject
    return () if is_root else (issuer.certificate, *issuer.between)


def _identifier(name: x509.Name) -> bytes:
    return hashlib.sha1(name.public_bytes()).digest()
