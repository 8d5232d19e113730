"""Accounts by the line frontend: proving who one is, and making an account of one's nick.

This module must not know how passwords are looked at.
"""

from __future__ import annotations

from twisted.internet.defer import maybeDeferred

from socketsuite.services.chat.line_command import Command, first
from socketsuite.services.chat.line_session import Session
from socketsuite.services.chat.refusals import Refused
from socketsuite.services.chat.rights import empower


def login(session: Session, rest: str) -> None:
    """Prove who one is."""
    account, password = first(rest)
    if password:
        _log_in(session, account, password)
    else:
        session.ask(f"password of {account}?", lambda given: _log_in(session, account, given))


def _log_in(session: Session, account: str, password: str) -> None:
    if not password:
        session.tell("no password, no login")
        return
    answer = maybeDeferred(session.chat.authenticate, account, password, session.person.host)
    session.wait_for(answer.addCallback(lambda known: _logged_in(session, account, known)))


def _logged_in(session: Session, asked: str, account: str | None) -> None:
    person = session.person
    if session.hub.people.get(person.key) is not person:
        return  # gone meanwhile
    if account is None:
        session.tell(f"{asked}: the password is another one, or there is no such account")
        return
    session.hub.set_account(person, account)
    empower(person, session.chat.logins, account)
    session.tell(f"you are logged in as {account}")
    if not person.named:
        try:
            session.hub.rename(person, account)
        except Refused as refused:
            session.tell(f"you keep your nick: {refused}")


def register(session: Session, rest: str) -> None:
    """Make an account of one's nick."""
    if session.person.account is not None:
        session.tell(f"you are logged in as {session.person.account} already")
    elif not session.person.named:
        session.tell("an account has your nick: say /nick NICK first")
    elif rest:
        _register(session, rest)
    else:
        nick = session.person.nick
        session.ask(f"password of {nick}?", lambda given: _register(session, given))


def _register(session: Session, password: str) -> None:
    answer = maybeDeferred(session.chat.make_account, session.person, password)
    session.wait_for(answer.addCallback(lambda account: _registered(session, account)))


def _registered(session: Session, account: str) -> None:
    person = session.person
    if session.hub.people.get(person.key) is person:
        session.hub.set_account(person, account)
        session.tell(f"you are logged in as {account}")


ACCOUNTS = {
    "login": Command(
        "NAME [PASSWORD]", "log in; the next line is the password if none is given", login
    ),
    "register": Command(
        "[PASSWORD]", "make an account of your nick; the next line is the password", register
    ),
}
"""By their names."""
