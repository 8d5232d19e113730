"""People who make accounts for themselves, where the daemon lets them.

An account costs its host the time of a wrong password.  This module must not know rooms, nor any
frontend's wire.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from socketsuite.contract import LogEvents
from socketsuite.services.chat.account_file import AccountFileError, add_account
from socketsuite.services.chat.hashing import hashed
from socketsuite.services.chat.logins import Logins
from socketsuite.services.chat.nicks import key_of, skeleton
from socketsuite.services.chat.refusals import Refused
from socketsuite.wire.account_line import AccountLine, AccountLineError, check_name
from socketsuite.wire.names import BadNameError, checked_nick
from socketsuite.wire.passwords import BadPasswordError, prepared

_Result = TypeVar("_Result")
SHORTEST = 8
"""Bytes that a password has at least."""


@dataclass(frozen=True)
class AccountMade:
    """Somebody has made an account."""

    account: str
    host: str


@dataclass(frozen=True)
class AccountNotSaved:
    """An account could not be written into the file, and is none."""

    path: str
    why: str


class Registering:
    """Makes accounts of *logins*.

    :param emit: logs what an operator should know.
    :param changed: called when there is another account.
    """

    def __init__(self, logins: Logins, emit: LogEvents, changed: Callable[[], object]) -> None:
        self._logins = logins
        self._emit = emit
        self._changed = changed
        # What nicks look like whose accounts are being made.
        self._being_made: set[str] = set()

    def register(self, path: Path, name: str, password: str, host: str) -> Deferred[str]:
        """Make an account called *name*, and write it into the file *path*.

        :param host: whom it costs time.
        :return: fires with the account's name once it is on disk; fails with :class:`Refused`
            where it cannot be written, or too many wait.
        :raises Refused: when there cannot be such an account.
        """
        secret = self._checked(name, password)
        look = skeleton(name)
        self._being_made.add(look)

        def make() -> AccountLine | None:
            account = AccountLine(name, hashed(secret))
            return account if add_account(path, account) else None

        def made(account: AccountLine | None) -> str:
            if account is None:
                raise Refused("account_exists", name, "there is an account of that name")
            self._logins.book.add(account)
            self._emit(AccountMade(account.name, host))
            self._changed()
            return account.name

        def ended(result: _Result) -> _Result:
            self._being_made.discard(look)
            return result

        told = self._logins.make(host, make, made)
        told.addErrback(lambda failure: self._not_saved(path, name, failure))
        told.addBoth(ended)
        return told

    def _not_saved(self, path: Path, name: str, failure: Failure) -> None:
        failure.trap(AccountFileError)
        self._emit(AccountNotSaved(str(path), str(failure.value)), level="error")
        raise Refused("not_saved", name, "accounts cannot be made just now")

    def _checked(self, name: str, password: str) -> bytes:
        try:
            check_name(checked_nick(name))
        except (AccountLineError, BadNameError) as error:
            raise Refused("bad_nick", name, str(error)) from None
        taken = self._logins.book.owner_of(key_of(name)) is not None
        if taken or skeleton(name) in self._being_made:
            raise Refused("account_exists", name, "there is an account of that name, or like it")
        try:
            secret = prepared(password)
        except BadPasswordError as error:
            raise Refused("bad_password", name, str(error)) from None
        if len(secret) < SHORTEST:
            raise Refused("weak_password", name, f"a password has at least {SHORTEST} bytes")
        return secret
