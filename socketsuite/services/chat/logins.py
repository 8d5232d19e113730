"""Logging in: accounts, their passwords, and what a wrong one costs, put together.

This module must not know rooms, nor any frontend's wire.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, succeed

from socketsuite.services.chat import sasl
from socketsuite.services.chat.accounts import Accounts, Book, read_accounts
from socketsuite.services.chat.attempts import Attempts
from socketsuite.services.chat.hashing import Workers, fits, load
from socketsuite.services.chat.nicks import key_of
from socketsuite.wire.account_line import NO_PASSWORD
from socketsuite.wire.passwords import BadPasswordError, prepared
from socketsuite.wire.scram import ITERATIONS, Verifier

InThread = Callable[[Callable[[], Any]], "Deferred[Any]"]


class Logins:
    """Who may log in, and whether somebody has.

    :param reactor: the clock, and where threads come back to.
    :param in_thread: does what it is given elsewhere; for tests.
    :ivar book: the accounts there are now.
    """

    def __init__(self, reactor: Any, in_thread: InThread | None = None) -> None:
        self._in_thread: InThread = in_thread or Workers(reactor).do
        self._attempts = Attempts(reactor)
        self._key = secrets.token_bytes(32)
        self.book = Book({}, {})

    def read(self, accounts: Path | None, operators: Path | None) -> None:
        """Have the accounts of these files, and no other, from now on.

        :raises SettingsError: for what is wrong with one of them; nothing has changed then.
        """
        found = [{} if path is None else read_accounts(path) for path in (accounts, operators)]
        if any(found):
            load()
        self.book = Book(*found)

    def authenticate(self, name: str, password: str, host: str) -> Deferred[str | None]:
        """Find out whether the *password* is that of the account *name*.

        :param host: whom a wrong one costs time.
        :return: fires with the account's name as it is written, or ``None``; fails with
            :class:`Refused` (``busy``) where too many wait.
        """
        return self._verified(self.book.accounts, name, password, host)

    def check_operator(self, name: str, password: str, host: str) -> Deferred[str | None]:
        """As :meth:`authenticate`, for an operator of the server."""
        return self._verified(self.book.operators, name, password, host)

    def is_operator(self, account: str | None) -> bool:
        """Return whether who has logged in as *account* is an operator of the server."""
        return account is not None and key_of(account) in self.book.operators

    def _verified(
        self, among: Accounts, name: str, password: str, host: str
    ) -> Deferred[str | None]:
        if not among:  # so there is nothing to guess
            return succeed(None)
        try:
            secret = prepared(password)
        except BadPasswordError:
            return self._attempts.attempt(host, lambda: succeed(None))
        account = self.book.find(name)
        if account is not None and key_of(account.name) not in among:
            account = None
        hashed = NO_PASSWORD if account is None else account.hash
        # An unknown name takes as long as a wrong password.
        against = self.book.decoy if hashed == NO_PASSWORD else hashed

        def attempt() -> Deferred[str | None]:
            found = self._in_thread(lambda: fits(secret, against))
            return found.addCallback(
                lambda right: account.name if right and account is not None else None
            )

        return self._attempts.attempt(host, attempt)

    def make(self, host: str, work: Callable[[], Any], done: Callable[[Any], str]) -> Deferred[Any]:
        """Do *work* in a thread when it is the *host*'s turn, which pays as for a wrong password.

        :param done: is given what *work* returns, and returns an account's name.
        """
        return self._attempts.attempt(
            host, lambda: self._in_thread(work).addCallback(done), always_costs=True
        )

    def sasl(self, mechanism: str, host: str, certificate: Any) -> sasl.Mechanism:
        """Begin one of ``book.mechanisms`` for a connection.

        :param certificate: the client's, as ``getPeerCertificate()`` of its transport returns it
            (``OpenSSL.crypto.X509``), or ``None``.
        :raises LookupError: when there is no such mechanism.
        """
        if mechanism not in self.book.mechanisms:
            raise LookupError(mechanism)
        shown = fingerprint(certificate)
        context = sasl.Context(
            login=lambda name, password: self.authenticate(name, password, host),
            find=self.book.find,
            attempt=lambda work: self._attempts.attempt(host, work),
            decoy=self._decoy,
            certified=[] if shown is None else self.book.owners_of(shown),
        )
        return sasl.start(mechanism, context)

    def _decoy(self, name: str) -> Verifier:
        made_up = hmac.digest(self._key, key_of(name).encode("utf-8", "replace"), "sha256")
        keys = secrets.token_bytes(32), secrets.token_bytes(32)
        return Verifier(self.book.iterations or ITERATIONS, made_up[:16], *keys)


def fingerprint(certificate: Any) -> str | None:
    """Return the SHA-256 of a certificate (``OpenSSL.crypto.X509``) in lower-case hex."""
    if certificate is None:
        return None
    digest: bytes = certificate.digest("sha256")
    return digest.decode().replace(":", "").lower()
