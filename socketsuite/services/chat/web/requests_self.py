"""Requests about oneself and other people: coming in, nicks, being away, logging in.

This module must not know how objects are carried.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred

from socketsuite.services.chat.refusals import Refused
from socketsuite.services.chat.web.fields import Field
from socketsuite.services.chat.web.objects import milliseconds, shown
from socketsuite.services.chat.web.request import Request, Result
from socketsuite.services.chat.web.session import LONGEST_WORDS, VERSION, Session

Fields = Mapping[str, Any]

_COST_OF_PASSWORD = 25


def hello(session: Session, said: Fields) -> Result | Deferred[Result]:
    """Come in: as a guest, with a nick, or as an account."""
    if session.person is not None:
        raise Refused("bad_request", "", "you have said hello already")
    if said["version"] != VERSION:
        raise Refused("bad_request", "version", f"this server speaks version {VERSION}")
    if not session.chat.check_server_password(said.get("server_password", "")):
        session.guesses += "server_password" in said
        raise Refused("wrong_password", "server_password", "the server's password is another one")
    if "account" in said:
        return _verified(session, said).addCallback(
            lambda account: _enter(session, said.get("nick", account), account)
        )
    return _enter(session, said.get("nick"), None)


def _enter(session: Session, nick: str | None, account: str | None) -> Result:
    if session.ended:
        return {}
    session.enter(nick, account)
    return session.welcome()


def _verified(session: Session, said: Fields) -> Deferred[str]:
    """Return the account that was proved to be one's own."""
    name = said["account"]

    def found(account: str | None) -> str:
        if account is None:
            text = "the password is another one, or there is no such account"
            raise Refused("wrong_password", name, text)
        return account

    answer = maybeDeferred(
        session.chat.authenticate, name, said.get("password", ""), session.carrier.host
    )
    return answer.addCallback(found)


def login(session: Session, said: Fields) -> Deferred[Result]:
    """Prove who one is; who has no nick yet is called as the account is, if that can be."""

    def done(account: str) -> Result:
        if session.ended:
            return {}
        session.logged_in(account)
        if not session.me.named:
            with suppress(Refused):  # the answer says what the nick is
                session.hub.rename(session.me, account)
        return {"account": account, "nick": session.me.nick, "operator": session.me.operator}

    return _verified(session, said).addCallback(done)


def register(session: Session, said: Fields) -> Deferred[Result]:
    """Make an account of one's nick, and be logged in to it."""
    if session.me.account is not None:
        raise Refused("account_exists", session.me.account, "you are logged in already")
    if not session.me.named:
        raise Refused("bad_request", "nick", "an account has your nick: choose one first")

    def done(account: str) -> Result:
        if session.ended:
            return {}
        session.logged_in(account)
        return {"account": account, "nick": session.me.nick, "operator": session.me.operator}

    answer = maybeDeferred(session.chat.make_account, session.me, said["password"])
    return answer.addCallback(done)


def nick(session: Session, said: Fields) -> Result:
    """Have another nick."""
    session.hub.rename(session.me, said["nick"])
    return {"nick": session.me.nick}


def away(session: Session, said: Fields) -> None:
    """Be away, or back."""
    session.hub.set_away(session.me, said.get("message") or None)


def whois(session: Session, said: Fields) -> Result:
    """Tell who somebody is: the rooms are those that one may know of."""
    person = session.hub.person(said["nick"])
    rooms = [session.hub.rooms[key] for key in person.rooms]
    found: Result = {
        "nick": person.nick,
        "account": person.account,
        "frontend": person.frontend,
        "away": None if person.away is None else shown(person.away.encode("utf-8", "replace")),
        "operator": person.operator,
        "since": milliseconds(person.since),
        "rooms": [room.name for room in rooms if session.knows(room)],
    }
    if any(room.is_operator(session.me) for room in rooms if person in room.members):
        found["mask"] = person.mask
    return found


def ping(session: Session, said: Fields) -> None:
    """Do nothing; the answer says that the server is there."""


_ACCOUNT = Field("the account's name", most=64)
_PASSWORD = Field("its password", most=512, empty=True)

REQUESTS = {
    "hello": Request(
        "come in, in no room yet; the first request of a connection",
        hello,
        {
            "version": Field("1", "integer", required=True, least=0, most=1 << 31),
            "nick": Field("a nick; without one you are a guest, or called as the account", most=64),
            "account": _ACCOUNT,
            "password": _PASSWORD,
            "server_password": Field("the server's, where it has one", empty=True),
        },
        {
            "version": "1",
            "server": "the server's name",
            "network": "the network's name",
            "software": "name and version",
            "nick": "what you are called",
            "account": "whom you are logged in as, or null",
            "operator": "whether you are an operator of the server",
            "lobby": "the room of those who say no command",
            "accounts": "whether one can log in",
            "register": "whether one can make an account",
            "longest_text": "bytes of UTF-8 of one message",
        },
        cost=_COST_OF_PASSWORD,
        early=True,
    ),
    "login": Request(
        "prove who you are",
        login,
        {
            "account": Field("the account's name", most=64, required=True),
            "password": Field("its password", most=512, required=True, empty=True),
        },
        {
            "account": "as it is written",
            "nick": "what you are called",
            "operator": "whether you are an operator of the server",
        },
        cost=_COST_OF_PASSWORD,
    ),
    "register": Request(
        "make an account of your nick, where the server lets people do so",
        register,
        {"password": Field("of 8 to 256 bytes", most=512, required=True)},
        {
            "account": "the account, which is your nick",
            "nick": "what you are called",
            "operator": "whether you are an operator of the server",
        },
        cost=_COST_OF_PASSWORD,
    ),
    "nick": Request(
        "be called something else",
        nick,
        {"nick": Field("the nick", most=64, required=True)},
        {"nick": "in its normal form"},
    ),
    "away": Request(
        "be away, or back",
        away,
        {"message": Field("why; without it you are back", most=LONGEST_WORDS, empty=True)},
    ),
    "whois": Request(
        "ask who somebody is",
        whois,
        {"nick": Field("whose nick", most=64, required=True)},
        {
            "nick": "as it is written",
            "account": "or null",
            "frontend": "by which way in: lines, irc, web",
            "away": "the words for it, or null",
            "operator": "whether an operator of the server",
            "since": "milliseconds since 1970",
            "rooms": "those that you may know of",
            "mask": "nick!user@host; for operators of a common room only",
        },
        cost=2,
    ),
    "ping": Request("ask whether the server is there", ping, early=True),
}
"""By their types."""
