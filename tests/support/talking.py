"""People in a hub of the chat, without any frontend, and a clock that a test sets."""

from __future__ import annotations

from socketsuite.services.chat.events import Message
from socketsuite.services.chat.hub import Hub
from socketsuite.services.chat.person import Person


class Now:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0

    def __call__(self) -> float:
        return self.seconds


def message(order: int, at: float = 1.0, text: bytes = b"", room: str = "lobby") -> Message:
    mask = "bob!l@host"
    return Message(f"x-{order}", order, at, room, "bob", mask, None, False, "message", text)


def enter(hub: Hub, nick: str) -> Person:
    person = hub.enter(
        frontend="test",
        host="host",
        render=lambda event: b"",
        write=lambda data: None,
        close=lambda reason: None,
    )
    hub.rename(person, nick)
    return person
