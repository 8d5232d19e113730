"""Signs receipts, so that one stands against whoever keeps the files.

This module must not know what a receipt says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from socketsuite.settings import SettingsError, UnreadableError, read_regular

_MOST = 1 << 16


@dataclass(frozen=True)
class Signer:
    """An Ed25519 key (RFC 8032).

    :ivar public: the public key, 32 bytes.
    :ivar sign: given bytes, returns their signature of 64 bytes.
    """

    public: bytes
    sign: Callable[[bytes], bytes]


def load_signer(path: Path) -> Signer:
    """Read a private key in PEM.

    :raises SettingsError: when there is none in the file.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    cure = "make one by: openssl genpkey -algorithm ed25519 -out FILE"
    try:
        key = load_pem_private_key(read_regular(path, _MOST)[0], None)
    except UnreadableError as error:
        raise SettingsError(f"cannot read --sign-key {path}: {error}") from None
    except (ValueError, TypeError):
        raise SettingsError(f"--sign-key {path} is no private key in PEM: {cure}") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsError(f"--sign-key {path} is no Ed25519 key: {cure}")
    return Signer(key.public_key().public_bytes_raw(), key.sign)
