"""Coming in: PASS, NICK, USER and CAP, until a client is a person in the hub.

This module must not know rooms.
"""

from __future__ import annotations

import time
from functools import lru_cache

from socketsuite.services.chat.irc import commands_server
from socketsuite.services.chat.irc.capabilities import CAPABILITIES, REGISTER, shared
from socketsuite.services.chat.irc.client import Client
from socketsuite.services.chat.irc.command import Command
from socketsuite.services.chat.irc.numerics import NUMERICS
from socketsuite.services.chat.irc.open_batch import MOST_BYTES
from socketsuite.services.chat.irc.sasl_login import usable
from socketsuite.services.chat.irc.server import (
    KINDS,
    LONGEST_REALNAME,
    LONGEST_USER,
    USER_MODES,
    Offer,
    isupport,
)
from socketsuite.services.chat.irc.texts import shortened
from socketsuite.services.chat.nicks import key_of
from socketsuite.services.chat.refusals import Refused
from socketsuite.wire.irc import Line, packed, serialise
from socketsuite.wire.names import BadNameError, checked_nick

# ── who it is ───────────────────────────────────────────────────────────────────────


def password(client: Client, line: Line) -> None:
    """PASS: remember it for the end of registration."""
    if client.person is not None:
        client.reply("ERR_ALREADYREGISTERED")
    else:
        client.password = line.parameters[0]


def nick(client: Client, line: Line) -> None:
    """NICK: have that nick from now on, or once registered."""
    wanted = line.parameters[0] if line.parameters else ""
    if not wanted:
        client.reply("ERR_NONICKNAMEGIVEN")
    elif client.person is not None:
        client.hub.rename(client.person, wanted)
    else:
        try:
            wanted = checked_nick(wanted)
        except BadNameError as error:
            raise Refused("bad_nick", wanted[:64], str(error)) from None
        if key_of(wanted) in client.hub.people:
            raise Refused("nick_in_use", wanted, "somebody has that nick")
        client.wanted_nick = wanted


def user(client: Client, line: Line) -> None:
    """USER: a user name and a real name."""
    if client.person is not None:
        client.reply("ERR_ALREADYREGISTERED")
        return
    if not (line.parameters[0] and line.parameters[3]):
        client.reply("ERR_NEEDMOREPARAMS", "USER")
        return
    allowed = [c for c in line.parameters[0] if c.isascii() and (c.isalnum() or c in "-_.")]
    client.user = "~" + ("".join(allowed) or "user")[: LONGEST_USER - 1]
    client.realname = shortened(line.parameters[3], LONGEST_REALNAME)


def complete(client: Client) -> None:
    """Let the client in, once it has said all that is needed."""
    if client.person is not None or client.busy or client.closing or client.negotiating:
        return
    if not (client.wanted_nick and client.user):
        return
    if client.server.chat.check_server_password(client.password):
        _enter(client)
    else:
        client.reply("ERR_PASSWDMISMATCH")
        client.end("Password incorrect")


def _enter(client: Client) -> None:
    host, account = client.host, client.account
    # Since it has logged in, the account may have been taken away.
    known = account is not None and client.server.chat.logins.book.find(account) is not None
    try:
        person = client.hub.enter(
            frontend="irc",
            host=f"0{host}" if host.startswith(":") else host,
            render=client.server.renderers.for_capabilities(client.capabilities),
            write=client.writer,
            close=client.end,
            secure=client.secure,
            nick=client.wanted_nick,
            account=account if known else None,
            user=client.user,
        )
    except Refused as refused:
        client.refuse(refused)
        client.wanted_nick = ""
        return
    client.person = person
    client.server.unregistered -= 1
    person.realname, person.away = client.realname, client.away
    _welcome(client)
    if account is not None and client.server.chat.is_operator(account):
        commands_server.become_operator(client, account)


def _welcome(client: Client) -> None:
    server, nick = client.server, client.me.nick.encode()
    client.reply("RPL_WELCOME", text=f"Welcome to the {server.network} network, {client.me.mask}")
    alike = _greeting(server.name, server.version, server.started, server.network)
    client.deliver((b" %b " % nick).join(alike))
    commands_server.show_users(client, server.counts(lately=True))
    commands_server.motd(client, Line("MOTD"))


