"""The hub of the chat: people, rooms, and everything that happens between them.

Every frontend is a translator between its wire and these methods.  A method does what is asked
or raises :class:`~socketsuite.services.chat.refusals.Refused`; what happens is told, as an event,
to all whom it concerns.  This module knows no wire and no transport.
"""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from twisted.logger import Logger

from socketsuite.services.chat import events
from socketsuite.services.chat.empty_rooms import EmptyRooms, state_of
from socketsuite.services.chat.events import Event, Kind, Message, PersonFacts
from socketsuite.services.chat.history import History, HistoryLimits
from socketsuite.services.chat.kept import Journal
from socketsuite.services.chat.nicks import (
    BadNameError,
    checked_nick,
    checked_room,
    key_of,
    skeleton,
)
from socketsuite.services.chat.person import Close, Person, Render, Write
from socketsuite.services.chat.refusals import Refused
from socketsuite.services.chat.room import FLAGS, LISTS, OPERATOR, VOICE, Room, shared

_log = Logger(namespace="socketsuite-chat")
MOST_ROOMS_EACH = 50
"""Rooms that one person may be in."""


class Hub:
    """Everybody and every room of one server.

    :param now: seconds since 1970.
    :param lobby: the room that plain line clients are in; it is there always.
    :param owner_of: returns the account that a nick's key belongs to, or ``None``.
    :param journal: is told of what is to outlive the process.
    :ivar people: by the keys of their nicks; *rooms* by the keys of their names.
    :ivar messages: how many were said; *deliveries* how many people they went to.
    """

    def __init__(
        self,
        now: Callable[[], float],
        lobby: str = "lobby",
        limits: HistoryLimits | None = None,
        owner_of: Callable[[str], str | None] = lambda _: None,
        journal: Journal | None = None,
    ) -> None:
        self.now = now
        self.limits = limits or HistoryLimits()
        self.owner_of = owner_of
        self.people: dict[str, Person] = {}
        self._looks: dict[str, Person] = {}
        self.rooms: dict[str, Room] = {}
        self.journal = Journal() if journal is None else journal
        # Those that nobody is in, but something is kept of; they are not listed.
        self.empty_rooms = EmptyRooms(self.limits, now, self.journal)
        self.messages = self.deliveries = self.tagged = 0
        self._started = f"{int(now()):x}-{secrets.token_hex(3)}"
        self._guests = 0
        # Called with each message that was said in a room.
        self.observers: list[Callable[[Message], object]] = []
        # Called with who has a nick from now on, and whether that is so or no more.
        self.presence: list[Callable[[Person, bool], object]] = []
        # Who watches somebody from afar: told of that person as those in a room with it are.
        self.followers: Callable[[Person], Iterable[Person]] = lambda _: ()
        # Nicks that somebody had, and when they were given up.
        self.gone: deque[tuple[float, PersonFacts]] = deque(maxlen=1000)
        self.lobby = self._make_room(checked_room(lobby))

    # ── coming and going ────────────────────────────────────────────────────────────

    def enter(
        self,
        *,
        frontend: str,
        host: str,
        render: Render,
        write: Write,
        close: Close,
        secure: bool = False,
        guest: str = "guest",
        nick: str | None = None,
        account: str | None = None,
        user: str | None = None,
    ) -> Person:
        """Let somebody in, in no room yet: with a chosen *nick*, or *guest* and a number.

        :raises Refused: when that nick is not one, or somebody else's.
        """
        chosen = nick is not None
        if nick is None:
            nick = self._guest_nick(guest)
        else:
            nick = self._checked(nick)
            self._check_free(None, account, nick)
        person = Person(
            nick,
            frontend=frontend,
            host=host,
            render=render,
            write=write,
            close=close,
            now=self.now(),
            secure=secure,
        )
        person.named, person.account, person.user = chosen, account, user or frontend
        self._know(person)
        return person

    def _guest_nick(self, word: str) -> str:
        while True:
            self._guests += 1
            nick = f"{word}{self._guests}"
            if key_of(nick) not in self.people and skeleton(nick) not in self._looks:
                return nick

    def _checked(self, nick: str) -> str:
        try:
            return checked_nick(nick)
        except BadNameError as error:
            raise Refused("bad_nick", nick, str(error)) from None

    def _know(self, person: Person) -> None:
        self.people[person.key] = person
        self._looks[skeleton(person.nick)] = person
        for observer in self.presence:
            observer(person, True)

    def _forget(self, person: Person) -> None:
        if self.people.get(person.key) is person:
            del self.people[person.key]
            self.gone.append((self.now(), person.facts))
            for observer in self.presence:
                observer(person, False)
        look = skeleton(person.nick)
        if self._looks.get(look) is person:
            del self._looks[look]

    def quit(self, person: Person, reason: str = "") -> None:
        """Let somebody go; told once to all who shared a room.  One who is gone may go, too."""
        if self.people.get(person.key) is not person:
            return
        self._forget(person)
        rooms = [self.rooms[key] for key in person.rooms]
        others = shared(rooms, person)
        for room in rooms:
            room.remove(person)
            self._close_if_empty(room)
        person.rooms.clear()
        self.tell(others, events.Quit(person.facts, reason))

    def rename(self, person: Person, nick: str) -> None:
        """Give *person* the *nick*, which is shown from now on.

        :raises Refused: when it is not one, or somebody else's.
        """
        nick = self._checked(nick)
        self.check_nick(person, nick)
        before, same = person.facts, person.nick == nick
        if same and person.named:
            return
        self._forget(person)
        person.nick, person.key, person.named = nick, key_of(nick), True
        self._know(person)
        if not same:
            others = shared((self.rooms[key] for key in person.rooms), person)
            self.tell([person, *others], events.Renamed(before, nick))

    def check_nick(self, person: Person, nick: str) -> None:
        """Refuse a checked *nick* that somebody else has, or that looks like another's.

        :raises Refused: saying which.
        """
        self._check_free(person, person.account, nick)

    def _check_free(self, person: Person | None, account: str | None, nick: str) -> None:
        other = self.people.get(key_of(nick))
        if other is not None and other is not person:
            raise Refused("nick_in_use", nick, "somebody has that nick")
        look = self._looks.get(skeleton(nick))
        if look is not None and look is not person:
            raise Refused("nick_confusable", nick, f"that is too much like {look.nick}")
        owner = self.owner_of(key_of(nick))
        if owner is not None and owner != account:
            raise Refused("nick_reserved", nick, "that nick is an account's; log in first")

    # ── rooms ───────────────────────────────────────────────────────────────────────

    def room(self, name: str) -> Room:
        """Return the room called *name*, with or without ``#``.

        :raises Refused: when there is none.
        """
        found = self.rooms.get(key_of(name.removeprefix("#")))
        if found is None:
            raise Refused("no_such_room", name, "there is no such room")
        return found

    def person(self, nick: str) -> Person:
        """Return who has the *nick*.

        :raises Refused: when nobody has.
        """
        found = self.people.get(key_of(nick))
        if found is None:
            raise Refused("no_such_nick", nick, "nobody has that nick")
        return found

    def join(self, person: Person, name: str, password: str | None = None) -> Room:
        """Let *person* into a room, which comes into being by that; who is there stays there.

        :raises Refused: when *person* may not come in, or *name* is none.
        """
        try:
            name = checked_room(name)
        except BadNameError as error:
            raise Refused("bad_room", name, str(error)) from None
        room = self.rooms.get(key_of(name))
        if room is not None and person in room.members:
            return room
        if len(person.rooms) >= MOST_ROOMS_EACH:
            raise Refused("too_many_rooms", name, f"you are in {MOST_ROOMS_EACH} rooms already")
        if room is None:
            room = self._reopen(person, name, password)
        else:
            room.check_entry(person, password)
        room.add(person)
        person.rooms[room.key] = None
        self.tell(room.members, events.Joined(person.facts, room.name))
        return room

    def _make_room(self, name: str) -> Room:
        room = Room(name, History(self.limits, self.now, self.journal), self.now())
        self.rooms[room.key] = room
        return room

    def _reopen(self, person: Person, name: str, password: str | None) -> Room:
        """Return the room that was left, as it was; a new one where nothing is kept of it."""
        room = self.empty_rooms.get(key_of(name))
        if room is None:
            room = self._make_room(name)
            self.journal.room_changed(state_of(room, self.now()))
            return room
        room.check_entry(person, password)
        self.rooms[room.key] = self.empty_rooms.take(room.key)
        return room

    def _close_if_empty(self, room: Room) -> None:
        if not room.members and room is not self.lobby:
            del self.rooms[room.key]
            self.empty_rooms.keep(room)

    def leave(self, person: Person, name: str, reason: str = "") -> None:
        """Let *person* out of a room.

        :raises Refused: when *person* is not in it.
        """
        room = self.room(name)
        if person not in room.members:
            raise Refused("not_in_room", room.name, "you are not in that room")
        self.tell(room.members, events.Left(person.facts, room.name, reason))
        self._out(room, person)

    def _out(self, room: Room, person: Person) -> None:
        room.remove(person)
        person.rooms.pop(room.key, None)
        self._close_if_empty(room)

    # ── talking ─────────────────────────────────────────────────────────────────────

    def say(
        self, person: Person, name: str, lines: Sequence[bytes], kind: Kind = "message"
    ) -> tuple[Message, ...]:
        """Say *lines* in a room: to everybody but *person*.

        :return: the messages, as they are kept.
        :raises Refused: when *person* may not speak there.
        """
        return self.say_in(self.room(name), person, lines, kind)

    def say_in(
        self,
        room: Room,
        person: Person,
        lines: Sequence[bytes],
        kind: Kind = "message",
        tags: str = "",
    ) -> tuple[Message, ...]:
        """As :meth:`say`, in a *room* that is at hand; *tags* are a client's for all clients."""
        room.check_speech(person)
        now = person.spoke_at = self.now()
        said = []
        for line in lines:
            room.order += 1
            said.append(self._message(person, room.name, room.order, now, kind, line, tags))
            room.history.add(said[-1])
        messages = tuple(said)
        told = self._tell_room(room, events.Said(messages), person)
        self.deliveries += told * len(messages)
        for observer in self.observers:
            for message in messages:
                observer(message)
        return messages

    def say_to_status(
        self,
        room: Room,
        person: Person,
        status: str,
        lines: Sequence[bytes],
        kind: Kind = "message",
        tags: str = "",
    ) -> tuple[Message, ...]:
        """Say *lines* to those in *room* who are operators, or, with *status* ``v``, have voice.

        It is not kept.

        :raises Refused: when *person* may not speak there.
        """
        room.check_speech(person)
        now = person.spoke_at = self.now()
        messages = tuple(
            self._message(person, room.name, 0, now, kind, line, tags) for line in lines
        )
        wanted = {OPERATOR} if status == OPERATOR else {OPERATOR, VOICE}
        hearers = [one for one, has in room.members.items() if has & wanted and one is not person]
        self.tell(hearers, events.Said(messages, status=status))
        self.deliveries += len(hearers) * len(messages)
        return messages

    def tag_room(self, room: Room, person: Person, tags: str) -> events.Tagged:
        """Tell everybody else in *room* of *tags* alone, such as that *person* types.

        :raises Refused: when *person* may not speak there.
        """
        room.check_speech(person)
        event = self._tagged(person, room.name, None, tags)
        self._tell_room(room, event, person)
        return event

    def tag_person(self, person: Person, nick: str, tags: str) -> events.Tagged:
        """Tell one person of *tags* alone.

        :raises Refused: when nobody has that nick.
        """
        other = self.person(nick)
        event = self._tagged(person, None, other.nick, tags)
        self.tell([other], event)
        return event

    def _tagged(
        self, person: Person, room: str | None, recipient: str | None, tags: str
    ) -> events.Tagged:
        return events.Tagged(self._other_id(), self.now(), person.facts, room, recipient, tags)

    def _other_id(self) -> str:
        """Return an id that no message has, nor anything else."""
        self.tagged += 1
        return f"{self._started}-t{self.tagged:x}"

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
            self._other_id(), self.now(), room.name, number, person.facts, reason
        )
        self.tell(room.members, event)

    def _message(
        self,
        person: Person,
        room: str | None,
        order: int,
        now: float,
        kind: Kind,
        text: bytes,
        tags: str = "",
    ) -> Message:
        self.messages += 1
        return Message(
            f"{self._started}-{self.messages:x}",
            order,
            now,
            room,
            person.nick,
            person.mask,
            person.account,
            person.named,
            kind,
            text,
            tags,
        )

    def tell_person(
        self,
        person: Person,
        nick: str,
        lines: Sequence[bytes],
        kind: Kind = "message",
        tags: str = "",
    ) -> tuple[Message, ...]:
        """Say *lines* to one person alone.

        :return: the messages.
        :raises Refused: when nobody has that nick, or one who does not see private messages.
        """
        other = self.person(nick)
        if not other.hears_private:
            raise Refused("cannot_say", other.nick, "sees no private messages")
        now = person.spoke_at = self.now()
        messages = tuple(self._message(person, None, 0, now, kind, line, tags) for line in lines)
        self.tell([other], events.Said(messages, other.nick))
        self.deliveries += len(messages)
        return messages

    # ── telling ─────────────────────────────────────────────────────────────────────

    def tell(self, people: Iterable[Person], event: Event) -> None:
        """Tell *event* to *people*; rendered once for all who see it alike."""
        rendered: dict[Render, bytes] = {}
        for person in tuple(people):
            wire = rendered.get(person.render)
            if wire is None:
                wire = rendered[person.render] = person.render(event)
            if wire:
                self._write(person, person.write, wire)

    def _tell_room(self, room: Room, event: Event, but: Person) -> int:
        """Tell everybody in *room* but one; members may come and go while this goes on."""
        told = 0
        for render, listeners in tuple(room.listeners.items()):
            if not listeners:
                continue
            wire = render(event)
            if not wire:
                continue
            own = listeners.get(but)
            writes = tuple(listeners.values())
            told += len(writes) - (own is not None)
            for write in writes:
                if write is own:
                    continue
                try:
                    write(wire)
                except Exception as error:  # noqa: BLE001 - whatever it is, the rest must hear
                    self._put_out(listeners, write, error)
        return told

    def _put_out(self, listeners: dict[Person, Write], write: Write, error: Exception) -> None:
        for person in [one for one, its in listeners.items() if its is write]:
            self._failed(person, error)

    def _write(self, person: Person, write: Write, wire: bytes) -> None:
        try:
            write(wire)
        except Exception as error:  # noqa: BLE001 - whatever it is, the rest must hear
            self._failed(person, error)

    def _failed(self, person: Person, error: Exception) -> None:
        _log.error("{nick} could not be told and is out: {error!r}", nick=person.nick, error=error)
        self.quit(person, "could not be told")

    # ── what people say of themselves ───────────────────────────────────────────────

    def _around(self, person: Person) -> dict[Person, None]:
        """Return who hears what *person* says of itself."""
        around = shared((self.rooms[key] for key in person.rooms), person)
        around.update(dict.fromkeys(self.followers(person)))
        return around

    def set_away(self, person: Person, message: str | None) -> None:
        """Have *person* be away, or back (``None``)."""
        if person.away != message:
            person.away = message
            self.tell(self._around(person), events.AwaySet(person.facts, message))

    def set_realname(self, person: Person, realname: str) -> None:
        """Give *person* another real name."""
        person.realname = realname
        self.tell([person, *self._around(person)], events.RealnameSet(person.facts, realname))

    def set_account(self, person: Person, account: str | None) -> None:
        """Have *person* be logged in, or out (``None``)."""
        person.account = account
        self.tell([person, *self._around(person)], events.AccountSet(person.facts, account))

    # ── moderation ──────────────────────────────────────────────────────────────────

    def set_topic(self, person: Person, name: str, topic: str) -> None:
        """Set a room's topic.

        :raises Refused: when *person* may not.
        """
        room = self.room(name)
        if "t" in room.flags:
            room.require_operator(person)
        else:
            room.require_member(person)
        room.topic, room.topic_by, room.topic_at = topic, person.mask, self.now()
        self.journal.room_changed(state_of(room, self.now()))
        self.tell(room.members, events.TopicSet(room.name, topic, person.facts))

    def invite(self, person: Person, nick: str, name: str) -> None:
        """Let *nick* into a room once, and tell that person.

        :raises Refused: when *person* may not, or there is nobody to be invited.
        """
        room, other = self.room(name), self.person(nick)
        room.require_member(person)
        if "i" in room.flags:
            room.require_operator(person)
        if other in room.members:
            raise Refused("already_in_room", other.nick, f"{other.nick} is in that room")
        if len(room.invited) >= 1000:
            room.invited.pop()
        room.invited.add(other.key)
        self.tell([other], events.Invited(other.nick, room.name, person.facts))
        members = [one for one in room.members if one is not person]
        self.tell(members, events.InviteSeen(other.nick, room.name, person.facts))

    def kick(self, person: Person | None, nick: str, name: str, reason: str = "") -> None:
        """Put *nick* out of a room; *person* is ``None`` for the daemon's operator.

        :raises Refused: when *person* may not, or that nick is not there.
        """
        room = self.room(name)
        if person is not None:
            room.require_operator(person)
        other = self.person(nick)
        if other not in room.members:
            raise Refused("they_are_not_in_room", other.nick, f"{other.nick} is not in that room")
        by = person.facts if person is not None else None
        self.tell(room.members, events.Kicked(other.facts, room.name, by, reason))
        self._out(room, other)

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
        room = self.room(name)
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
                self.journal.room_changed(state_of(room, self.now()))
                facts = person.facts if person is not None else None
                self.tell(room.members, events.ModesSet(room.name, facts, tuple(done)))
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
            mask = change(letter, about, by, self.now()) if sign else change(letter, about)
            return None if mask is None else (sign, letter, mask)
        if letter in (OPERATOR, VOICE) and about:
            return self._set_status(room, sign, letter, about)
        if letter == "k" and (about or not sign):
            if sign and (" " in str(about) or "," in str(about)):
                raise Refused("bad_mode", letter, "a key has no space and no comma")
            room.password = about[:64] if sign and about else None
            return sign, letter, room.password if sign else "*"
        if letter == "l":
            return self._set_limit(room, sign, about)
        raise Refused("bad_mode", letter, "there is no such mode")

    def _set_status(
        self, room: Room, sign: bool, letter: str, nick: str
    ) -> tuple[bool, str, str | None] | None:
        other = self.person(nick)
        statuses = room.members.get(other)
        if statuses is None:
            raise Refused("they_are_not_in_room", other.nick, f"{other.nick} is not in that room")
        if (letter in statuses) == sign:
            return None
        statuses.symmetric_difference_update(letter)
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
