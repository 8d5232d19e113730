"""What the daemon's operator may have the chat do, by ``socketsuite admin``.

This module must not know how it is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from socketsuite.contract import AdminCommand, CommandError
from socketsuite.services.chat.hub import Hub
from socketsuite.services.chat.refusals import Refused

_MOST_LISTED = 1000


def commands(hub: Hub) -> dict[str, AdminCommand]:
    """Return the commands over *hub*, by name."""

    def rooms() -> list[dict[str, Any]]:
        listed = sorted(hub.rooms.values(), key=lambda room: -len(room.members))
        return [
            {"room": room.name, "people": len(room.members), "topic": room.topic}
            for room in listed[:_MOST_LISTED]
        ]

    def people() -> list[dict[str, Any]]:
        return [
            {
                "nick": one.nick,
                "frontend": one.frontend,
                "host": one.host,
                "account": one.account,
                "rooms": [hub.rooms[key].name for key in one.rooms],
            }
            for one in list(hub.people.values())[:_MOST_LISTED]
        ]

    def kick(nick: str, room: str, *reason: str) -> str:
        _told(lambda: hub.moderation.kick(None, nick, room, " ".join(reason)))
        return f"{nick} is out of {room}"

    def ban(mask: str, room: str) -> str:
        _told(lambda: hub.moderation.set_modes(None, room, [(True, "b", mask)]))
        return f"{mask} may not come into {room}"

    def unban(mask: str, room: str) -> str:
        _told(lambda: hub.moderation.set_modes(None, room, [(False, "b", mask)]))
        return f"{mask} may come into {room}"

    def close(nick: str, *reason: str) -> str:
        _told(lambda: hub.person(nick)).close(" ".join(reason) or "closed by the operator")
        return f"{nick} is closed"

    return {
        "rooms": AdminCommand(rooms, "List the rooms, the largest first."),
        "people": AdminCommand(people, "List who is here."),
        "kick": AdminCommand(kick, "Put somebody out of a room.", "NICK ROOM [REASON]…"),
        "ban": AdminCommand(ban, "Keep a mask out of a room.", "MASK ROOM"),
        "unban": AdminCommand(unban, "Let a mask into a room again.", "MASK ROOM"),
        "close": AdminCommand(close, "Close somebody's connection.", "NICK [REASON]…"),
    }


def _told(do: Callable[[], Any]) -> Any:
    """Do it, and say what the hub refuses as the answer."""
    try:
        return do()
    except Refused as refused:
        raise CommandError(str(refused)) from None
