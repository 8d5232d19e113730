"""Who has an account: the files of accounts and operators, read and looked up.

Nothing that is said of a file shows what stands in it.  This module must not know how a password
is verified, nor who is here.
"""

from __future__ import annotations

import base64
import secrets
import stat
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from socketsuite.services.chat.nicks import key_of, skeleton
from socketsuite.settings import SettingsError
from socketsuite.settings.files import UnreadableError, read_regular
from socketsuite.settings.values import plain
from socketsuite.wire.account_line import NO_PASSWORD, AccountLine, AccountLineError
from socketsuite.wire.names import BadNameError, checked_nick

LARGEST = 1 << 20
MOST_LINES = 10_000

# Others must not read: hashes are guessed at without the daemon's help.  Nobody but the owner may
# write.  The group may read: so the daemon's user need not be the owner, and cannot write either.
_FORBIDDEN = stat.S_IRWXO | stat.S_IWGRP

Accounts = Mapping[str, AccountLine]
"""Accounts by the keys of their names."""


def read_accounts(path: Path) -> dict[str, AccountLine]:
    """Return the accounts of a file: a line for each, empty ones, and comments (``# …``).

    :raises SettingsError: naming the file, and the line, that cannot be used.
    """
    file = plain(str(path))
    try:
        data, mode = read_regular(path, LARGEST)
        if mode & _FORBIDDEN:
            text = f"others can read or write it (mode {stat.S_IMODE(mode):04o}); chmod g-w,o= it"
            raise UnreadableError(text)
        lines = data.decode().split("\n")
        if len(lines) > MOST_LINES + 1:
            raise UnreadableError(f"it has more than {MOST_LINES:,} lines")
    except UnreadableError as error:
        raise SettingsError(f"cannot use {file}: {error}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"cannot use {file}: it is not UTF-8") from None
    found: dict[str, AccountLine] = {}
    for number, raw in enumerate(lines, 1):
        line = raw.removesuffix("\r")
        if not line.strip() or line.startswith("#"):
            continue
        try:
            account = AccountLine.parse(line)
            if checked_nick(account.name) != account.name:
                raise AccountLineError("its name is not in its normal form (NFC)")
            if key_of(account.name) in found:
                raise AccountLineError("an account of that name stands above it")
        except (AccountLineError, BadNameError) as error:
            raise SettingsError(f"{file}, line {number}: {error}") from None
        found[key_of(account.name)] = account
    return found


class Book:
    """All accounts at one time.

    An operator is an account, too.  Of a name in both files the line of the operators counts, so
    that no password but an operator's makes one.

    :ivar accounts: all of them, *operators* those alone.
    """

    def __init__(self, accounts: Accounts, operators: Accounts) -> None:
        self.accounts: dict[str, AccountLine] = {}
        self.operators = operators
        self._looks: dict[str, str] = {}
        self._certificates: dict[str, list[str]] = {}
        for one in {**accounts, **operators}.values():
            self.add(one)
        self.decoy = _decoy(self.accounts)

    def add(self, account: AccountLine) -> None:
        """Have *account*, which is no operator's, be there too."""
        key = key_of(account.name)
        self.accounts[key] = account
        self._looks[skeleton(key)] = account.name
        for each in dict.fromkeys(account.certificates):
            self._certificates.setdefault(each, []).append(account.name)

    @property
    def mechanisms(self) -> list[str]:
        """The SASL mechanisms by which somebody can log in, the best first."""
        every = self.accounts.values()
        usable = {
            "SCRAM-SHA-256": any(one.scram is not None for one in every),
            "EXTERNAL": bool(self._certificates),
            "PLAIN": any(one.hash != NO_PASSWORD for one in every),
        }
        return [name for name, can in usable.items() if can]

    @property
    def iterations(self) -> int | None:
        """How many the first verifier for SCRAM has; ``None`` where there is none."""
        every = (one.scram for one in self.accounts.values())
        return next((one.iterations for one in every if one is not None), None)

    def find(self, name: str) -> AccountLine | None:
        """Return the account called *name*, however it is spelt."""
        return self.accounts.get(key_of(unicodedata.normalize("NFC", name)))

    def owner_of(self, key: str) -> str | None:
        """Return the account whose nick has the *key*, or looks like it."""
        account = self.accounts.get(key)
        return self._looks.get(skeleton(key)) if account is None else account.name

    def owners_of(self, fingerprint: str) -> list[str]:
        """Return the accounts whose certificate has that SHA-256, in lower-case hex."""
        return self._certificates.get(fingerprint, [])


def _decoy(accounts: Accounts) -> str:
    """Return a hash that no password has, and that takes as long as those of *accounts*."""
    known = (one.hash for one in accounts.values() if one.hash != NO_PASSWORD)
    head = next(known, "$argon2id$v=19$m=19456,t=2,p=1$").split("$")[:4]
    return "$".join([*head, _random(16), _random(32)])


def _random(size: int) -> str:
    return base64.b64encode(secrets.token_bytes(size)).decode().rstrip("=")
