"""What happens in the chat, as facts: each is told to those whom it concerns.

A frontend renders an event once for all who see it alike.  This module must not know how.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

Kind = Literal["message", "emote", "notice"]


# Messages and what was said are facts too, and nobody changes them; but Python takes five times as
# long to make what is frozen, and these are made for each line.
@dataclass(slots=True, unsafe_hash=True)
class Message:
    """What somebody said at once, as it is kept: a line, or several that belong together.

    :ivar id: is no other message's of this server.
    :ivar order: its place in the room's one order, from 1; 0 for a private message.
    :ivar time: seconds since 1970.
    :ivar room: the room's name without ``#``; ``None`` for a private message.
    :ivar nick: of who said it; *mask* is ``nick!user@host``, *account* perhaps ``None``.
    :ivar named: whether that nick was chosen, and is to be shown by line clients.
    :ivar text: as it was received, without its last end of line; LF between lines, and never CR.
    :ivar tags: what a client says to other clients beside the text, for those who show it.
    :ivar cuts: where in the text its author began another line: behind each LF, and within lines
        that the author's wire had no room for.  Empty for almost all.
    """

    id: str
    order: int
    time: float
    room: str | None
    nick: str
    mask: str
    account: str | None
    named: bool
    kind: Kind
    text: bytes
    tags: str = ""
    cuts: tuple[int, ...] = ()

    def apart(self) -> tuple[Message, ...]:
        """Return a message for each line, for wires that know no other."""
        if not self.cuts:
            return (self,)
        return tuple(replace(self, text=line, cuts=()) for line in self.text.split(b"\n"))

    def parts(self) -> list[bytes]:
        """Return the text as its author cut it; a part that is a line's end has its LF."""
        return [self.text[start:end] for start, end in pairwise((0, *self.cuts, len(self.text)))]


def cuts_of(text: bytes) -> tuple[int, ...]:
    """Return where the lines of *text* begin, but for the first."""
    return tuple(place for place, byte in enumerate(text, 1) if byte == 10)


@dataclass(slots=True, unsafe_hash=True)
class Said:
    """Messages that were said together: in a room, or to one person.

    :ivar status: ``o`` or ``v`` where only those of a room hear it who have that.
    """

    messages: tuple[Message, ...]
    recipient: str | None = None
    status: str = ""


@dataclass(frozen=True, slots=True)
class Tagged:
    """What somebody's client tells other clients without a text, in a room or to one person."""

    id: str
    time: float
    person: PersonFacts
    room: str | None
    recipient: str | None
    tags: str


@dataclass(frozen=True, slots=True)
class Redacted:
    """A room's message, by its id *message*, is taken back and kept no more."""

    id: str
    time: float
    room: str
    message: str
    by: PersonFacts
    reason: str


@dataclass(frozen=True, slots=True)
class Joined:
    """Somebody came into a room."""

    person: PersonFacts
    room: str


@dataclass(frozen=True, slots=True)
class Left:
    """Somebody went out of a room."""

    person: PersonFacts
    room: str
    reason: str


@dataclass(frozen=True, slots=True)
class Kicked:
    """Somebody was put out of a room by *by*, a nick."""

    person: PersonFacts
    room: str
    by: PersonFacts | None
    reason: str


@dataclass(frozen=True, slots=True)
class Quit:
    """Somebody has left the server; told once to all who shared a room."""

    person: PersonFacts
    reason: str


@dataclass(frozen=True, slots=True)
class Renamed:
    """Somebody has another nick; *person* is as before."""

    person: PersonFacts
    nick: str


@dataclass(frozen=True, slots=True)
class RoomRenamed:
    """A room that was called *before* is called *room*; it is the same room."""

    before: str
    room: str
    by: PersonFacts
    reason: str


@dataclass(frozen=True, slots=True)
class TopicSet:
    """A room has another topic; empty is none."""

    room: str
    topic: str
    by: PersonFacts


@dataclass(frozen=True, slots=True)
class ModesSet:
    """Modes of a room changed: each with its sign, its letter, and what it is about."""

    room: str
    by: PersonFacts | None
    changes: tuple[tuple[bool, str, str | None], ...]


@dataclass(frozen=True, slots=True)
class AwaySet:
    """Somebody is away, or back (``None``)."""

    person: PersonFacts
    message: str | None


@dataclass(frozen=True, slots=True)
class AccountSet:
    """Somebody has logged in, or out (``None``)."""

    person: PersonFacts
    account: str | None


@dataclass(frozen=True, slots=True)
class LoggedOut:
    """The account that one was logged in as is no more; told to that one alone."""

    person: PersonFacts


@dataclass(frozen=True, slots=True)
class OperatorLost:
    """One is no operator of the server any more; told to that one alone."""

    person: PersonFacts


@dataclass(frozen=True, slots=True)
class RealnameSet:
    """Somebody has another real name."""

    person: PersonFacts
    realname: str


@dataclass(frozen=True, slots=True)
class Invited:
    """Somebody, by *nick*, is invited to a room."""

    nick: str
    room: str
    by: PersonFacts


@dataclass(frozen=True, slots=True)
class InviteSeen:
    """The same, told to those who are inside already."""

    nick: str
    room: str
    by: PersonFacts


@dataclass(frozen=True, slots=True)
class PersonFacts:
    """Who somebody was at that moment."""

    nick: str
    user: str
    host: str
    account: str | None
    realname: str
    named: bool

    @property
    def mask(self) -> str:
        """``nick!user@host``."""
        return f"{self.nick}!{self.user}@{self.host}"


Event = (
    Said
    | Tagged
    | Redacted
    | Joined
    | Left
    | Kicked
    | Quit
    | Renamed
    | RoomRenamed
    | TopicSet
    | ModesSet
    | AwaySet
    | AccountSet
    | LoggedOut
    | OperatorLost
    | RealnameSet
    | Invited
    | InviteSeen
)
