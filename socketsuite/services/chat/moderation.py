"""What a room's operators may do: topics, invitations, kicks, modes; the same for every frontend.

This module knows no wire and no transport.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from socketsuite.services.chat import events
from socketsuite.services.chat.empty_rooms import state_of
from socketsuite.services.chat.person import Person
from socketsuite.services.chat.refusals import Refused
from socketsuite.services.chat.room import FLAGS, LISTS, OPERATOR, VOICE, Room


class Moderation:
    """Moderates the rooms of *hub*."""

    def __init__(self, hub: Any) -> None:
        self.hub = hub

    def set_topic(self, person: Person, name: str, topic: str) -> None:
        """Set a room's topic.

        :raises Refused: when *person* may not.
        """
        room = self.hub.room(name)
        if "t" in room.flags:
            room.require_operator(person)
        else:
            room.require_member(person)
        room.topic, room.topic_by, room.topic_at = topic, person.mask, self.hub.now()
        self.hub.journal.room_changed(state_of(room, self.hub.now()))
        self.hub.tell(room.members, events.TopicSet(room.name, topic, person.facts))

    def invite(self, person: Person, nick: str, name: str) -> None:
        """Tell *nick* of a room, and let that person in once, if *person* is its operator.

        :raises Refused: when *person* may not, or there is nobody to be invited.
        """
        room, other = self.hub.room(name), self.hub.person(nick)
        room.require_member(person)
        if "i" in room.flags:
            room.require_operator(person)
        if other in room.members:
            raise Refused("already_in_room", other.nick, f"{other.nick} is in that room")
        if room.is_operator(person):
            if len(room.invited) >= 1000:
                room.invited.pop()
            room.invited.add(other)
        self.hub.tell([other], events.Invited(other.nick, room.name, person.facts))
        members = [one for one in room.members if one is not person]
        self.hub.tell(members, events.InviteSeen(other.nick, room.name, person.facts))

    def kick(self, person: Person | None, nick: str, name: str, reason: str = "") -> None:
        """Put *nick* out of a room; *person* is ``None`` for the daemon's operator.

        :raises Refused: when *person* may not, or that nick is not there.
        """
        room = self.hub.room(name)
        if person is not None:
            room.require_operator(person)
        other = self.hub.person(nick)
        if other not in room.members:
            raise Refused("they_are_not_in_room", other.nick, f"{other.nick} is not in that room")
        by = person.facts if person is not None else None
        self.hub.tell(room.members, events.Kicked(other.facts, room.name, by, reason))
        self.hub.out(room, other)

    def set_modes(
        self,
        person: Person | None,
        name: str,
        changes: Sequence[tuple[bool, str, str | None]],
    ) -> list[tuple[bool, str, str | None]]:
        """Change modes of a room, each with its sign, letter and what it is about.

        Letters are those of ``FLAGS`` and ``LISTS``, ``o`` and ``v`` (a nick), ``k`` (a key) and
        ``l`` (a number).

        :return: what has changed, and everybody inside was told.
        :raises Refused: when *person* may not, or one cannot be; nothing before it is undone.
        """
        room = self.hub.room(name)
        if person is not None:
            room.require_operator(person)
        by = person.mask if person is not None else "operator"
        done = []
        try:
            for sign, letter, about in changes:
                changed = self._set_mode(room, by, sign, letter, about)
                if changed is not None:
                    done.append(changed)
        finally:
            if done:
                self.hub.journal.room_changed(state_of(room, self.hub.now()))
                facts = person.facts if person is not None else None
                self.hub.tell(room.members, events.ModesSet(room.name, facts, tuple(done)))
        return done

    def _set_mode(
        self, room: Room, by: str, sign: bool, letter: str, about: str | None
    ) -> tuple[bool, str, str | None] | None:
        if letter in FLAGS:
            if (letter in room.flags) == sign:
                return None
            room.flags.symmetric_difference_update(letter)
            return sign, letter, None
        if letter in LISTS and about:
            change: Any = room.put_on_list if sign else room.take_off_list
            mask = change(letter, about, by, self.hub.now()) if sign else change(letter, about)
            return None if mask is None else (sign, letter, mask)
        if letter in (OPERATOR, VOICE) and about:
            return self._set_status(room, sign, letter, about)
        if letter == "k" and (about or not sign):
            if sign and (" " in str(about) or "," in str(about)):
                raise Refused("bad_mode", letter, "a key has no space and no comma")
            had, room.password = room.password, about[:64] if sign and about else None
            if had == room.password:
                return None
            return sign, letter, room.password if sign else "*"
        if letter == "l":
            return self._set_limit(room, sign, about)
        raise Refused("bad_mode", letter, "there is no such mode")

    def _set_status(
        self, room: Room, sign: bool, letter: str, nick: str
    ) -> tuple[bool, str, str | None] | None:
        other = self.hub.person(nick)
        statuses = room.members.get(other)
        if statuses is None:
            raise Refused("they_are_not_in_room", other.nick, f"{other.nick} is not in that room")
        if (letter in statuses) == sign:
            return None
        room.members[other] = statuses ^ {letter}
        return sign, letter, other.nick

    def _set_limit(
        self, room: Room, sign: bool, about: str | None
    ) -> tuple[bool, str, str | None] | None:
        if not sign:
            had, room.limit = room.limit, None
            return None if had is None else (False, "l", None)
        if about is None or not about.isascii() or not about.isdigit() or len(about) > 9:
            raise Refused("bad_mode", "l", "a limit is a number")
        if int(about) < 1:
            raise Refused("bad_mode", "l", "a limit is a number from 1")
        room.limit = int(about)
        return True, "l", str(room.limit)
