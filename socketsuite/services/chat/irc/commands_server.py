"""The server: what it is, and what its operators may do."""

from __future__ import annotations

import time

from socketsuite.services.chat.irc.client import Client
from socketsuite.services.chat.irc.command import Command
from socketsuite.services.chat.irc.server import LONGEST_REASON
from socketsuite.services.chat.irc.texts import shortened
from socketsuite.wire.irc import Line


def ping(client: Client, line: Line) -> None:
    """PING: answer it."""
    client.send("PONG", client.server.name, line.parameters[0])


def pong(client: Client, line: Line) -> None:
    """PONG: whatever comes from a client shows that it is there."""


def leave(client: Client, line: Line) -> None:
    """QUIT: go."""
    reason = shortened(line.parameters[0], LONGEST_REASON) if line.parameters else ""
    client.end(f"Quit: {reason}" if reason else "Quit")


def motd(client: Client, line: Line) -> None:
    """MOTD: the message of the day."""
    lines = client.server.motd()
    if not lines:
        client.reply("ERR_NOMOTD")
        return
    client.reply("RPL_MOTDSTART", text=f"- {client.server.name} Message of the day -")
    for text in lines:
        client.reply("RPL_MOTD", text=f"- {text}")
    client.reply("RPL_ENDOFMOTD")


def lusers(client: Client, line: Line) -> None:
    """LUSERS: how many are here."""
    show_users(client, client.server.counts())


def show_users(client: Client, counts: tuple[int, int]) -> None:
    """Tell how many are here, of whom so many are invisible, and operators of the server."""
    server, seen = client.server, len(client.hub.people)
    most = max(server.most_people, seen)
    invisible, operators = counts
    client.reply(
        "RPL_LUSERCLIENT",
        text=f"There are {seen - invisible} users and {invisible} invisible on 1 servers",
    )
    client.reply("RPL_LUSEROP", str(operators))
    client.reply("RPL_LUSERUNKNOWN", str(server.unregistered))
    client.reply("RPL_LUSERCHANNELS", str(len(client.hub.rooms)))
    client.reply("RPL_LUSERME", text=f"I have {seen} clients and 0 servers")
    for name, which in (("RPL_LOCALUSERS", "local"), ("RPL_GLOBALUSERS", "global")):
        text = f"Current {which} users {seen}, max {most}"
        client.reply(name, str(seen), str(most), text=text)


def version(client: Client, line: Line) -> None:
    """VERSION: which program this is."""
    client.reply("RPL_VERSION", client.server.version, client.server.name, text="socketsuite-chat")


def show_time(client: Client, line: Line) -> None:
    """TIME: the server's clock."""
    now = client.hub.now()
    text = time.strftime("%A %d %B %Y %H:%M:%S UTC", time.gmtime(now))
    client.reply("RPL_TIME", client.server.name, str(int(now)), text=text)


def admin(client: Client, line: Line) -> None:
    """ADMIN: whose server this is."""
    client.reply("RPL_ADMINME", client.server.name)
    text = f"{client.server.network}: ask an operator in #{client.hub.lobby.name}"
    client.reply("RPL_ADMINLOC1", text=text)


def info(client: Client, line: Line) -> None:
    """INFO: of this program."""
    since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(client.server.started))
    client.reply("RPL_INFO", text=f"{client.server.version}: one chat with several frontends")
    client.reply("RPL_INFO", text=f"On-line since {since}")
    client.reply("RPL_ENDOFINFO")


def links(client: Client, line: Line) -> None:
    """LINKS: which servers there are: this one."""
    name = client.server.name
    client.reply("RPL_LINKS", name, name, text=f"0 {client.server.network}")
    client.reply("RPL_ENDOFLINKS", "*")


# ── for operators ───────────────────────────────────────────────────────────────────


def oper(client: Client, line: Line) -> None:
    """OPER: become an operator of the server."""
    name, secret = line.parameters[:2]
    if not client.server.chat.logins.book.operators:
        client.reply("ERR_NOOPERHOST")
        return

    def checked(account: str | None) -> None:
        if account is None:
            client.reply("ERR_PASSWDMISMATCH")
        else:
            become_operator(client, account)

    client.later(client.server.chat.check_operator(name, secret, client.host), checked)


def become_operator(client: Client, account: str) -> None:
    """Have the client be an operator of the server by that *account*, and know it."""
    client.me.operator, client.me.operator_account = True, account
    client.reply("RPL_YOUREOPER")
    client.send("MODE", client.me.nick, "+o", source=client.me.mask)


def kill(client: Client, line: Line) -> None:
    """KILL: put somebody out of the server."""
    other = client.hub.person(line.parameters[0])
    reason = shortened(line.parameters[1], LONGEST_REASON)
    words = f"Killed ({client.me.nick} ({reason}))"
    client.hub.quit(other, words)
    other.close(words)


def wallops(client: Client, line: Line) -> None:
    """WALLOPS: say something to all who hear it."""
    text = shortened(line.parameters[0], LONGEST_REASON)
    for other in list(client.server.clients):
        if other.person is not None and "w" in other.person.modes:
            other.send("WALLOPS", text, source=client.me.mask)


def rehash(client: Client, line: Line) -> None:
    """REHASH: read the daemon's settings again."""
    client.reply("RPL_REHASHING", "settings")
    client.server.reload()


COMMANDS = {
    "ADMIN": Command(admin, "", "see whose server this is"),
    "INFO": Command(info, "", "see what this program is"),
    "KILL": Command(kill, "NICK :REASON", "put somebody out of the server", 2, operators=True),
    "LINKS": Command(links, "", "see which servers there are"),
    "LUSERS": Command(lusers, "", "see how many are here", costly=True),
    "MOTD": Command(motd, "", "see the message of the day"),
    "OPER": Command(oper, "NAME PASSWORD", "become an operator of the server", 2),
    "PING": Command(ping, "TOKEN", "ask whether the server is there", 1, early=True),
    "PONG": Command(pong, "[TOKEN]", "say that you are there", early=True),
    "QUIT": Command(leave, "[:REASON]", "go", early=True),
    "REHASH": Command(rehash, "", "read the settings again", operators=True),
    "TIME": Command(show_time, "", "see the server's clock"),
    "VERSION": Command(version, "", "see which program this is"),
    "WALLOPS": Command(
        wallops, ":TEXT", "say something to all who hear it", 1, operators=True, costly=True
    ),
}
