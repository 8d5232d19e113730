"""Rooms that are given another name: all else of them stays, and goes along.

This module knows no wire and no transport.
"""

from __future__ import annotations

from socketsuite.services.chat import events
from socketsuite.services.chat.empty_rooms import state_of, write_room
from socketsuite.services.chat.hub import Hub
from socketsuite.services.chat.nicks import key_of
from socketsuite.services.chat.person import Person
from socketsuite.services.chat.refusals import Refused
from socketsuite.services.chat.room import Room
from socketsuite.wire.names import BadNameError, checked_room

RENAMED_EVERY = 60.0
"""Seconds between two names of one room: each is told to everybody inside, with all who are."""


def rename_room(hub: Hub, person: Person, name: str, new: str, reason: str = "") -> None:
    """Give a room another name, and tell everybody inside.

    :raises Refused: when *person* may not, or that name is none, or another room's.
    """
    room = hub.room(name)
    room.require_operator(person)
    try:
        new = checked_room(new)
    except BadNameError as error:
        raise Refused("cannot_rename", room.name, str(error)) from None
    key, before, now = key_of(new), room.name, hub.now()
    if room is hub.lobby:
        raise Refused("cannot_rename", before, "this room keeps its name")
    if key != room.key and (key in hub.rooms or hub.empty_rooms.get(key) is not None):
        raise Refused("room_name_in_use", before, "there is a room of that name")
    if room.renamed_at is not None and now - room.renamed_at < RENAMED_EVERY:
        raise Refused("cannot_rename", before, "it was given its name a moment ago")
    room.renamed_at = now
    _move(hub, room, new)
    event = events.RoomRenamed(before, new, person.facts, reason)
    hub.tell(room.members, event)
    for observer in hub.moves:
        observer(room, event)


def _move(hub: Hub, room: Room, name: str) -> None:
    before, key = room.key, key_of(name)
    room.name, room.key = name, key
    room.history.rename(name)
    if key == before:
        hub.journal.room_changed(state_of(room, hub.now()))
        return
    del hub.rooms[before]
    hub.rooms[key] = room
    for person in room.members:
        # In their order: the last is where one speaks.
        person.rooms = {key if one == before else one: None for one in person.rooms}
    hub.journal.room_forgotten(before)
    write_room(hub.journal, room, hub.now())
