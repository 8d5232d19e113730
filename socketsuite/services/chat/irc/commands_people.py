"""People: WHO, WHOIS, WHOWAS, USERHOST, ISON, AWAY, SETNAME and MONITOR."""

from __future__ import annotations

from collections.abc import Iterator

from socketsuite.services.chat.irc.client import Client
from socketsuite.services.chat.irc.command import Command
from socketsuite.services.chat.irc.commands_rooms import prefixes, sees, show_away
from socketsuite.services.chat.irc.server import (
    LONGEST_REALNAME,
    LONGEST_REASON,
    MOST_MONITORED,
)
from socketsuite.services.chat.irc.texts import shortened
from socketsuite.services.chat.nicks import key_of
from socketsuite.services.chat.person import Person
from socketsuite.services.chat.refusals import Refused
from socketsuite.services.chat.room import Room
from socketsuite.wire.irc import Line
from socketsuite.wire.masks import matches, normal_mask

MOST_FOUND = 500
"""People that one WHO by a mask tells of."""

_WHOX = "tcuihsnfdlaor"


def who(client: Client, line: Line) -> Iterator[None]:
    """WHO: who is in a room, or has a nick or mask; with ``%FIELDS`` those of WHOX."""
    mask = line.parameters[0] if line.parameters else "*"
    flags, _, wanted = (line.parameters[1] if len(line.parameters) > 1 else "").partition("%")
    fields, _, token = wanted.partition(",")
    for found in _whom(client, mask):
        if found is not None and ("o" not in flags or found[0].operator):
            if wanted:
                _who_x(client, *found, fields, token[:3])
            else:
                _who_one(client, *found)
        yield
    client.reply("RPL_ENDOFWHO", mask[:200])


def _whom(client: Client, mask: str) -> Iterator[tuple[Person, Room | None] | None]:
    """Yield those who are found, and ``None`` for each who was looked at and is not."""
    hub = client.hub
    if mask.startswith("#"):
        room = hub.rooms.get(key_of(mask.removeprefix("#")))
        if room is not None and sees(client, room):
            for one in tuple(room.members):
                yield (one, room) if one in room.members else None
        return
    exact = hub.people.get(key_of(mask))
    if exact is not None:
        yield exact, _room_of_both(client, exact)
    elif set(mask) & set("*?!@") or mask == "0":
        yield from _searched(client, normal_mask("*" if mask == "0" else mask))


def _searched(client: Client, pattern: str) -> Iterator[tuple[Person, Room | None] | None]:
    left, people = MOST_FOUND, client.hub.people
    for one in tuple(people.values()):
        there = people.get(one.key) is one
        if there and matches(pattern, key_of(one.mask)) and _shown(client, one):
            yield one, _room_of_both(client, one)
            left -= 1
            if not left:
                return
        else:
            yield None


def _shown(client: Client, person: Person) -> bool:
    """Whether a search finds *person*: the invisible only by who is in a room with them."""
    if "i" not in person.modes or client.me.operator or person is client.me:
        return True
    return any(key in client.me.rooms for key in person.rooms)


def _sees_in(client: Client, person: Person, room: Room) -> bool:
    """Whether the client may know that *person* is in *room*: of the invisible, who is inside."""
    if not sees(client, room):
        return False
    hidden = "i" in person.modes and person is not client.me and not client.me.operator
    return not hidden or client.me in room.members


def _room_of_both(client: Client, person: Person) -> Room | None:
    for key in person.rooms:
        room = client.hub.rooms[key]
        if _sees_in(client, person, room):
            return room
    return None


def _flags(client: Client, person: Person, room: Room | None) -> str:
    statuses = room.members.get(person, ()) if room is not None else ()
    return (
        ("H" if person.away is None else "G")
        + ("*" if person.operator else "")
        + ("B" if "B" in person.modes else "")
        + prefixes(client, statuses)
    )


def _who_one(client: Client, person: Person, room: Room | None) -> None:
    client.reply(
        "RPL_WHOREPLY",
        f"#{room.name}" if room is not None else "*",
        person.user,
        person.host,
        client.server.name,
        person.nick,
        _flags(client, person, room),
        text=f"0 {person.realname}",
    )


def _who_x(client: Client, person: Person, room: Room | None, fields: str, token: str) -> None:
    idle = str(int(client.hub.now() - person.spoke_at))
    values = {
        "t": token or "0",
        "c": f"#{room.name}" if room is not None else "*",
        "u": person.user,
        "i": "255.255.255.255",  # addresses are not told
        "h": person.host,
        "s": client.server.name,
        "n": person.nick,
        "f": _flags(client, person, room),
        "d": "0",
        "l": idle,
        "a": person.account or "0",
        "o": "n/a",
    }
    words = [values[letter] for letter in _WHOX if letter in fields and letter != "r"]
    if "r" in fields:
        client.reply("RPL_WHOSPCRPL", *words, text=person.realname or " ")
    else:
        client.reply("RPL_WHOSPCRPL", *words)


def whois(client: Client, line: Line) -> None:
    """WHOIS: what is known of somebody."""
    nick = line.parameters[-1]
    for one in nick.split(",")[:1]:
        try:
            _whois(client, client.hub.person(one))
        except Refused as refused:
            client.refuse(refused)
    client.reply("RPL_ENDOFWHOIS", nick)


