"""What of a room outlives its people, and who is told when that changes.

A :class:`Journal` is told of every change of what is kept; this one writes nothing down.  This
module must not know where, or whether, anything is written.
"""

from __future__ import annotations

from dataclasses import dataclass

from socketsuite.services.chat.events import Message


@dataclass(frozen=True, slots=True)
class RoomState:
    """A room without its people and its messages.

    :ivar key: of its name, which other spellings have too.
    :ivar order: the place of its last message, 0 for none.
    :ivar used: when something was last said or set there, in seconds since 1970.
    :ivar lists: entries by the list's letter, each a mask, by whom, and when.
    """

    key: str
    name: str
    created: float
    used: float
    order: int
    topic: str = ""
    topic_by: str = ""
    topic_at: float = 0.0
    flags: str = "nt"
    password: str | None = None
    limit: int | None = None
    lists: tuple[tuple[str, tuple[tuple[str, str, float], ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class KeptRoom:
    """A room as it was written down, with its messages, the oldest first."""

    state: RoomState
    messages: tuple[Message, ...]


class Journal:
    """Is told what changes, in the reactor's thread; must neither wait nor raise."""

    def room_changed(self, state: RoomState) -> None:
        """A room came into being, or has another topic or other modes."""

    def room_forgotten(self, key: str) -> None:
        """A room, and everything said there, is no more."""

    def added(self, message: Message) -> None:
        """A message was said."""

    def evicted(self, message: Message) -> None:
        """This message of its room and all before it are beyond the limits."""

    def removed(self, message: Message) -> None:
        """This message was deleted."""
