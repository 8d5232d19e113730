"""RENAME: rooms that are given another name, after IRCv3's draft channel-rename."""

from __future__ import annotations

from collections.abc import Iterable

from socketsuite.services.chat import events
from socketsuite.services.chat.irc.client import Client
from socketsuite.services.chat.irc.command import Command
from socketsuite.services.chat.irc.commands_rooms import room_named, show_joined
from socketsuite.services.chat.irc.labels import middle
from socketsuite.services.chat.irc.server import LONGEST_REASON
from socketsuite.services.chat.irc.texts import shortened
from socketsuite.services.chat.nicks import key_of
from socketsuite.services.chat.refusals import Refused
from socketsuite.services.chat.renaming import rename_room
from socketsuite.services.chat.room import Room
from socketsuite.wire.irc import Line


def rename(client: Client, line: Line) -> None:
    """RENAME: give a room another name; who knows no such thing leaves it and comes in again."""
    name, new = line.parameters[:2]
    reason = shortened(line.parameters[2], LONGEST_REASON) if len(line.parameters) > 2 else ""
    room = room_named(client, name)
    try:
        if not new.startswith("#"):
            raise Refused("cannot_rename", room.name, "a room's name begins with #")
        rename_room(client.hub, client.me, f"#{room.name}", new, reason)
    except Refused as refused:
        code = _NO_RENAME.get(refused.code)
        if code is None:
            raise
        client.fail("RENAME", code, f"#{room.name}", middle(new[:80]), text=refused.text)


_NO_RENAME = {"room_name_in_use": "CHANNEL_NAME_IN_USE", "cannot_rename": "CANNOT_RENAME"}


def tell_renamed(clients: Iterable[Client], room: Room, event: events.RoomRenamed) -> None:
    """Show those who know no renaming that a room was left, and another joined."""
    if key_of(event.before) == room.key:  # another spelling is no other room
        return
    for client in tuple(clients):
        me = client.person
        if me is None or me not in room.members or "draft/channel-rename" in client.capabilities:
            continue
        client.deliver(me.render(events.Left(me.facts, event.before, event.reason)))
        client.deliver(me.render(events.Joined(me.facts, room.name)))
        show_joined(client, room)


COMMANDS = {
    "RENAME": Command(rename, "#ROOM #ROOM [:REASON]", "give a room another name", 2, costly=True),
}