def _whois(client: Client, person: Person) -> None:
    nick, server = person.nick, client.server
    client.reply("RPL_WHOISUSER", nick, person.user, person.host, "*", text=person.realname or " ")
    rooms = [client.hub.rooms[key] for key in person.rooms]
    shown = [
        f"{prefixes(client, room.members[person])}#{room.name}"
        for room in rooms
        if _sees_in(client, person, room)
    ]
    client.reply_packed("RPL_WHOISCHANNELS", shown, nick)
    client.reply("RPL_WHOISSERVER", nick, server.name, text=server.network)
    show_away(client, person)
    if person.operator:
        client.reply("RPL_WHOISOPERATOR", nick)
    if person.account is not None:
        client.reply("RPL_WHOISACCOUNT", nick, person.account)
    if "B" in person.modes:
        client.reply("RPL_WHOISBOT", nick)
    if person.secure:
        client.reply("RPL_WHOISSECURE", nick)
    idle = max(0, int(client.hub.now() - person.spoke_at))
    client.reply("RPL_WHOISIDLE", nick, str(idle), str(int(person.since)))


def whowas(client: Client, line: Line) -> None:
    """WHOWAS: who had a nick before, the last first."""
    nick = line.parameters[0]
    number = line.parameters[1] if len(line.parameters) > 1 else ""
    most = int(number) if number.isascii() and number.isdigit() and len(number) < 4 else 0
    found = [one for one in reversed(client.hub.gone) if key_of(one[1].nick) == key_of(nick)]
    for _, facts in found[: most or 20]:
        client.reply(
            "RPL_WHOWASUSER", facts.nick, facts.user, facts.host, "*", text=facts.realname or " "
        )
    if not found:
        client.reply("ERR_WASNOSUCHNICK", nick)
    client.reply("RPL_ENDOFWHOWAS", nick)


def userhost(client: Client, line: Line) -> None:
    """USERHOST: hosts of up to five people."""
    people = [client.hub.people.get(key_of(nick)) for nick in line.parameters[:5]]
    words = [
        f"{one.nick}{'*' if one.operator else ''}={'+' if one.away is None else '-'}"
        f"{one.user}@{one.host}"
        for one in people
        if one is not None
    ]
    client.reply("RPL_USERHOST", text=" ".join(words) or " ")


def ison(client: Client, line: Line) -> None:
    """ISON: which of these nicks are here."""
    nicks = " ".join(line.parameters).split()
    here = [client.hub.people[key_of(n)].nick for n in nicks if key_of(n) in client.hub.people]
    client.reply("RPL_ISON", text=" ".join(here) or " ")


def away(client: Client, line: Line) -> None:
    """AWAY: be away, with these words, or back."""
    words = shortened(line.parameters[0], LONGEST_REASON) if line.parameters else ""
    if client.person is not None:
        client.hub.set_away(client.person, words or None)
    elif "draft/pre-away" in client.capabilities:
        client.away = words or None
    else:
        client.reply("ERR_NOTREGISTERED")
        return
    client.reply("RPL_NOWAWAY" if words else "RPL_UNAWAY")


def setname(client: Client, line: Line) -> None:
    """SETNAME: have another real name."""
    if len(line.parameters[0].encode()) > LONGEST_REALNAME or not line.parameters[0]:
        client.fail("SETNAME", "INVALID_REALNAME", text="That is no real name for this server")
    else:
        client.hub.set_realname(client.me, line.parameters[0])


def monitor(client: Client, line: Line) -> None:
    """MONITOR: be told when people come and go."""
    what = line.parameters[0].upper()
    if what in ("+", "-"):
        nicks = line.parameters[1].split(",") if len(line.parameters) > 1 else []
        (_monitor_more if what == "+" else _monitor_less)(client, [n for n in nicks if n])
    elif what == "C":
        _monitor_less(client, list(client.monitoring.values()))
    elif what == "L":
        client.reply_packed("RPL_MONLIST", client.monitoring.values(), separator=",")
        client.reply("RPL_ENDOFMONLIST")
    elif what == "S":
        _monitor_state(client, list(client.monitoring.values()))


def _monitor_more(client: Client, nicks: list[str]) -> None:
    added = []
    for number, nick in enumerate(nicks):
        if key_of(nick) in client.monitoring:
            continue
        if len(client.monitoring) >= MOST_MONITORED:
            rest = ",".join(nicks[number:])
            client.reply("ERR_MONLISTFULL", str(MOST_MONITORED), rest)
            break
        client.monitoring[key_of(nick)] = nick
        client.server.watch(client, nick)
        added.append(nick)
    _monitor_state(client, added)


def _monitor_less(client: Client, nicks: list[str]) -> None:
    for nick in nicks:
        if client.monitoring.pop(key_of(nick), None) is not None:
            client.server.watch_no_more(client, nick)


def _monitor_state(client: Client, nicks: list[str]) -> None:
    people = client.hub.people
    here = [people[key_of(nick)].mask for nick in nicks if key_of(nick) in people]
    gone = [nick for nick in nicks if key_of(nick) not in people]
    client.reply_packed("RPL_MONONLINE", here, separator=",")
    client.reply_packed("RPL_MONOFFLINE", gone, separator=",")


COMMANDS = {
    "AWAY": Command(away, "[:WORDS]", "be away, or back", early=True),
    "ISON": Command(ison, "NICK{ NICK}", "see who is here", 1),
    "MONITOR": Command(monitor, "+ NICKS | - NICKS | C | L | S", "be told who comes and goes", 1),
    "SETNAME": Command(setname, ":REALNAME", "have another real name", 1),
    "USERHOST": Command(userhost, "NICK{ NICK}", "see people's hosts", 1),
    "WHO": Command(who, "[#ROOM | NICK | MASK] [o] [%FIELDS,TOKEN]", "find people", costly=True),
    "WHOIS": Command(whois, "[SERVER] NICK", "see what is known of somebody", 1),
    "WHOWAS": Command(whowas, "NICK [COUNT]", "see who had a nick", 1, costly=True),
}