@lru_cache(maxsize=4)
def _greeting(name: str, version: str, started: float, network: str) -> list[bytes]:
    """Return what everybody is told alike, in pieces: between them the nick belongs."""
    since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(started))
    with_parameter = KINDS.lists + KINDS.always + KINDS.when_set
    modes = ["".join(sorted(USER_MODES)), with_parameter + KINDS.never, with_parameter]
    replies = [
        ("RPL_YOURHOST", [f"Your host is {name}, running {version}"]),
        ("RPL_CREATED", [f"This server was started {since}"]),
        ("RPL_MYINFO", [name, version, *modes]),
    ]
    tokens = isupport(network)
    for start in range(0, len(tokens), 13):
        for text in packed(tokens[start : start + 13], 380):
            replies.append(("RPL_ISUPPORT", [*text.split(" "), NUMERICS["RPL_ISUPPORT"].text]))
    lines = [
        serialise(NUMERICS[reply].number, ["*", *words], source=name) for reply, words in replies
    ]
    return b"".join(lines).split(b" * ")


# ── capabilities ────────────────────────────────────────────────────────────────────


def capability(client: Client, line: Line) -> None:
    """CAP: LS, LIST, REQ and END."""
    what = line.parameters[0].upper()
    if what in ("LS", "REQ") and client.person is None:
        client.negotiating = True
    if what == "LS":
        version = line.parameters[1] if len(line.parameters) > 1 else ""
        if version.isascii() and version.isdigit() and len(version) < 6:
            client.capability_version = max(client.capability_version, int(version))
        if client.capability_version >= 302:
            client.capabilities = shared(client.capabilities | {"cap-notify"})
        _show(client, "LS", offered(client))
    elif what == "LIST":
        _show(client, "LIST", sorted(client.capabilities))
    elif what == "REQ":
        _request(client, line.parameters[1] if len(line.parameters) > 1 else "")
    elif what == "END":
        client.negotiating = False
    else:
        client.reply("ERR_INVALIDCAPCMD", line.parameters[0][:32])


def values(client: Client, offer: Offer | None = None) -> dict[str, str]:
    """Return the capabilities that are there for this client, with their values.

    :param offer: as it was before; else as it is now.
    """
    offer = offer or client.server.offer()
    found = {name: one.value for name, one in CAPABILITIES.items()}
    found["draft/multiline"] = f"max-bytes={MOST_BYTES},max-lines={offer.lines}"
    found["sasl"] = ",".join(usable(client, offer.mechanisms))
    found["sts"] = client.server.sts(client.secure) if client.capability_version >= 302 else ""
    there = {"sasl": found["sasl"], "sts": found["sts"], REGISTER: offer.register}
    return {name: value for name, value in found.items() if there.get(name, True)}


def offered(client: Client) -> list[str]:
    """Return them as LS shows them."""
    shown = client.capability_version >= 302
    return [
        f"{name}={value}" if value and shown else name for name, value in values(client).items()
    ]


def tell_news(client: Client, offer: Offer) -> None:
    """Tell which capabilities have become others since *offer* was what there was."""
    before, now = values(client, offer), values(client)
    new = [name for name, value in now.items() if before.get(name) != value]
    gone = [name for name in before if name not in now]
    client.capabilities = shared(client.capabilities - set(gone))
    if "cap-notify" not in client.capabilities:
        return
    if new:
        _show(client, "NEW", [one for one in offered(client) if one.partition("=")[0] in new])
    if gone:
        _show(client, "DEL", gone)


def _show(client: Client, what: str, names: list[str]) -> None:
    room = 500 - len(f":{client.server.name} CAP {client.nick} {what} * :".encode())
    texts = packed(names, room) or [""]
    if client.capability_version < 302 and what == "LS" and len(texts) > 1:
        # Such a client reads one line; it knows no drafts.
        texts = packed([name for name in names if not name.startswith("draft/")], room)
    for text in texts[:-1]:
        if what in ("NEW", "DEL"):
            client.send("CAP", client.nick, what, text)
        elif client.capability_version >= 302:
            client.send("CAP", client.nick, what, "*", text)
        else:
            client.send("CAP", client.nick, what, text)
    client.send("CAP", client.nick, what, texts[-1])


def _request(client: Client, wanted: str) -> None:
    names, may = set(client.capabilities), set(values(client)) - {"sts"}
    for word in wanted.split():
        name = word.removeprefix("-")
        if name not in may or (word == "-cap-notify" and client.capability_version >= 302):
            client.send("CAP", client.nick, "NAK", wanted)
            return
        if word.startswith("-"):
            names.discard(name)
        else:
            names.add(name)
    client.capabilities = shared(frozenset(names))
    client.rerender()
    client.send("CAP", client.nick, "ACK", wanted)


COMMANDS = {
    "CAP": Command(capability, "LS | LIST | REQ | END", "negotiate capabilities", 1, early=True),
    "NICK": Command(nick, "NICK", "take a nick", early=True),
    "PASS": Command(password, "PASSWORD", "say the server's password", 1, early=True),
    "USER": Command(user, "USER 0 * :REALNAME", "say who you are", 4, early=True),
}
