"""What there is in the chat, as JSON objects: messages, people, rooms, events.

Texts that people wrote have nothing in them that commands a terminal, as on the line frontend:
formatting of IRC is left out, other control characters are shown.  This module must not know how
an object is sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from socketsuite.services.chat import events
from socketsuite.services.chat.events import Event, Message, PersonFacts
from socketsuite.services.chat.person import Person
from socketsuite.services.chat.room import OPERATOR, VOICE, Room
from socketsuite.services.chat.web.fields import MODE_NAMES
from socketsuite.wire.printable import printable

Object = dict[str, Any]

MOST_MEMBERS = 1000
"""People of a room that are listed one by one."""

# mIRC's colours, RGB colours, and switches of bold, italics, underline and others.
_FORMATTING = re.compile(
    rb"\x03(?:\d{1,2}(?:,\d{1,2})?)?|\x04(?:[0-9A-Fa-f]{6}(?:,[0-9A-Fa-f]{6})?)?"
    rb"|[\x02\x0f\x11\x16\x1d\x1e\x1f]"
)


def shown(text: bytes) -> str:
    """Return a text as it is shown: valid, without formatting, and without control characters."""
    return printable(_FORMATTING.sub(b"", text)).decode()


def _clean(text: str) -> str:
    return shown(text.encode("utf-8", "replace"))


def milliseconds(seconds: float) -> int:
    """Return a time as JSON has it: milliseconds since 1970."""
    return int(seconds * 1000)


def message(said: Message, status: str = "", recipient: str | None = None) -> Object:
    """Return a message as it is sent live and in history.

    :param recipient: the nick it was said to, where it was said to one person.
    """
    found: Object = {
        "type": "message",
        "id": said.id,
        "time": milliseconds(said.time),
        "nick": said.nick,
        "account": said.account,
        "kind": said.kind,
        "text": "\n".join([shown(line.text) for line in said.apart()]),
    }
    if said.room is None:
        found["to"] = recipient
    else:
        found["room"], found["order"] = said.room, said.order
    if status:
        found["status"] = "operator" if status == OPERATOR else "voice"
    return found


def _person(person: PersonFacts) -> Object:
    return {"nick": person.nick, "account": person.account}


def member(room: Room, person: Person, *, details: bool = False) -> Object:
    """Return somebody in a room; *details* are for its operators."""
    statuses = room.members[person]
    found: Object = {
        "nick": person.nick,
        "account": person.account,
        "status": _status(statuses),
        "away": None if person.away is None else _clean(person.away),
    }
    if details:
        found["mask"] = person.mask
    return found


def _status(statuses: frozenset[str]) -> str | None:
    return "operator" if OPERATOR in statuses else "voice" if VOICE in statuses else None


def members(room: Room, *, details: bool = False) -> list[Object]:
    """Return who is in *room*; of many, the first :data:`MOST_MEMBERS`."""
    first = list(room.members)[:MOST_MEMBERS]
    return [member(room, person, details=details) for person in first]


def room_facts(room: Room) -> Object:
    """Return a room as lists of rooms have it."""
    return {"name": room.name, "people": len(room.members), "topic": _clean(room.topic)}


def room_state(room: Room, *, details: bool = False) -> Object:
    """Return a room as who comes in sees it, without its history."""
    return {
        **room_facts(room),
        "modes": sorted(MODE_NAMES[letter] for letter in room.flags if letter in MODE_NAMES),
        "limit": room.limit,
        "members": members(room, details=details),
    }


# ── events ──────────────────────────────────────────────────────────────────────────────


def objects_of(event: Event) -> list[Object]:
    """Return what a client is told of *event*; nothing where it is not shown."""
    if isinstance(event, events.Said):
        return [message(said, event.status, event.recipient) for said in event.messages]
    words = _EVENTS.get(type(event))
    if words is None:
        return []
    name, fields = words
    return [{"type": name, **fields(event)}]


def _by(person: PersonFacts | None) -> str | None:
    return person.nick if person is not None else None


def _changes(event: events.ModesSet) -> list[Object]:
    return [
        # A key is for those who know it.
        {"mode": MODE_NAMES[letter], "on": sign, "about": None if letter == "k" else about}
        for sign, letter, about in event.changes
        if letter in MODE_NAMES
    ]


_EVENTS: dict[type, tuple[str, Callable[[Any], Object]]] = {
    events.Redacted: (
        "redacted",
        lambda event: {
            "room": event.room,
            "id": event.message,
            "by": event.by.nick,
            "reason": _clean(event.reason),
        },
    ),
    events.Joined: ("joined", lambda event: {"room": event.room, **_person(event.person)}),
    events.Left: (
        "left",
        lambda event: {
            "room": event.room,
            "nick": event.person.nick,
            "reason": _clean(event.reason),
        },
    ),
    events.Kicked: (
        "kicked",
        lambda event: {
            "room": event.room,
            "nick": event.person.nick,
            "by": _by(event.by),
            "reason": _clean(event.reason),
        },
    ),
    events.Quit: (
        "quit",
        lambda event: {"nick": event.person.nick, "reason": _clean(event.reason)},
    ),
    events.Renamed: (
        "renamed",
        lambda event: {"nick": event.person.nick, "new_nick": event.nick},
    ),
    events.RoomRenamed: (
        "room-renamed",
        lambda event: {
            "room": event.before,
            "new_room": event.room,
            "by": event.by.nick,
            "reason": _clean(event.reason),
        },
    ),
    events.TopicSet: (
        "topic",
        lambda event: {"room": event.room, "topic": _clean(event.topic), "by": event.by.nick},
    ),
    events.ModesSet: (
        "modes",
        lambda event: {"room": event.room, "by": _by(event.by), "changes": _changes(event)},
    ),
    events.AwaySet: (
        "away",
        lambda event: {
            "nick": event.person.nick,
            "message": None if event.message is None else _clean(event.message),
        },
    ),
    events.AccountSet: (
        "account",
        lambda event: {"nick": event.person.nick, "account": event.account},
    ),
    events.OperatorLost: ("operator-lost", lambda event: {"nick": event.person.nick}),
    events.Invited: (
        "invited",
        lambda event: {"nick": event.nick, "room": event.room, "by": event.by.nick},
    ),
}
