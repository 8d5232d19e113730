"""A certificate for tests of TLS: self-signed, for localhost, good for a day.

Must not be used for anything but tests: its key lies beside it.
"""

from __future__ import annotations

import datetime
import ssl
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

HOST = "localhost"


@dataclass(frozen=True)
class Certificate:
    """A key and its certificate in one PEM file, as ``--tls-cert`` takes it.

    :ivar path: the file.
    """

    path: Path

    @classmethod
    def make(cls, folder: Path) -> Certificate:
        """Write ``localhost.pem`` into *folder*; for ``localhost``, 127.0.0.1 and ::1.

        :raises OSError: when it cannot be written.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
        hosts = [
            x509.DNSName(HOST),
            *(x509.IPAddress(ip_address(one)) for one in ("127.0.0.1", "::1")),
        ]
        now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
        builder = x509.CertificateBuilder(
            name, name, key.public_key(), x509.random_serial_number(), now - day, now + day
        ).add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        certificate = builder.sign(key, hashes.SHA256())
        path = folder / f"{HOST}.pem"
        path.touch(mode=0o600)
        path.write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            + certificate.public_bytes(Encoding.PEM)
        )
        return cls(path)

    @property
    def arguments(self) -> tuple[str, str]:
        """What a daemon's command line says to serve TLS with it."""
        return "--tls-cert", str(self.path)

    def client(self) -> ssl.SSLContext:
        """Return a client's context that trusts this certificate and no other."""
        return ssl.create_default_context(cafile=self.path)
