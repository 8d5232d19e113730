"""Requests of a room's operators: kicks, modes, lists, invitations.

This module must not know who may do what: the hub does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from socketsuite.services.chat.room import LISTS
from socketsuite.services.chat.web.fields import MODE_LETTERS, MODE_NAMES, Field
from socketsuite.services.chat.web.objects import milliseconds
from socketsuite.services.chat.web.request import Request, Result
from socketsuite.services.chat.web.session import LONGEST_WORDS, Session

Fields = Mapping[str, Any]

MOST_CHANGES = 20
"""Modes that one request changes."""


def kick(session: Session, said: Fields) -> None:
    """Put somebody out of a room."""
    reason = said.get("reason", "")
    session.hub.moderation.kick(session.me, said["nick"], said["room"], reason)


def invite(session: Session, said: Fields) -> None:
    """Let somebody in once."""
    session.hub.moderation.invite(session.me, said["nick"], session.room(said["room"]).name)


def modes(session: Session, said: Fields) -> Result:
    """Change a room's modes."""
    changes = [
        (change["on"], MODE_LETTERS[change["mode"]], change.get("about"))
        for change in said["changes"]
    ]
    done = session.hub.moderation.set_modes(session.me, said["room"], changes)
    return {
        "changes": [
            {"mode": MODE_NAMES[letter], "on": sign, "about": about} for sign, letter, about in done
        ]
    }


def lists(session: Session, said: Fields) -> Result:
    """Tell who is banned, excepted, invited and muted."""
    room = session.room(said["room"])
    room.require_operator(session.me)
    return {
        "entries": [
            {
                "mode": MODE_NAMES[letter],
                "about": entry.mask,
                "by": entry.by,
                "time": milliseconds(entry.at),
            }
            for letter in LISTS
            for entry in room.lists[letter].values()
        ]
    }


_ROOM = Field("the room's name, with or without #", most=65, required=True)
_NICK = Field("whose nick", most=64, required=True)

REQUESTS = {
    "kick": Request(
        "put somebody out of a room",
        kick,
        {"room": _ROOM, "nick": _NICK, "reason": Field("why", most=LONGEST_WORDS, empty=True)},
    ),
    "invite": Request("let somebody into a room once", invite, {"room": _ROOM, "nick": _NICK}),
    "modes": Request(
        "change a room's modes",
        modes,
        {
            "room": _ROOM,
            "changes": Field(
                f"1 to {MOST_CHANGES} changes; see Change",
                "changes",
                required=True,
                most=MOST_CHANGES,
            ),
        },
        {"changes": "those that were made"},
        cost=5,
    ),
    "lists": Request(
        "ask whom the room's lists name; for its operators",
        lists,
        {"room": _ROOM},
        {"entries": "mode, about (a mask), by, and time of each"},
        cost=10,
    ),
}
"""By their types."""
