"""What people say: in a room, to one person, and what they take back.

This module knows no wire and no transport.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from socketsuite.services.chat import events
from socketsuite.services.chat.events import Kind, Message
from socketsuite.services.chat.person import Person
from socketsuite.services.chat.refusals import Refused
from socketsuite.services.chat.room import OPERATOR, VOICE, Room


class Speech:
    """What is said in the rooms of *hub*, and privately.

    :ivar messages: how many were said; *deliveries* how many people they went to.
    """

    def __init__(self, hub: Any) -> None:
        self.hub = hub
        self.messages = self.deliveries = self.tagged = 0
        self._started = f"{int(hub.now()):x}-{secrets.token_hex(3)}"

    def say(
        self, person: Person, name: str, lines: Sequence[bytes], kind: Kind = "message"
    ) -> tuple[Message, ...]:
        """Say *lines* in a room: to everybody but *person*.

        :return: the messages, as they are kept.
        :raises Refused: when *person* may not speak there.
        """
        return self.say_in(self.hub.room(name), person, lines, kind)

    def say_in(
        self,
        room: Room,
        person: Person,
        lines: Sequence[bytes],
        kind: Kind = "message",
        tags: str = "",
        cuts: tuple[int, ...] = (),
    ) -> tuple[Message, ...]:
        """As :meth:`say`, in a *room* that is at hand; *tags* are a client's for all clients.

        :param cuts: where other lines begin in a text that has several (:class:`Message`).
        """
        room.check_speech(person)
        order = room.order + 1
        messages = self._messages(person, room.name, order, lines, kind, tags, cuts)
        room.order += len(messages)
        room.history.add(messages)
        told = self.hub.tell_room(room, events.Said(messages), person)
        self.deliveries += told * len(messages)
        return messages

    def say_to_status(
        self,
        room: Room,
        person: Person,
        status: str,
        lines: Sequence[bytes],
        kind: Kind = "message",
        tags: str = "",
        cuts: tuple[int, ...] = (),
    ) -> tuple[Message, ...]:
        """Say *lines* to those in *room* who are operators, or, with *status* ``v``, have voice.

        It is not kept.

        :raises Refused: when *person* may not speak there.
        """
        room.check_speech(person)
        messages = self._messages(person, room.name, 0, lines, kind, tags, cuts)
        wanted = {OPERATOR} if status == OPERATOR else {OPERATOR, VOICE}
        hearers = [one for one, has in room.members.items() if has & wanted and one is not person]
        self.hub.tell(hearers, events.Said(messages, status=status))
        self.deliveries += len(hearers) * len(messages)
        return messages

    def tag_room(self, room: Room, person: Person, tags: str) -> events.Tagged:
        """Tell everybody else in *room* of *tags* alone, such as that *person* types.

        :raises Refused: when *person* may not speak there.
        """
        room.check_speech(person)
        event = self._tagged(person, room.name, None, tags)
        self.hub.tell_room(room, event, person)
        return event

    def tag_person(self, person: Person, nick: str, tags: str) -> events.Tagged:
        """Tell one person of *tags* alone.

        :raises Refused: when nobody has that nick.
        """
        other = self.hub.person(nick)
        event = self._tagged(person, None, other.nick, tags)
        self.hub.tell([other], event)
        return event

    def _tagged(
        self, person: Person, room: str | None, recipient: str | None, tags: str
    ) -> events.Tagged:
        return events.Tagged(self._other_id(), self.hub.now(), person.facts, room, recipient, tags)

    def _other_id(self) -> str:
        """Return an id that no message has, nor anything else."""
        self.tagged += 1
        return f"{self._started}-t{self.tagged}"

    def redact(self, person: Person, room: Room, number: str, reason: str = "") -> None:
        """Take the message of *room* with the id *number* back: one's own, or as its operator.

        :raises Refused: when it is another's, or not known.
        """
        message = next((one for one in room.history if one.id == number), None)
        if message is None:
            raise Refused("no_such_message", room.name, "there is no such message any more")
        # A nick that was somebody else's then is not enough.
        own = message.mask == person.mask and message.time >= person.since
        own = own or (person.account is not None and message.account == person.account)
        if not own:
            room.require_operator(person)
        room.history.remove(number)
        event = events.Redacted(
            self._other_id(), self.hub.now(), room.name, number, person.facts, reason
        )
        self.hub.tell(room.members, event)

    def _messages(
        self,
        person: Person,
        room: str | None,
        order: int,
        lines: Sequence[bytes],
        kind: Kind,
        tags: str,
        cuts: tuple[int, ...],
    ) -> tuple[Message, ...]:
        """Return what *person* says now; *order* is the first one's place, or 0 for all."""
        now = person.spoke_at = self.hub.now()
        # Looked up once: so the many lines of a busy room cost a third less.
        nick, mask, account, named = person.nick, person.mask, person.account, person.named
        started, number, step = self._started, self.messages, 1 if order else 0
        said = []
        for line in lines:
            number += 1
            name = f"{started}-{number}"
            said.append(
                Message(name, order, now, room, nick, mask, account, named, kind, line, tags, cuts)
            )
            order += step
        self.messages = number
        return tuple(said)

    def tell_person(
        self,
        person: Person,
        nick: str,
        lines: Sequence[bytes],
        kind: Kind = "message",
        tags: str = "",
        cuts: tuple[int, ...] = (),
    ) -> tuple[Message, ...]:
        """Say *lines* to one person alone.

        :return: the messages.
        :raises Refused: when nobody has that nick, or one who does not see private messages.
        """
        other = self.hub.person(nick)
        if not other.hears_private:
            raise Refused("cannot_say", other.nick, "sees no private messages")
        messages = self._messages(person, None, 0, lines, kind, tags, cuts)
        self.hub.tell([other], events.Said(messages, other.nick))
        self.deliveries += len(messages)
        return messages
