"""A room: who is in it, who may do what there, and what has been said.

This module must not know how a person is connected, nor how anything looks on a wire.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from weakref import WeakSet

from socketsuite.services.chat.history import History
from socketsuite.services.chat.nicks import key_of
from socketsuite.services.chat.person import Person, Render, Write
from socketsuite.services.chat.refusals import Refused
from socketsuite.wire.masks import matches, normal_mask

OPERATOR, VOICE = "o", "v"
FLAGS = {
    "i": "invited people only",
    "m": "only operators and those with voice speak",
    "n": "only those inside speak",
    "s": "not listed",
    "t": "only operators set the topic",
    "C": "no CTCP",
}
"""The modes of a room that are on or off, by their letters."""

LISTS = {
    "b": "who may not come in",
    "e": "who may all the same",
    "I": "who needs no invitation",
    "q": "who may not speak",
}
"""The lists of masks that a room has, by their letters."""

# One object for all who have the same, which is almost everybody.
_NO_STATUS: frozenset[str] = frozenset()
_FIRST = frozenset({OPERATOR})

MOST_MASKS = 100
"""Entries of one list."""


@dataclass(frozen=True, slots=True)
class Listed:
    """An entry of such a list: by whom, and when in seconds since 1970."""

    mask: str
    by: str
    at: float


class Room:
    """One room.

    :ivar name: without ``#``, as it was first written; *key* is what other spellings have too.
    :ivar members: everybody inside, with their statuses, of ``o`` and ``v``.
    :ivar flags: those of :data:`FLAGS` that are on.
    :ivar order: the place of the last message.
    :ivar renamed_at: when the room was given its name, in seconds since 1970.
    :ivar invited: who may come in once, whatever keeps others out; whoever has that nick later
        may not.
    """

    def __init__(self, name: str, history: History, now: float) -> None:
        self.name = name
        self.key = key_of(name)
        self.history = history
        self.created = now
        self.members: dict[Person, frozenset[str]] = {}
        self.listeners: dict[Render, dict[Person, Write]] = {}
        self.topic = ""
        self.topic_by = ""
        self.topic_at = 0.0
        self.flags: set[str] = {"n", "t"}
        self.password: str | None = None
        self.limit: int | None = None
        self.lists: dict[str, dict[str, Listed]] = {letter: {} for letter in LISTS}
        self.invited: WeakSet[Person] = WeakSet()
        self.order = 0
        self.renamed_at: float | None = None

    # ── who is here ─────────────────────────────────────────────────────────────────

    def add(self, person: Person) -> None:
        """Let *person* in; the first is the room's operator."""
        self.members[person] = _NO_STATUS if self.members else _FIRST
        self.listeners.setdefault(person.render, {})[person] = person.write
        self.invited.discard(person)

    def remove(self, person: Person) -> None:
        """Let *person* out; one who is not here may go, too."""
        self.members.pop(person, None)
        self._hears_nothing(person)

    def _hears_nothing(self, person: Person) -> None:
        for render, listeners in tuple(self.listeners.items()):
            listeners.pop(person, None)
            if not listeners:
                del self.listeners[render]

    def listens_anew(self, person: Person) -> None:
        """Have *person*, whose way to see events has changed, told in the new one."""
        if person in self.members:
            self._hears_nothing(person)
            self.listeners.setdefault(person.render, {})[person] = person.write

    def is_operator(self, person: Person) -> bool:
        """Whether *person* may moderate here."""
        return person.operator or OPERATOR in self.members.get(person, ())

    def require_operator(self, person: Person) -> None:
        """Refuse what only operators may.

        :raises Refused: unless *person* is one.
        """
        self.require_member(person)
        if not self.is_operator(person):
            raise Refused("not_room_operator", self.name, "you are not an operator here")

    def require_member(self, person: Person) -> None:
        """Refuse what only those inside may.

        :raises Refused: unless *person* is inside, or an operator of the server.
        """
        if person not in self.members and not person.operator:
            raise Refused("not_in_room", self.name, "you are not in that room")

    # ── who may come in, and speak ──────────────────────────────────────────────────

    def listed(self, letter: str, person: Person) -> bool:
        """Whether a mask of the list *letter* is *person*'s, by nick, host or account."""
        entries = self.lists[letter]
        if not entries:
            return False
        texts = [key_of(person.mask)]
        if person.account:
            texts.append(f"~a:{key_of(person.account)}")
        return any(matches(mask, text) for mask in entries for text in texts)

    def check_entry(self, person: Person, password: str | None) -> None:
        """Refuse who may not come in.

        :raises Refused: saying why.
        """
        if person.operator:
            return
        invited = person in self.invited
        if self.listed("b", person) and not self.listed("e", person) and not invited:
            raise Refused("banned", self.name, "you are banned from that room")
        if "i" in self.flags and not invited and not self.listed("I", person):
            raise Refused("invite_only", self.name, "only invited people may come in")
        if self.password is not None and password != self.password and not invited:
            raise Refused("bad_key", self.name, "the room's key is another one")
        if self.limit is not None and len(self.members) >= self.limit and not invited:
            raise Refused("room_full", self.name, "the room is full")

    def check_speech(self, person: Person) -> None:
        """Refuse who may not speak here.

        :raises Refused: saying why.
        """
        if person.operator:
            return
        statuses = self.members.get(person)
        if statuses is None and "n" in self.flags:
            raise Refused("cannot_say", self.name, "only those inside may speak")
        if statuses:
            return
        if "m" in self.flags:
            raise Refused("cannot_say", self.name, "the room is moderated")
        lists = self.lists
        silenced = (lists["q"] and self.listed("q", person)) or (
            lists["b"] and self.listed("b", person)
        )
        if silenced and not self.listed("e", person):
            raise Refused("cannot_say", self.name, "you may not speak here")

    # ── lists ───────────────────────────────────────────────────────────────────────

    def put_on_list(self, letter: str, mask: str, by: str, now: float) -> str | None:
        """Add *mask* to a list; return it in its normal form, ``None`` where it was there.

        :raises Refused: when the list is full.
        """
        mask = mask if mask.startswith("~a:") else normal_mask(mask)
        entries = self.lists[letter]
        if mask in entries:
            return None
        if sum(map(len, self.lists.values())) >= MOST_MASKS:
            raise Refused("list_full", self.name, "the room's lists are full")
        entries[mask] = Listed(mask, by, now)
        return mask

    def take_off_list(self, letter: str, mask: str) -> str | None:
        """Take *mask* off a list; return it as it stood there, ``None`` where it did not."""
        wanted = key_of(mask if mask.startswith("~a:") else normal_mask(mask))
        for known in self.lists[letter]:
            if key_of(known) == wanted:
                del self.lists[letter][known]
                return known
        return None


def shared(rooms: Iterable[Room], person: Person) -> dict[Person, None]:
    """Return everybody who is in one of *rooms*, once, without *person*."""
    found: dict[Person, None] = {}
    for room in rooms:
        found.update(dict.fromkeys(room.members))
    found.pop(person, None)
    return found
