"""The hub of the chat: people, rooms, and everything that happens between them.

Every frontend is a translator between its wire and these methods.  A method does what is asked
or raises :class:`~socketsuite.services.chat.refusals.Refused`; what happens is told, as an event,
to all whom it concerns.  This module knows no wire and no transport.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from socketsuite.services.chat import events
from socketsuite.services.chat.empty_rooms import EmptyRooms, state_of
from socketsuite.services.chat.events import PersonFacts
from socketsuite.services.chat.history import History, HistoryLimits
from socketsuite.services.chat.kept import Journal
from socketsuite.services.chat.moderation import Moderation
from socketsuite.services.chat.nicks import key_of, skeleton
from socketsuite.services.chat.person import Close, Person, Render, Write
from socketsuite.services.chat.refusals import Refused
from socketsuite.services.chat.room import Room, shared
from socketsuite.services.chat.speech import Speech
from socketsuite.services.chat.telling import Telling
from socketsuite.wire.names import BadNameError, checked_nick, checked_room

MOST_ROOMS_EACH = 50
"""Rooms that one person may be in."""


class Hub:
    """Everybody and every room of one server.

    :param now: seconds since 1970.
    :param lobby: the room that plain line clients are in; it is there always.
    :param owner_of: returns the account that a nick's key belongs to, or ``None``.
    :param journal: is told of what is to outlive the process.
    :ivar people: by the keys of their nicks; *rooms* by the keys of their names.
    :ivar speech: what people say; *moderation* what a room's operators may do.
    """

    def __init__(
        self,
        now: Callable[[], float],
        lobby: str = "lobby",
        limits: HistoryLimits | None = None,
        owner_of: Callable[[str], str | None] = lambda _: None,
        journal: Journal | None = None,
    ) -> None:
        self.now, self.owner_of = now, owner_of
        self.limits = limits or HistoryLimits()
        self.people: dict[str, Person] = {}
        self._looks: dict[str, Person] = {}
        self.rooms: dict[str, Room] = {}
        self.journal = Journal() if journal is None else journal
        # Those that nobody is in, but something is kept of; they are not listed.
        self.empty_rooms = EmptyRooms(self.limits, now, self.journal)
        self._guests = 0
        telling = Telling(self.quit)
        self.tell, self.tell_room = telling.tell, telling.tell_room
        self.speech, self.moderation = Speech(self), Moderation(self)
        # Called with who has a nick from now on, and whether that is so or no more.
        self.presence: list[Callable[[Person, bool], object]] = []
        # Called with a room that has another name, once all inside were told.
        self.moves: list[Callable[[Room, events.RoomRenamed], object]] = []
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
        chosen = None if nick is None else self._checked(nick)
        if chosen is not None:
            self._check_free(None, account, chosen)
        person = Person(
            chosen or self._guest_nick(guest),
            frontend=frontend,
            host=host,
            render=render,
            write=write,
            close=close,
            now=self.now(),
            user=user,
            secure=secure,
        )
        person.named, person.account = chosen is not None, account
        self._know(person)
        return person

    def _guest_nick(self, word: str) -> str:
        while True:
            self._guests += 1
            nick = f"{word}{self._guests}"
            key, look = key_of(nick), skeleton(nick)
            if not (key in self.people or look in self._looks or self.owner_of(key)):
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
        if person.key == key_of(nick):  # another spelling: nobody came or went
            del self._looks[skeleton(person.nick)]
            person.take_nick(nick)
            self._looks[skeleton(nick)] = person
        else:
            self._forget(person)
            person.take_nick(nick)
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
        self.tell_room(room, events.Joined(person.facts, room.name))
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
        self.tell_room(room, events.Left(person.facts, room.name, reason))
        self.out(room, person)

    def out(self, room: Room, person: Person) -> None:
        """Take *person*, who is inside, out of *room*; nobody is told."""
        room.remove(person)
        person.rooms.pop(room.key, None)
        self._close_if_empty(room)

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
