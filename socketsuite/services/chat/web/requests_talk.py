"""Requests by which people say things, and take them back.

This module must not know how objects are carried.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from socketsuite.services.chat.refusals import Refused
from socketsuite.services.chat.web.fields import Field
from socketsuite.services.chat.web.objects import message
from socketsuite.services.chat.web.request import Request, Result
from socketsuite.services.chat.web.session import LONGEST_TEXT, LONGEST_WORDS, Session

Fields = Mapping[str, Any]


def say(session: Session, said: Fields) -> Result:
    """Say something in a room, or to one person."""
    text, kind = said["text"].encode(), said.get("kind", "message")
    if ("room" in said) == ("to" in said):
        raise Refused("bad_request", "room", "or to has to be there, and not both")
    speech = session.hub.speech
    if "room" in said:
        room = session.room(said["room"])
        return {"message": message(speech.say_in(room, session.me, [text], kind)[0])}
    other = session.hub.person(said["to"])
    told = speech.tell_person(session.me, other.nick, [text], kind)[0]
    return {"message": message(told, recipient=other.nick)}


def redact(session: Session, said: Fields) -> None:
    """Take a message back."""
    room = session.room(said["room"])
    session.hub.speech.redact(session.me, room, said["id"], said.get("reason", ""))


_ROOM = Field("the room's name, with or without #", most=65)

REQUESTS = {
    "say": Request(
        "say something in a room, or to one person",
        say,
        {
            "room": _ROOM,
            "to": Field("a nick, for one person alone", most=64),
            "text": Field("what", most=LONGEST_TEXT, required=True),
            "kind": Field(
                "message unless said; an emote is what you do",
                choices=("message", "emote", "notice"),
            ),
        },
        {"message": "as it is kept, with its id; others get it, you have this"},
    ),
    "redact": Request(
        "take a message back: your own, or any as the room's operator",
        redact,
        {
            "room": Field("the room's name, with or without #", most=65, required=True),
            "id": Field("of the message", required=True),
            "reason": Field("why", most=LONGEST_WORDS, empty=True),
        },
        cost=5,
    ),
}
"""By their types."""
