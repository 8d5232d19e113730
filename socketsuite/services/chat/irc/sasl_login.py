"""AUTHENTICATE: logging in by SASL, before registration ends or after.

This module must not know the mechanisms.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable

from twisted.internet.defer import maybeDeferred

from socketsuite.services.chat.irc import commands_server
from socketsuite.services.chat.irc.client import Client
from socketsuite.services.chat.irc.command import Command
from socketsuite.services.chat.sasl import Challenge, Mechanism, Step, Success
from socketsuite.wire.irc import Line

_CHUNK = 400
_MOST_SASL = 8192
"""Characters of base64 that one answer of a client may have, in chunks of 400."""


def mechanisms(client: Client) -> list[str]:
    """Return the mechanisms by which this client may log in."""
    return usable(client, client.server.chat.sasl_mechanisms())


def usable(client: Client, names: Iterable[str]) -> list[str]:
    """Return which of the mechanisms *names* are for this client."""
    return [name for name in names if name != "EXTERNAL" or client.certificate is not None]


def authenticate(client: Client, line: Line) -> None:
    """AUTHENTICATE: begin a mechanism's exchange, go on with it, or end it."""
    what = line.parameters[0]
    if "sasl" not in client.capabilities:
        client.reply("ERR_SASLFAIL")
    elif client.me_account is not None:
        client.reply("ERR_SASLALREADY")
    elif what == "*":
        _forget(client)
        client.reply("ERR_SASLABORTED")
    elif client.exchange is None:
        _begin(client, what.upper())
    else:
        _go_on(client, client.exchange, what)


def _begin(client: Client, name: str) -> None:
    if name not in mechanisms(client):
        client.reply("RPL_SASLMECHS", ",".join(mechanisms(client)) or "*")
        client.reply("ERR_SASLFAIL")
        return
    client.exchange = client.server.chat.sasl(name, client.host, client.certificate)
    client.send("AUTHENTICATE", "+")


def _go_on(client: Client, exchange: Mechanism, chunk: str) -> None:
    if len(chunk) > _CHUNK or len(client.exchange_data) > _MOST_SASL:
        _forget(client)
        client.reply("ERR_SASLTOOLONG")
        return
    client.exchange_data += "" if chunk == "+" else chunk
    if len(chunk) == _CHUNK:
        return
    text, client.exchange_data = client.exchange_data, ""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        _failed(client)
        return
    if client.success is not None:
        _succeeded(client, client.success)
        return
    client.later(maybeDeferred(exchange.step, data), lambda step: _stepped(client, step))


def _stepped(client: Client, step: Step | None) -> None:
    if isinstance(step, Challenge):
        _challenge(client, step.data)
    elif isinstance(step, Success):
        if step.final:
            client.success = step
            _challenge(client, step.final)
        else:
            _succeeded(client, step)
    else:
        _failed(client)


def _challenge(client: Client, data: bytes) -> None:
    text = base64.b64encode(data).decode()
    for start in range(0, len(text) + 1, _CHUNK):
        client.send("AUTHENTICATE", text[start : start + _CHUNK] or "+")


def _succeeded(client: Client, success: Success) -> None:
    _forget(client)
    logged_in(client, success.account)
    client.reply("RPL_SASLSUCCESS")
    person, is_operator = client.person, client.server.chat.is_operator
    if person is not None and is_operator(success.account) and not person.operator:
        commands_server.become_operator(client, success.account)


def logged_in(client: Client, account: str) -> None:
    """Have the client be logged in as *account*, and tell whom it concerns."""
    client.account = account
    mask = client.person.mask if client.person else f"{client.nick}!*@*"
    client.reply("RPL_LOGGEDIN", mask, account, text=f"You are now logged in as {account}")
    if client.person is not None:
        client.hub.set_account(client.person, account)


def _failed(client: Client) -> None:
    _forget(client)
    client.reply("ERR_SASLFAIL")


def _forget(client: Client) -> None:
    client.exchange, client.exchange_data, client.success = None, "", None


COMMANDS = {
    "AUTHENTICATE": Command(authenticate, "MECHANISM | DATA | *", "log in by SASL", 1, early=True),
}
