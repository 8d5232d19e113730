"""REGISTER and VERIFY: making an account, after IRCv3's draft account-registration."""

from __future__ import annotations

from twisted.python.failure import Failure

from socketsuite.services.chat.irc.client import Client
from socketsuite.services.chat.irc.command import Command
from socketsuite.services.chat.irc.sasl_login import logged_in
from socketsuite.services.chat.nicks import key_of
from socketsuite.services.chat.refusals import Refused
from socketsuite.wire.irc import Line

_CODES = {
    "account_exists": "ACCOUNT_EXISTS",
    "bad_nick": "BAD_ACCOUNT_NAME",
    "weak_password": "WEAK_PASSWORD",
    "bad_password": "UNACCEPTABLE_PASSWORD",
}
"""The codes of standard replies for what is refused; what is none of them may be tried again."""


def register(client: Client, line: Line) -> None:
    """REGISTER: make an account of one's nick, and be logged in as it."""
    account, email, password = line.parameters[:3]
    if not _may(client, line, account):
        return
    if account not in ("*", client.me.nick) and key_of(account) != client.me.key:
        text = "An account is called as you are"
        client.fail("REGISTER", "ACCOUNT_NAME_MUST_BE_NICK", account[:64], text=text)
    elif email != "*":
        text = "No mail is sent from here; say * instead of an address"
        client.fail("REGISTER", "INVALID_EMAIL", client.nick, text=text)
    else:
        _register(client, password)


def _may(client: Client, line: Line, account: str) -> bool:
    """Whether there is anything to register or verify; else it was told."""
    command = line.command
    if not client.server.chat.can_register:
        client.reply("ERR_UNKNOWNCOMMAND", command)
    elif client.person is None:
        text = "Register your connection first"
        client.fail(command, "COMPLETE_CONNECTION_REQUIRED", text=text)
    elif client.me.account is not None:
        text = "You are logged in already"
        client.fail(command, "ALREADY_AUTHENTICATED", client.me.account, text=text)
    else:
        return True
    return False


def _register(client: Client, password: str) -> None:
    nick = client.me.nick

    def refused(refusal: Refused) -> None:
        code = _CODES.get(refusal.code, "TEMPORARILY_UNAVAILABLE")
        client.fail("REGISTER", code, nick, text=refusal.text)

    try:
        made = client.server.chat.make_account(client.me, password)
    except Refused as refusal:
        refused(refusal)
        return

    def done(account: str | Refused | None) -> None:
        if isinstance(account, Refused):
            refused(account)
        elif account is not None:
            client.send("REGISTER", "SUCCESS", account, "The account is yours")
            logged_in(client, account)

    def told(failure: Failure) -> Refused:
        failure.trap(Refused)
        assert isinstance(failure.value, Refused)
        return failure.value

    client.later(made.addErrback(told), done)


def verify(client: Client, line: Line) -> None:
    """VERIFY: nothing has to be verified here."""
    account = line.parameters[0]
    if _may(client, line, account):
        text = "There is nothing to verify"
        client.fail("VERIFY", "INVALID_CODE", account[:64], text=text)


COMMANDS = {
    "REGISTER": Command(register, "* * PASSWORD", "make an account of your nick", 3, early=True),
    "VERIFY": Command(verify, "ACCOUNT CODE", "nothing has to be verified here", 2, early=True),
}
