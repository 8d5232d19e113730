"""One line of a file of accounts: ``name:hash``, and what may follow.

Pure.  This module must not know which names there are, nor whether a password fits a hash.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from socketsuite.wire.scram import ScramError, Verifier

NO_PASSWORD = "*"
"""Instead of a hash: no password is the right one."""

ARGON2 = 2, 19456, 1
"""Passes, KiB of memory and lanes of new hashes: what OWASP recommends; one lane, since daemons
hash beside their work."""

LONGEST_NAME = 32
"""Bytes of UTF-8."""

_SCRAM, _CERTIFICATE = "scram-sha-256", "certfp"
_HASH = re.compile(
    r"\$argon2id\$v=19\$m=([1-9][0-9]{0,6}),t=([1-9][0-9]?),p=([1-9][0-9]?)"
    r"\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{16,86}"
)
_MOST_MEMORY = 1 << 18
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


class AccountLineError(ValueError):
    """A line that is none; its text says why, and nothing of the line."""


@dataclass(frozen=True)
class AccountLine:
    """An account as it is written.

    :ivar hash: by Argon2id in its usual form (``$argon2id$v=19$…``), or :data:`NO_PASSWORD`.
    :ivar scram: the verifier of the same password for SCRAM-SHA-256.
    :ivar certificates: SHA-256 of certificates that are the account's, in lower-case hex.
    """

    name: str
    hash: str = field(repr=False)
    scram: Verifier | None = field(default=None, repr=False)
    certificates: tuple[str, ...] = ()

    @classmethod
    def parse(cls, line: str) -> AccountLine:
        """Return the account that *line* is.

        :raises AccountLineError: when it is none.
        """
        name, *others = line.split(":")
        check_name(name)
        if not others:
            raise AccountLineError("it is not NAME:HASH")
        check_hash(others[0])
        scram, certificates = None, []
        for extra in others[1:]:
            key, _, value = extra.partition("=")
            if key == _SCRAM and scram is None:
                scram = _verifier(value)
            elif key == _CERTIFICATE:
                certificates.append(_fingerprint(value))
            else:
                text = f"behind the hash may stand one {_SCRAM}=… and any {_CERTIFICATE}=…"
                raise AccountLineError(text)
        return cls(name, others[0], scram, tuple(certificates))

    def __str__(self) -> str:
        extras = [] if self.scram is None else [f"{_SCRAM}={self.scram}"]
        extras += [f"{_CERTIFICATE}={one}" for one in self.certificates]
        return ":".join([self.name, self.hash, *extras])


def check_name(name: str) -> None:
    """Refuse a *name* that would not be one field of a line.

    :raises AccountLineError: saying why.
    """
    if not name:
        raise AccountLineError("it has no name")
    if len(name.encode("utf-8", "replace")) > LONGEST_NAME:
        raise AccountLineError(f"a name has at most {LONGEST_NAME} bytes")
    if not name.isprintable() or name[0] in "#" or any(c.isspace() or c == ":" for c in name):
        raise AccountLineError("a name has no space, no colon, and no # at its beginning")


def check_hash(text: str) -> None:
    """Refuse what is no hash of Argon2id, or one that would take too much memory.

    :raises AccountLineError: saying why.
    """
    if text == NO_PASSWORD:
        return
    found = _HASH.fullmatch(text)
    if found is None:
        raise AccountLineError("its hash is none of Argon2id, as 'socketsuite password' prints it")
    if int(found[1]) > _MOST_MEMORY:
        raise AccountLineError(f"its hash takes more memory than {_MOST_MEMORY >> 10} MiB")


def _verifier(value: str) -> Verifier:
    try:
        return Verifier.parse(value)
    except ScramError as error:
        raise AccountLineError(f"{_SCRAM}: {error}") from None


def _fingerprint(value: str) -> str:
    plain = value.lower()
    if _FINGERPRINT.fullmatch(plain) is None:
        raise AccountLineError(f"{_CERTIFICATE}: it is not the SHA-256 of a certificate in hex")
    return plain
