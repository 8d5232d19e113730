"""Rooms: coming and going, topics, who is there, and moderation but for modes."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator

from socketsuite.services.chat import events
from socketsuite.services.chat.irc.client import Client
from socketsuite.services.chat.irc.command import Command
from socketsuite.services.chat.irc.commands_history import show_marker
from socketsuite.services.chat.irc.server import (
    LONGEST_KEY,
    LONGEST_REASON,
    LONGEST_TOPIC,
    PREFIXES,
)
from socketsuite.services.chat.irc.texts import shortened
from socketsuite.services.chat.nicks import key_of
from socketsuite.services.chat.person import Person
from socketsuite.services.chat.refusals import Refused
from socketsuite.services.chat.room import Room
from socketsuite.wire.irc import Line
from socketsuite.wire.masks import matches

REPLAYED = 50
"""Messages that somebody who joins is shown, at most."""


def each(client: Client, names: str) -> list[str]:
    """Return the names between commas, each once."""
    if "," not in names:  # almost always
        return [names] if names else []
    return list(dict.fromkeys(filter(None, names.split(","))))


def room_named(client: Client, name: str) -> Room:
    """Return the room.

    :raises Refused: when there is none.
    """
    if not name.startswith("#"):
        raise Refused("bad_room", name, "a room's name begins with #")
    return client.hub.room(name)


def sees(client: Client, room: Room) -> bool:
    """Whether the client may know of *room* and who is in it."""
    return "s" not in room.flags or client.me in room.members or client.me.operator


def prefixes(client: Client, statuses: Collection[str]) -> str:
    """Return the signs of *statuses*: all of them, or the highest."""
    signs = "".join(sign for letter, sign in PREFIXES.items() if letter in statuses)
    return signs if "multi-prefix" in client.capabilities else signs[:1]


def join(client: Client, line: Line) -> Iterator[None]:
    """JOIN: come in, see the topic and the names, and what was said before."""
    if line.parameters[0] == "0":
        for room in [client.hub.rooms[key] for key in client.me.rooms]:
            client.hub.leave(client.me, f"#{room.name}")
        return
    keys = line.parameters[1].split(",") if len(line.parameters) > 1 else []
    for number, name in enumerate(line.parameters[0].split(",")):
        key = keys[number] if number < len(keys) else None
        try:
            if name:
                _join_one(client, name, key)
        except Refused as refused:
            client.refuse(refused)
        yield


def _join_one(client: Client, name: str, key: str | None) -> None:
    me = client.me
    if not name.startswith("#"):
        raise Refused("bad_room", name, "a room's name begins with #")
    before = len(me.rooms)
    room = client.hub.join(me, name, key[:LONGEST_KEY] if key else None)
    if len(me.rooms) == before:
        return
    if me.away is not None:
        others = [one for one in room.members if one is not me and one.frontend == "irc"]
        client.tell_to(others, events.AwaySet(me.facts, me.away))
    show_joined(client, room)
    replay(client, room)


def show_joined(client: Client, room: Room) -> None:
    """Show what belongs to a JOIN: the topic, what has been read, and the names."""
    if room.topic:
        show_topic(client, room)
    if "draft/read-marker" in client.capabilities:
        show_marker(client, f"#{room.name}")
    if not {"no-implicit-names", "draft/no-implicit-names"} & client.capabilities:
        show_names(client, room)


def replay(client: Client, room: Room) -> None:
    """Show what was said before; not to who asks for that by itself."""
    if "draft/chathistory" in client.capabilities:
        return
    messages = room.history.latest(REPLAYED)
    if not messages:
        return
    render = client.server.renderers.for_capabilities(client.capabilities)
    with client.batch("chathistory", f"#{room.name}") as batch:
        for message in messages:
            client.deliver(render.message(message, batch=batch, stamp=True))


def part(client: Client, line: Line) -> None:
    """PART: leave rooms."""
    reason = shortened(line.parameters[1], LONGEST_REASON) if len(line.parameters) > 1 else ""
    for name in each(client, line.parameters[0]):
        try:
            room = room_named(client, name)
            client.hub.leave(client.me, f"#{room.name}", reason)
        except Refused as refused:
            client.refuse(refused)


def topic(client: Client, line: Line) -> None:
    """TOPIC: see it, or set it."""
    room = room_named(client, line.parameters[0])
    if len(line.parameters) > 1:
        text = shortened(line.parameters[1], LONGEST_TOPIC)
        client.hub.moderation.set_topic(client.me, f"#{room.name}", text)
    elif not sees(client, room):
        raise Refused("not_in_room", room.name, "you are not in that room")
    elif room.topic:
        show_topic(client, room)
    else:
        client.reply("RPL_NOTOPIC", f"#{room.name}")


def show_topic(client: Client, room: Room) -> None:
    """Tell a room's topic, who set it, and when."""
    client.reply("RPL_TOPIC", f"#{room.name}", text=room.topic)
    client.reply("RPL_TOPICWHOTIME", f"#{room.name}", room.topic_by, str(int(room.topic_at)))


def names(client: Client, line: Line) -> Iterator[None]:
    """NAMES: who is in rooms."""
    if not line.parameters:
        client.reply("RPL_ENDOFNAMES", "*")
        return
    for name in each(client, line.parameters[0]):
        try:
            show_names(client, room_named(client, name))
        except Refused:
            client.reply("RPL_ENDOFNAMES", name)
        yield


