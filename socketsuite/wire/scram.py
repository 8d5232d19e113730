"""SCRAM-SHA-256 (RFC 5802, RFC 7677): the server's side of its messages, and the verifier it keeps.

Pure: bytes in, bytes out; random numbers are the caller's.  This module must not know who has
which verifier.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass, field

ITERATIONS = 100_000
"""Of a new verifier; RFC 7677 wants at least 4096."""

_FEWEST, _MOST = 4096, 10_000_000
_TEXT = re.compile(r"([1-9][0-9]{0,7}),([^,]*),([^,]*),([^,]*)")
# The channel binding, the name to act for, and the message that the proof is about.
_FIRST = re.compile(rb"(n|y|p=[A-Za-z0-9.-]+),(?:a=([^,]+))?,(n=([^,]+),r=([^,]+)(?:,.*)?)", re.S)
_FINAL = re.compile(rb"(c=([^,]+),r=([^,]+)(?:,[A-Za-z]=[^,]*)*),p=([^,]+)", re.S)
_NONCE = re.compile(rb"[\x21-\x2b\x2d-\x7e]{1,256}")


class ScramError(ValueError):
    """A message, or a verifier, that is none; its text is the RFC's word for why, or says why."""


@dataclass(frozen=True)
class Verifier:
    """What a server keeps of a password: enough to verify who knows it, too little to be them.

    Its text is ``ITERATIONS,SALT,STORED-KEY,SERVER-KEY``, the last three in base64.
    """

    iterations: int
    salt: bytes
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)

    @classmethod
    def of(cls, password: bytes, salt: bytes, iterations: int = ITERATIONS) -> Verifier:
        """Return that of a prepared *password*; takes its time."""
        salted = hashlib.pbkdf2_hmac("sha256", password, salt, iterations)
        client_key = _hmac(salted, b"Client Key")
        stored_key = hashlib.sha256(client_key).digest()
        return cls(iterations, salt, stored_key, _hmac(salted, b"Server Key"))

    @classmethod
    def parse(cls, text: str) -> Verifier:
        """Return the one that *text* is.

        :raises ScramError: when it is none; nothing of it is in the words.
        """
        found = _TEXT.fullmatch(text)
        if found is None or not _FEWEST <= int(found[1]) <= _MOST:
            raise ScramError(f"it is not ITERATIONS ({_FEWEST} or more),SALT,STORED-KEY,SERVER-KEY")
        salt, stored_key, server_key = (_from_base64(part.encode()) for part in found.groups()[1:])
        if not 1 <= len(salt) <= 64 or len(stored_key) != 32 or len(server_key) != 32:
            raise ScramError("its salt, or one of its keys, has not the right length")
        return cls(int(found[1]), salt, stored_key, server_key)

    def __str__(self) -> str:
        parts = [_base64(part).decode() for part in (self.salt, self.stored_key, self.server_key)]
        return ",".join([str(self.iterations), *parts])


@dataclass(frozen=True)
class ClientFirst:
    """A client's first message, read.

    :ivar name: whose password it will prove.
    :ivar authorize: whom it wants to act for; empty for itself.
    :ivar header: what the client repeats in its last message.
    """

    name: str
    authorize: str
    nonce: bytes
    header: bytes
    bare: bytes

    @classmethod
    def parse(cls, data: bytes) -> ClientFirst:
        """Return what *data* says.

        :raises ScramError: when that is no message, or wants what there is not.
        """
        found = _FIRST.fullmatch(data)
        if found is None:
            mandatory = re.match(rb"[^,]*,[^,]*,m=", data)
            raise ScramError("extensions-not-supported" if mandatory else "other-error")
        if found[1].startswith(b"p="):
            raise ScramError("channel-binding-not-supported")
        if _NONCE.fullmatch(found[5]) is None:
            raise ScramError("other-error")
        header = data[: found.start(3)]
        return cls(_name(found[4]), _name(found[2] or b""), found[5], header, found[3])


class Exchange:
    """What follows a client's first message.

    :param nonce: printable, without a comma; new for each exchange.
    """

    def __init__(self, first: ClientFirst, verifier: Verifier, nonce: bytes) -> None:
        self._first = first
        self._verifier = verifier
        self._nonce = first.nonce + nonce
        salt = _base64(verifier.salt)
        self.server_first = b"r=%b,s=%b,i=%d" % (self._nonce, salt, verifier.iterations)

    def finish(self, data: bytes) -> bytes:
        """Return the server's last message for the client's, which has to prove the password.

        :raises ScramError: when it does not.
        """
        found = _FINAL.fullmatch(data)
        if found is None:
            raise ScramError("other-error")
        if _from_base64(found[2]) != self._first.header:
            raise ScramError("channel-bindings-dont-match")
        if not hmac.compare_digest(found[3], self._nonce):
            raise ScramError("other-error")
        about = b",".join([self._first.bare, self.server_first, found[1]])
        signature = _hmac(self._verifier.stored_key, about)
        proof = _from_base64(found[4])
        client_key = bytes(a ^ b for a, b in zip(proof, signature, strict=False))
        stored_key = hashlib.sha256(client_key).digest()
        right = hmac.compare_digest(stored_key, self._verifier.stored_key)
        if not right or len(proof) != len(signature):
            raise ScramError("invalid-proof")
        return b"v=" + _base64(_hmac(self._verifier.server_key, about))


def _name(raw: bytes) -> str:
    if re.fullmatch(rb"(?:[^=\0]|=2C|=3D)*", raw) is None:
        raise ScramError("invalid-username-encoding")
    try:
        return raw.decode().replace("=2C", ",").replace("=3D", "=")
    except UnicodeDecodeError:
        raise ScramError("invalid-encoding") from None


def _hmac(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")


def _base64(data: bytes) -> bytes:
    return base64.b64encode(data)


def _from_base64(text: bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ScramError("invalid-encoding") from None
