"""Random people of both frontends, against a model of the rooms that is small enough to believe.

After each step members, statuses and modes are the model's; everybody has received the messages
that the model says, each once and in order, and nobody else has heard of a secret room.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import pytest
from twisted.internet.task import Clock

from socketsuite.services.chat.chat import Chat
from socketsuite.services.chat.irc.factory import IRCFactory
from socketsuite.services.chat.lines import LineChatFactory
from tests.services.streams import FakeStream

_STEPS, _PEOPLE = 300, 7
_ROOMS = ["tea", "coffee", "veiled", "hidden"]
_SECRET = {"veiled", "hidden"}
_TOKEN = re.compile(r"\btok-(\w+)-(\d+)\b")
_FLAGS = "misnt"


@dataclass(eq=False)
class One:
    """Somebody.

    :ivar heard: the messages that came, in their order; *due* those that should have.
    :ivar knows: the secret rooms that this one was in, or was invited to.
    """

    nick: str
    irc: bool
    stream: FakeStream
    heard: list[str] = field(default_factory=list)
    due: list[str] = field(default_factory=list)
    knows: set[str] = field(default_factory=set)
    seen: str = ""

    def send(self, text: str) -> None:
        self.stream.protocol.dataReceived(f"{text}\r\n".encode())

    def in_room(self, room: str, irc: str, lines: str) -> None:
        """Do something in a room: line clients go there first."""
        self.send(irc if self.irc else f"/room {room}\r\n{lines}")


@dataclass(eq=False)
class Place:
    """A room as it should be."""

    members: dict[One, set[str]] = field(default_factory=dict)
    flags: set[str] = field(default_factory=lambda: {"n", "t"})
    banned: set[str] = field(default_factory=set)
    invited: set[One] = field(default_factory=set)
    key: str | None = None
    said: int = 0

    def may_enter(self, one: One, key: str | None) -> bool:
        if one in self.invited:
            return True
        right = self.key is None or key == self.key
        return one.nick not in self.banned and "i" not in self.flags and right

    def may_speak(self, one: One) -> bool:
        statuses = self.members.get(one)
        if statuses:
            return True
        if (statuses is None and "n" in self.flags) or "m" in self.flags:
            return False
        return one.nick not in self.banned


class Model:
    """What is done, to the chat and to the model of it."""

    def __init__(self, seed: int) -> None:
        self.dice, self.clock = Random(seed), Clock()
        self.chat = Chat(self.clock, history_lines=0)
        self.factories = IRCFactory(self.chat, self.clock), LineChatFactory(self.chat, self.clock)
        self.rooms: dict[str, Place] = {}
        self.people: list[One] = []
        self.count = 0
        for _ in range(_PEOPLE):
            self.enter()

    def enter(self) -> None:
        irc = self.dice.random() < 0.5
        self.count += 1
        one = One(f"p{self.count}x", irc, FakeStream(self.factories[not irc].buildProtocol(None)))
        hello = f"NICK {one.nick}\r\nUSER u 0 * :r" if irc else f"/nick {one.nick}\r\n/leave lobby"
        one.send(hello)
        self.people.append(one)

    # ── steps ───────────────────────────────────────────────────────────────────────

    def join(self, one: One, name: str) -> None:
        key = self.dice.choice([None, "right"])
        one.send(f"JOIN #{name} {key or ''}" if one.irc else f"/join {name} {key or ''}")
        room = self.rooms.get(name)
        if room is None:
            room = self.rooms[name] = Place()
            if one.irc and name in _SECRET:
                one.send(f"MODE #{name} +s")
                room.flags.add("s")
        if one not in room.members and room.may_enter(one, key):
            room.members[one] = set() if room.members else {"o"}
            room.invited.discard(one)
        elif not room.members:
            del self.rooms[name]
        one.knows.add(name)  # it has said the name itself

    def leave(self, one: One, name: str) -> None:
        if one in self.rooms[name].members:
            one.send(f"PART #{name}" if one.irc else f"/leave {name}")
            self.out(one, name)

    def out(self, one: One, name: str) -> None:
        self.rooms[name].members.pop(one, None)
        if not self.rooms[name].members:
            del self.rooms[name]

    def kick(self, one: One, name: str) -> None:
        room, other = self.rooms[name], self.dice.choice(self.people)
        if one in room.members:
            one.in_room(name, f"KICK #{name} {other.nick}", f"/kick {other.nick}")
            if "o" in room.members[one] and other in room.members:
                self.out(other, name)

    def flag(self, one: One, name: str) -> None:
        room, sign, letter = self.rooms[name], self.dice.choice("+-"), self.dice.choice(_FLAGS)
        words = {"m": "/moderated ", "i": "/invite-only "}.get(letter)
        if one not in room.members or (words is None and not one.irc):
            return
        switch = "on" if sign == "+" else "off"
        one.in_room(name, f"MODE #{name} {sign}{letter}", f"{words}{switch}")
        if "o" in room.members[one]:
            (room.flags.add if sign == "+" else room.flags.discard)(letter)

    def status(self, one: One, name: str) -> None:
        room, other = self.rooms[name], self.dice.choice(self.people)
        sign, letter = self.dice.choice("+-"), self.dice.choice("ov")
        words = {"+o": "op", "-o": "deop", "+v": "voice", "-v": "unvoice"}[sign + letter]
        if one in room.members:
            irc = f"MODE #{name} {sign}{letter} {other.nick}"
            one.in_room(name, irc, f"/{words} {other.nick}")
            if "o" in room.members[one] and other in room.members:
                has = room.members[other]
                (has.add if sign == "+" else has.discard)(letter)

    def ban(self, one: One, name: str) -> None:
        room, other, sign = self.rooms[name], self.dice.choice(self.people), self.dice.choice("+-")
        if one in room.members:
            words = "/ban" if sign == "+" else "/unban"
            one.in_room(name, f"MODE #{name} {sign}b {other.nick}", f"{words} {other.nick}")
            if "o" in room.members[one]:
                (room.banned.add if sign == "+" else room.banned.discard)(other.nick)

    def lock(self, one: One, name: str) -> None:
        room, key = self.rooms[name], self.dice.choice([None, "right"])
        if one in room.members:
            irc = f"MODE #{name} +k {key}" if key else f"MODE #{name} -k x"
            one.in_room(name, irc, f"/key {key or ''}")
            if "o" in room.members[one]:
                room.key = key

    def invite(self, one: One, name: str) -> None:
        room, other = self.rooms[name], self.dice.choice(self.people)
        if one in room.members:
            one.in_room(name, f"INVITE {other.nick} #{name}", f"/invite {other.nick}")
            operator = "o" in room.members[one]
            if other not in room.members and (operator or "i" not in room.flags):
                other.knows.add(name)
                if operator:
                    room.invited.add(other)

    def say(self, one: One, name: str) -> None:
        room = self.rooms[name]
        outside = one.irc and name not in _SECRET - one.knows
        if outside or one in room.members:
            token = self.token(name)
            only = one.irc and self.dice.random() < 0.2
            one.in_room(name, f"PRIVMSG {'@' * only}#{name} :{token}", token)
            if room.may_speak(one):
                room.said += not only
                for other, has in room.members.items():
                    if other is not one and (not only or "o" in has):
                        other.due.append(token)

    def tell(self, one: One, name: str) -> None:
        other, token = self.dice.choice(self.people), self.token("private")
        one.send(f"PRIVMSG {other.nick} :{token}" if one.irc else f"/msg {other.nick} {token}")
        other.due.append(token)

    def token(self, name: str) -> str:
        self.count += 1
        return f"tok-{name}-{self.count}"

    def rename(self, one: One, name: str) -> None:
        wanted = self.dice.choice([self.dice.choice(self.people).nick, self.token("")[5:] + "n"])
        wanted = wanted if wanted[0] == "p" else f"p{wanted}"
        one.send(f"NICK {wanted}" if one.irc else f"/nick {wanted}")
        if all(other.nick != wanted for other in self.people):
            one.nick = wanted

    def ask(self, one: One, name: str) -> None:
        """Look around, naming no room."""
        other = self.dice.choice(self.people).nick
        irc = ["LIST", "LIST *e*", f"WHOIS {other}", "WHO *", f"WHO {other}", "NAMES", "LIST >0"]
        one.send(self.dice.choice(irc) if one.irc else "/rooms")

    def quit(self, one: One, name: str) -> None:
        if self.dice.random() < 0.3:
            self.people.remove(one)
            if self.dice.random() < 0.5:
                one.send("QUIT :bye" if one.irc else "/quit bye")
            one.stream.gone()
            for name in list(self.rooms):
                self.out(one, name)
            self.enter()

    # ── what holds after each ───────────────────────────────────────────────────────

    def check(self) -> None:
        hub = self.chat.hub
        rooms = {key: room for key, room in hub.rooms.items() if key != "lobby"}
        assert set(rooms) == set(self.rooms)
        for key, room in rooms.items():
            place = self.rooms[key]
            nicks = {person.nick: set(statuses) for person, statuses in room.members.items()}
            assert nicks == {one.nick: statuses for one, statuses in place.members.items()}
            assert (room.flags, room.password) == (place.flags, place.key)
            assert {mask.partition("!")[0] for mask in room.lists["b"]} == place.banned
            assert room.order == place.said
        for one in self.people:
            person = hub.people[one.nick]
            assert set(person.rooms) == {
                key for key, place in self.rooms.items() if one in place.members
            }
            seen = one.stream.taken().decode()
            one.heard += [found[0] for found in _TOKEN.finditer(seen)]
            assert one.heard[-20:] == one.due[-20:]
            assert len(one.heard) == len(one.due)
            told = {name for name in _SECRET - one.knows if name in seen}
            assert not {name for name in told if "s" in self.rooms[name].flags}, seen


STEPS: list[Callable[[Model, One, str], None]] = [
    *[Model.say] * 6,
    *[Model.join] * 4,
    *[Model.ask] * 2,
    *[Model.tell] * 2,
    *[Model.status] * 2,
    Model.leave,
    Model.kick,
    Model.flag,
    Model.ban,
    Model.lock,
    Model.invite,
    Model.rename,
    Model.quit,
]


@pytest.mark.parametrize("seed", range(12))
def test_whatever_people_do_rooms_and_messages_are_as_the_model_says(seed: int) -> None:
    model = Model(seed)
    done = []
    for _ in range(_STEPS):
        step = model.dice.choice(STEPS)
        one, name = model.dice.choice(model.people), model.dice.choice(_ROOMS)
        if step is not Model.join and name not in model.rooms:
            continue
        done.append(f"{one.nick} {step.__name__} {name}")
        try:
            step(model, one, name)
            model.check()
        except AssertionError as error:
            error.add_note("\n".join(done[-30:]))
            raise
    for one in list(model.people):
        one.stream.gone()
    assert model.chat.hub.people == {}
    assert set(model.chat.hub.rooms) == {"lobby"}