def show_names(client: Client, room: Room) -> None:
    """Tell who is in a room, with their statuses."""
    if sees(client, room):
        masks = "userhost-in-names" in client.capabilities
        words = (
            (prefixes(client, statuses) if statuses else "")
            + (person.mask if masks else person.nick)
            for person, statuses in room.members.items()
        )
        sign = "@" if "s" in room.flags else "="
        client.reply_packed("RPL_NAMREPLY", words, sign, f"#{room.name}")
    client.reply("RPL_ENDOFNAMES", f"#{room.name}")


def kick(client: Client, line: Line) -> None:
    """KICK: put people out of a room."""
    room = room_named(client, line.parameters[0])
    reason = shortened(line.parameters[2], LONGEST_REASON) if len(line.parameters) > 2 else ""
    for nick in each(client, line.parameters[1]):
        try:
            client.hub.moderation.kick(client.me, nick, f"#{room.name}", reason)
        except Refused as refused:
            refuse_in(client, room, refused)


def refuse_in(client: Client, room: Room, refused: Refused) -> None:
    """Tell a refusal that is about somebody in a room: both are named."""
    if refused.code == "they_are_not_in_room":
        client.reply("ERR_USERNOTINCHANNEL", refused.about, f"#{room.name}")
    elif refused.code == "already_in_room":
        client.reply("ERR_USERONCHANNEL", refused.about, f"#{room.name}")
    else:
        client.refuse(refused)


def invite(client: Client, line: Line) -> None:
    """INVITE: let somebody in once."""
    nick, name = line.parameters[:2]
    room = room_named(client, name)
    try:
        client.hub.moderation.invite(client.me, nick, f"#{room.name}")
    except Refused as refused:
        refuse_in(client, room, refused)
        return
    other = client.hub.person(nick)
    client.reply("RPL_INVITING", other.nick, f"#{room.name}")
    show_away(client, other)


def show_away(client: Client, other: Person) -> None:
    """Tell that somebody is away, and with which words."""
    if other.away is not None:
        client.reply("RPL_AWAY", other.nick, text=other.away or "away")


def list_rooms(client: Client, line: Line) -> Iterator[None]:
    """LIST: rooms, with how many are in each and its topic; ELIST is CMNTU."""
    wanted = each(client, line.parameters[0]) if line.parameters else []
    client.reply("RPL_LISTSTART", "Channel")
    exact = [name for name in wanted if name.startswith("#") and not set(name) & set("*?")]
    if exact and len(exact) == len(wanted):
        found = []
        for name in exact:
            with contextlib.suppress(Refused):
                found.append(client.hub.room(name))
    else:
        found = list(client.hub.rooms.values())
    conditions = [Condition(text, client.hub.now()) for text in wanted[:10] if not exact]
    for room in found:
        # One that has been left meanwhile is there no more.
        there = client.hub.rooms.get(room.key) is room and sees(client, room)
        if there and all(one.holds(room) for one in conditions):
            client.reply(
                "RPL_LIST", f"#{room.name}", str(len(room.members)), text=room.topic or " "
            )
        yield
    client.reply("RPL_LISTEND")


class Condition:
    """One condition of LIST: ``>3``, ``<9`` people; ``C>5``, ``T<60`` minutes; a mask, ``!mask``.

    What is none of these holds for no room.
    """

    def __init__(self, text: str, now: float) -> None:
        self._text, self._now = text, now
        head = text[:1].upper()
        self._what = head if head in ("C", "T") and text[1:2] in ("<", ">") else ""
        rest = text[1:] if self._what else text
        self._sign, number = rest[:1], rest[1:]
        valid = number.isascii() and number.isdigit() and len(number) < 10
        self._number = int(number) if self._sign in ("<", ">") and valid else None

    def holds(self, room: Room) -> bool:
        """Whether *room* is as it says."""
        if self._number is None:
            return self._is_mask(room)
        value = float(len(room.members))
        if self._what:
            since = room.created if self._what == "C" else room.topic_at
            if not since:
                return False
            value = (self._now - since) / 60
        return value > self._number if self._sign == ">" else value < self._number

    def _is_mask(self, room: Room) -> bool:
        without = self._text.startswith("!")
        return matches(key_of(self._text.removeprefix("!")), f"#{room.key}") != without


COMMANDS = {
    "INVITE": Command(invite, "NICK #ROOM", "let somebody into a room", 2),
    "JOIN": Command(
        join, "#ROOM{,#ROOM} [KEY{,KEY}]", "come into rooms; 0 leaves all", 1, costly=True
    ),
    "KICK": Command(kick, "#ROOM NICK{,NICK} [:REASON]", "put people out of a room", 2),
    "LIST": Command(
        list_rooms, "[#ROOM | MASK | >N | <N | C>MIN | T<MIN]", "see which rooms", costly=True
    ),
    "NAMES": Command(names, "#ROOM{,#ROOM}", "see who is in rooms", costly=True),
    "PART": Command(part, "#ROOM{,#ROOM} [:REASON]", "leave rooms", 1),
    "TOPIC": Command(topic, "#ROOM [:TOPIC]", "see or set a topic", 1),
}
