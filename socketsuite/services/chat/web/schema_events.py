"""The schemas of what the server sends: answers, events, and the objects in them.

Written by hand beside :mod:`~socketsuite.services.chat.web.objects`; a test holds every object that
the server sends against them.  This module must not know how they are made.
"""

from __future__ import annotations

from typing import Any

from socketsuite.services.chat.web.fields import MODE_LETTERS
from socketsuite.services.chat.web.requests import REQUESTS

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_MAYBE: Schema = {"type": ["string", "null"]}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_FLAG: Schema = {"type": "boolean"}
_TIME: Schema = {"type": "integer", "description": "milliseconds since 1970"}
_STATUS: Schema = {"enum": ["operator", "voice", None]}
_MODE: Schema = {"enum": list(MODE_LETTERS)}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _list(of: Schema) -> Schema:
    return {"type": "array", "items": of}


def _object(help: str, optional: tuple[str, ...] = (), **properties: Schema) -> Schema:
    return {
        "description": help,
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def _event(help: str, name: str, optional: tuple[str, ...] = (), **properties: Schema) -> Schema:
    return _object(help, optional, type={"const": name}, **properties)


_CHANGES = _list(_ref("ModeChange"))

DEFINITIONS: dict[str, Schema] = {
    "Member": _object(
        "somebody in a room; mask is for its operators",
        ("mask",),
        nick=_TEXT,
        account=_MAYBE,
        status=_STATUS,
        away=_MAYBE,
        mask=_TEXT,
    ),
    "RoomFacts": _object("a room in a list", name=_TEXT, people=_COUNT, topic=_TEXT),
    "Room": _object(
        "a room, and who is in it; of very many people, the first",
        name=_TEXT,
        people=_COUNT,
        topic=_TEXT,
        modes=_list(_MODE),
        limit={"type": ["integer", "null"]},
        members=_list(_ref("Member")),
    ),
    "ModeChange": _object("a mode that was set, or taken back", mode=_MODE, on=_FLAG, about=_MAYBE),
    "Entry": _object("of a room's lists", mode=_MODE, about=_TEXT, by=_TEXT, time=_TIME),
}

_ANSWER_FIELDS: dict[str, Schema] = {
    "version": {"type": "integer"},
    "server": _TEXT,
    "network": _TEXT,
    "software": _TEXT,
    "nick": _TEXT,
    "account": _MAYBE,
    "operator": _FLAG,
    "lobby": _TEXT,
    "accounts": _FLAG,
    "register": _FLAG,
    "longest_text": _COUNT,
    "frontend": _TEXT,
    "away": _MAYBE,
    "since": _TIME,
    "mask": _TEXT,
    "message": _ref("event-message"),
    "room": _ref("Room"),
    "messages": _list(_ref("event-message")),
    "more": _FLAG,
    "gap": _FLAG,
    "rooms": _list({"anyOf": [_TEXT, _ref("RoomFacts")]}),
    "changes": _CHANGES,
    "entries": _list(_ref("Entry")),
}

ANSWERS: dict[str, Schema] = {
    "answer-done": _object(
        "the answer to a request that was done, with the fields of that request's answer",
        ("request", *_ANSWER_FIELDS),
        type={"const": "done"},
        request=_TEXT,
        **_ANSWER_FIELDS,
    ),
    "answer-refused": _object(
        "the answer to a request that was not done",
        ("request",),
        type={"const": "refused"},
        request=_TEXT,
        code=_TEXT,
        about=_TEXT,
        text=_TEXT,
    ),
}

EVENTS: dict[str, Schema] = {
    "event-message": _event(
        "somebody said something, in a room or to you",
        "message",
        ("room", "order", "to", "status"),
        id=_TEXT,
        time=_TIME,
        nick=_TEXT,
        account=_MAYBE,
        kind={"enum": ["message", "emote", "notice"]},
        text=_TEXT,
        room=_TEXT,
        order=_COUNT,
        to=_MAYBE,
        status={"enum": ["operator", "voice"]},
    ),
    "event-redacted": _event(
        "a message was taken back", "redacted", room=_TEXT, id=_TEXT, by=_TEXT, reason=_TEXT
    ),
    "event-joined": _event("somebody came in", "joined", room=_TEXT, nick=_TEXT, account=_MAYBE),
    "event-left": _event("somebody went out", "left", room=_TEXT, nick=_TEXT, reason=_TEXT),
    "event-kicked": _event(
        "somebody was put out; by null is the server's operator",
        "kicked",
        room=_TEXT,
        nick=_TEXT,
        by=_MAYBE,
        reason=_TEXT,
    ),
    "event-quit": _event("somebody has left the server", "quit", nick=_TEXT, reason=_TEXT),
    "event-renamed": _event("somebody has another nick", "renamed", nick=_TEXT, new_nick=_TEXT),
    "event-room-renamed": _event(
        "a room has another name, and is the same room",
        "room-renamed",
        room=_TEXT,
        new_room=_TEXT,
        by=_TEXT,
        reason=_TEXT,
    ),
    "event-topic": _event("a room has another topic", "topic", room=_TEXT, topic=_TEXT, by=_TEXT),
    "event-modes": _event("modes have changed", "modes", room=_TEXT, by=_MAYBE, changes=_CHANGES),
    "event-away": _event("somebody is away, or back (null)", "away", nick=_TEXT, message=_MAYBE),
    "event-account": _event("somebody logged in, or out", "account", nick=_TEXT, account=_MAYBE),
    "event-operator-lost": _event(
        "you are no operator of the server any more", "operator-lost", nick=_TEXT
    ),
    "event-invited": _event("you may come in once", "invited", nick=_TEXT, room=_TEXT, by=_TEXT),
    "event-closed": _event("the server closes the connection", "closed", reason=_TEXT),
}

_told = {name for request in REQUESTS.values() for name in request.answers}
assert _told <= _ANSWER_FIELDS.keys(), _told - _ANSWER_FIELDS.keys()
