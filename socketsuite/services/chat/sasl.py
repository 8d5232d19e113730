"""SASL mechanisms, the server's side, for whatever frontend carries their messages.

PLAIN (RFC 4616), EXTERNAL (RFC 4422, Appendix A) and SCRAM-SHA-256 (RFC 7677).  The client speaks
first in all of them.  This module must not know any frontend's wire, nor where accounts are kept.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from twisted.internet.defer import Deferred, succeed
from twisted.python import failure

from socketsuite.services.chat.nicks import key_of
from socketsuite.services.chat.refusals import Refused
from socketsuite.wire.account_line import AccountLine
from socketsuite.wire.scram import ClientFirst, Exchange, ScramError, Verifier

LONGEST_MESSAGE = 2048
"""Bytes of one message of a client's."""

WRONG = "the name or the password is wrong"
_FOR_OTHERS = "nobody acts for another here"


@dataclass(frozen=True)
class Challenge:
    """The client has to answer *data*."""

    data: bytes


@dataclass(frozen=True)
class Success:
    """The client is who it says.

    :ivar account: the account's name, as it is written.
    :ivar final: what the client still has to be told.  Where the wire cannot tell it together
        with the success, it is one more challenge, whose answer is empty.
    """

    account: str
    final: bytes = b""


@dataclass(frozen=True)
class Failure:
    """The client is not; *text* is for people."""

    text: str


Step = Challenge | Success | Failure


class Mechanism(Protocol):
    """One exchange; after :class:`Success` or :class:`Failure` it is over."""

    def step(self, data: bytes) -> Step | Deferred[Step]:
        """Take a message of the client's.  To cancel what is returned is to go away."""
        ...


@dataclass(frozen=True)
class Context:
    """What mechanisms ask about accounts, for one connection.

    :ivar login: fires with the account that a name and a password fit, or ``None``.
    :ivar find: returns the account of a name.
    :ivar attempt: does what it is given when it is the turn of this connection's host, and has
        its ``None`` cost time.
    :ivar decoy: makes up a verifier, the same each time, for a name that has none.
    :ivar certified: the accounts whose certificate the connection has shown.
    """

    login: Callable[[str, str], Deferred[str | None]]
    find: Callable[[str], AccountLine | None]
    attempt: Callable[[Callable[[], Deferred[str | None]]], Deferred[str | None]]
    decoy: Callable[[str], Verifier]
    certified: Sequence[str] = ()
    nonce: Callable[[], bytes] = lambda: base64.b64encode(secrets.token_bytes(18))


def start(name: str, context: Context) -> Mechanism:
    """Begin the mechanism called *name*, in capital letters.

    :raises LookupError: when there is none.
    """
    return _MECHANISMS[name](context)


class Plain:
    """A name and its password, as they are."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def step(self, data: bytes) -> Step | Deferred[Step]:
        """Take ``authorize NUL name NUL password``."""
        try:
            authorize, name, password = data[: LONGEST_MESSAGE + 1].decode().split("\0")
        except ValueError:
            return Failure("that is no message of PLAIN")
        if len(data) > LONGEST_MESSAGE or not name or not password:
            return Failure("that is no message of PLAIN")
        if authorize and key_of(authorize) != key_of(name):
            return Failure(_FOR_OTHERS)
        return _told(self._context.login(name, password))


class External:
    """The certificate that the client has shown says who it is."""

    def __init__(self, context: Context) -> None:
        self._certified = context.certified

    def step(self, data: bytes) -> Step:
        """Take the name to log in as, which may be empty where only one is possible."""
        try:
            wanted = data[: LONGEST_MESSAGE + 1].decode()
        except UnicodeDecodeError:
            return Failure("that is no message of EXTERNAL")
        if not self._certified:
            return Failure("your certificate is no account's")
        if not wanted and len(self._certified) > 1:
            return Failure("your certificate is several accounts'; say which")
        for name in self._certified:
            if not wanted or key_of(name) == key_of(wanted):
                return Success(name)
        return Failure("your certificate is not that account's")


class Scram:
    """Both sides prove that they know the password, and none of them says it."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._account: str | None = None
        self._exchange: Exchange | None = None
        self._over = False

    def step(self, data: bytes) -> Step | Deferred[Step]:
        """Take the client's first message, then its last."""
        if self._over or len(data) > LONGEST_MESSAGE:
            self._over = True
            return Failure("other-error")
        if self._exchange is not None:
            self._over = True
            return self._finish(self._exchange, data)
        try:
            self._exchange = self._begin(ClientFirst.parse(data))
        except ScramError as error:
            self._over = True
            return Failure(str(error))
        return Challenge(self._exchange.server_first)

    def _begin(self, first: ClientFirst) -> Exchange:
        if first.authorize and key_of(first.authorize) != key_of(first.name):
            raise ScramError(_FOR_OTHERS)
        account = self._context.find(first.name)
        if account is not None and account.scram is not None:
            self._account = account.name
            return Exchange(first, account.scram, self._context.nonce())
        # Who asks cannot tell a name that there is from one that there is not.
        return Exchange(first, self._context.decoy(first.name), self._context.nonce())

    def _finish(self, exchange: Exchange, data: bytes) -> Deferred[Step]:
        final, error = b"", ""

        def verify() -> Deferred[str | None]:
            nonlocal final, error
            try:
                final = exchange.finish(data)
            except ScramError as wrong:
                error = str(wrong)
            return succeed(None if error else self._account)

        told = self._context.attempt(verify)
        return _told(told, lambda name: Success(name, final), lambda: error or "invalid-proof")


_MECHANISMS: dict[str, Callable[[Context], Mechanism]] = {
    "PLAIN": Plain,
    "EXTERNAL": External,
    "SCRAM-SHA-256": Scram,
}


def _told(
    found: Deferred[str | None],
    success: Callable[[str], Success] = Success,
    wrong: Callable[[], str] = lambda: WRONG,
) -> Deferred[Step]:
    def step(name: str | None) -> Step:
        return Failure(wrong()) if name is None else success(name)

    def refused(why: failure.Failure) -> Step:
        why.trap(Refused)
        return Failure(str(why.value))

    return found.addCallbacks(step, refused)
