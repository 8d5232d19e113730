"""Requests about rooms: coming and going, what was said there, who is there, topics.

This module must not know how objects are carried.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from socketsuite.services.chat.events import Message
from socketsuite.services.chat.refusals import Refused
from socketsuite.services.chat.renaming import rename_room
from socketsuite.services.chat.room import Room
from socketsuite.services.chat.web.fields import Field
from socketsuite.services.chat.web.objects import message, room_facts, room_state
from socketsuite.services.chat.web.request import Request, Result
from socketsuite.services.chat.web.session import LONGEST_WORDS, Session

Fields = Mapping[str, Any]

MOST_HISTORY = 200
"""Messages that one answer holds."""

MOST_HISTORY_BYTES = 1 << 18
"""Bytes of text that one answer holds, about."""

MOST_ROOMS = 500
"""Rooms that are listed."""


def join(session: Session, said: Fields) -> Result:
    """Come into a room, and get what was missed."""
    room = session.hub.join(session.me, said["room"], said.get("key"))
    return {
        "room": room_state(room, details=room.is_operator(session.me)),
        **_missed(room, said.get("after"), said.get("limit", 50)),
    }


def _missed(room: Room, after: str | None, limit: int) -> Result:
    """Return the messages behind the one with the id *after*, or the last.

    Where the history does not reach back so far, or more was said than is told, there is a gap.
    """
    everything = list(room.history)
    place = None if after is None else _place(everything, after)
    missed = everything if place is None else everything[place + 1 :]
    told = _bounded(missed[-limit:] if limit else [])
    more = len(told) < len(missed)
    return {
        "messages": [message(one) for one in told],
        "more": more,
        "gap": after is not None and (place is None or more),
    }


def _bounded(messages: list[Message]) -> list[Message]:
    """Return the last of *messages* that one answer holds."""
    size, count = 0, 0
    for one in reversed(messages):
        size += len(one.text)
        if count and size > MOST_HISTORY_BYTES:
            break
        count += 1
    return messages[len(messages) - count :]


def _place(messages: list[Message], number: str) -> int | None:
    for place in range(len(messages) - 1, -1, -1):
        if messages[place].id == number:
            return place
    return None


def history(session: Session, said: Fields) -> Result:
    """Tell what was said before a message, or last."""
    room = session.room(said["room"])
    room.require_member(session.me)
    everything = list(room.history)
    end = len(everything)
    if "before" in said:
        place = _place(everything, said["before"])
        if place is None:
            raise Refused("no_such_message", room.name, "there is no such message any more")
        end = place
    earlier = everything[:end]
    limit = said.get("limit", 50)
    told = _bounded(earlier[-limit:] if limit else [])
    return {"messages": [message(one) for one in told], "more": len(told) < len(earlier)}


def leave(session: Session, said: Fields) -> None:
    """Go out of a room."""
    session.hub.leave(session.me, said["room"], said.get("reason", ""))


def rooms(session: Session, said: Fields) -> Result:
    """List the rooms that one may know of."""
    known = (room for room in session.hub.rooms.values() if session.knows(room))
    listed = list(islice(known, MOST_ROOMS))
    return {"rooms": [room_facts(room) for room in listed]}


def who(session: Session, said: Fields) -> Result:
    """Tell how a room is, and who is there."""
    room = session.room(said["room"])
    return {"room": room_state(room, details=room.is_operator(session.me))}


def rename(session: Session, said: Fields) -> None:
    """Give a room another name."""
    room = session.room(said["room"])
    rename_room(session.hub, session.me, room.name, said["new_room"], said.get("reason", ""))


def topic(session: Session, said: Fields) -> None:
    """Set a room's topic."""
    session.hub.moderation.set_topic(session.me, said["room"], said.get("topic", ""))


_ROOM = Field("the room's name, with or without #", most=65, required=True)
_LIMIT = Field(f"messages at most, 50 unless said, to {MOST_HISTORY}", "integer", most=MOST_HISTORY)
_STATE = "name, people, topic, modes, limit, members; see Room"
_MESSAGES = "the oldest first; see Message"

REQUESTS = {
    "join": Request(
        "come into a room, which comes into being by that",
        join,
        {
            "room": _ROOM,
            "key": Field("the room's key, where it has one"),
            "after": Field("the id of the last message you have; what came after it is told"),
            "limit": _LIMIT,
        },
        {
            "room": _STATE,
            "messages": _MESSAGES,
            "more": "whether there are earlier messages than these, to be asked for",
            "gap": "whether messages lack between *after* and these",
        },
        cost=20,
    ),
    "leave": Request(
        "go out of a room",
        leave,
        {"room": _ROOM, "reason": Field("why", most=LONGEST_WORDS, empty=True)},
    ),
    "history": Request(
        "ask for what was said before, in a room that you are in",
        history,
        {
            "room": _ROOM,
            "before": Field("the id of the first message you have; without it, the last"),
            "limit": _LIMIT,
        },
        {"messages": _MESSAGES, "more": "whether there are earlier messages still"},
        cost=20,
    ),
    "rooms": Request(
        f"list the rooms, {MOST_ROOMS} at most",
        rooms,
        {},
        {"rooms": "name, people and topic of each"},
        cost=50,
    ),
    "who": Request("ask who is in a room", who, {"room": _ROOM}, {"room": _STATE}, cost=20),
    "rename-room": Request(
        "give a room another name; it is the same room",
        rename,
        {
            "room": _ROOM,
            "new_room": Field("its new name, with or without #", most=65, required=True),
            "reason": Field("why", most=LONGEST_WORDS, empty=True),
        },
    ),
    "topic": Request(
        "set a room's topic",
        topic,
        {"room": _ROOM, "topic": Field("without it there is none", most=LONGEST_WORDS, empty=True)},
    ),
}
"""By their types."""
