"""A chat in memory with a few people in it, two hostile ones, and what must hold whatever they say.

The first byte of an input says in which of several situations they speak; after that everything is
what the first of them sends, until :data:`~tests.fuzz.words.OTHER` gives the word to the second.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import ServerFactory
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, LogLevel, formatEvent, globalLogPublisher
from zope.interface import implementer

from socketsuite.services.chat.accounts import Book
from socketsuite.services.chat.chat import Chat
from socketsuite.services.chat.history import HistoryLimits
from socketsuite.services.chat.hub import MOST_ROOMS_EACH, Hub
from socketsuite.services.chat.irc.capabilities import CAPABILITIES
from socketsuite.services.chat.irc.factory import IRCFactory
from socketsuite.services.chat.irc.server import MOST_MONITORED
from socketsuite.services.chat.line_render import (
    render_ncat,
    render_one_room,
    render_plain,
    render_rooms,
)
from socketsuite.services.chat.lines import LineChatFactory
from socketsuite.services.chat.logins import Logins
from socketsuite.services.chat.person import Person, Render
from socketsuite.services.chat.room import MOST_MASKS
from socketsuite.wire.account_line import AccountLine
from tests.fuzz.mutate import cut_anywhere
from tests.fuzz.parsers import VERIFIER
from tests.fuzz.screens import check_irc, check_lines
from tests.fuzz.words import LATER, OTHER, everything
from tests.services.streams import FakeStream

REGISTERED, OPERATOR, FLOODED, MODERATED, ALL_CAPABILITIES = 1, 2, 4, 8, 16
"""The situations, as bits of the first byte: what is so before the first word."""

_LIMITS = HistoryLimits(lines=20, size=8192, seconds=3600.0)
_TURNS = re.compile(b"([%b%b])" % (OTHER, LATER))
HASH = "$argon2id$v=19$m=19456,t=2,p=1$" + "A" * 22 + "$" + "A" * 43
_EVE = AccountLine("eve", HASH, VERIFIER)
Check = Callable[[bytes], None]


@implementer(ILogObserver)
class Trouble:
    """What is logged as an error: a failure that somebody caught, and an operator would see."""

    def __init__(self) -> None:
        self.found: list[str] = []
        globalLogPublisher.addObserver(self)

    def __call__(self, event: LogEvent) -> None:
        if event.get("log_level") in (LogLevel.error, LogLevel.critical):
            failure = event.get("log_failure")
            self.found.append(failure.getTraceback() if failure else str(formatEvent(event)))


_trouble = Trouble()


class QuickLogins(Logins):
    """Answers later, but does not hash: the password of everybody is ``right``."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self._clock = clock
        self.book = Book({"eve": _EVE}, {"eve": _EVE})

    def authenticate(self, name: str, password: str, host: str) -> Deferred[str | None]:
        """Find out at a later time."""
        answer: Deferred[str | None] = Deferred(lambda _: call.cancel())
        account = self.book.find(name) if password == "right" else None
        known = account.name if account is not None else None
        call = self._clock.callLater(0.5, answer.callback, known)
        return answer

    check_operator = authenticate


class Stream(FakeStream):
    """As a TCP connection, it takes what comes too late to mean anything."""

    def pauseProducing(self) -> None:
        if not (self.disconnecting or self.disconnected):
            super().pauseProducing()

    def resumeProducing(self) -> None:
        if not (self.disconnecting or self.disconnected):
            super().resumeProducing()


class Hostile:
    """One who sends what an input says.

    :ivar check: what everything that this one is sent has to be.
    """

    def __init__(self, factory: ServerFactory, check: Check) -> None:
        protocol: Any = factory.buildProtocol(None)
        self.stream = Stream(protocol)
        self.check = check
        self.over = False

    def send(self, data: bytes) -> None:
        for piece in cut_anywhere(data):
            if not self.over:
                self.stream.protocol.dataReceived(piece)
                self.look()

    def look(self) -> None:
        if wire := self.stream.taken():
            self.check(wire)
        stream = self.stream
        if not self.over and (stream.disconnected or stream.disconnecting):
            self.leave()

    def leave(self) -> None:
        if not self.over:
            self.over = True
            self.stream.gone()


class Stage:
    """Everything that is there for one input."""

    def __init__(self, situation: int) -> None:
        _trouble.found.clear()
        self.clock = Clock()
        self.clock.rightNow = 1_700_000_000.0
        self.chat = chat = Chat(self.clock)
        chat.logins, chat.accounts = QuickLogins(self.clock), Path("accounts")
        self.hub = chat.hub = Hub(self.clock.seconds, "lobby", _LIMITS, chat.owner_of)
        self.irc = IRCFactory(chat, self.clock)
        self.irc.server.reload = lambda: None
        self.irc.startFactory()
        self.lines = LineChatFactory(chat, self.clock, banner="welcome", max_line=512)
        self.ncat = LineChatFactory(chat, self.clock, ncat_chat=True, max_line=512)
        self.situation = situation
        # What others were told, which is looked at when nobody catches what is raised.
        self.heard: list[tuple[Check, bytes]] = []
        renderers = self.irc.server.renderers
        every = renderers.for_capabilities(frozenset(CAPABILITIES))
        none = renderers.for_capabilities(frozenset())
        self._witness("anna", every, check_irc, "#tea", "#secret")
        self._witness("boris", none, check_irc, "#lobby", "#tea")
        self._witness("carla", render_rooms, check_lines, "#lobby", "#tea")
        self._witness("dora", render_one_room, check_lines, "#lobby")
        self._witness("egon", render_plain, check_lines, "#lobby")
        self._witness("user0", render_ncat, check_lines, "#lobby")
        secret, tea = self.hub.rooms["secret"], self.hub.rooms["tea"]
        secret.flags |= {"s", "i"}
        if situation & MODERATED:
            self.hub.moderation.set_modes(None, "#tea", [(True, "m", None), (True, "b", "*a*a*")])
        if situation & FLOODED:
            chat.flood.rate, chat.flood.burst = 2.0, 5
        self.rooms = {self.hub.lobby.key, secret.key, tea.key}
        self.witnesses = set(self.hub.people.values())
        self.calls = len(self.clock.getDelayedCalls())

    def _witness(self, nick: str, render: Render, check: Check, *rooms: str) -> None:
        """Let somebody in who checks all that is heard."""

        def close(reason: str) -> None:
            self.hub.quit(person, reason)

        irc = check is check_irc
        person = self.hub.enter(
            frontend="irc" if irc else "lines",
            host="10.0.0.7",
            render=render,
            write=lambda wire: self.heard.append((check, wire)),
            close=close,
            nick=nick,
        )
        for room in rooms:
            self.hub.join(person, room)

    def enter_irc(self) -> Hostile:
        one = Hostile(self.irc, check_irc)
        if self.situation & ALL_CAPABILITIES:
            one.stream.protocol.dataReceived(everything() + b"CAP END\r\n")
        if self.situation & REGISTERED:
            nick = b"mallory" if len(self.irc.server.clients) == 1 else b"marvin"
            one.stream.protocol.dataReceived(b"NICK %b\r\nUSER m 0 * :M\r\n" % nick)
            one.stream.protocol.dataReceived(b"JOIN #tea\r\n")
            self.empower(one)
        return one

    def enter_lines(self, factory: LineChatFactory) -> Hostile:
        one = Hostile(factory, check_lines)
        self.empower(one)
        return one

    def empower(self, one: Hostile) -> None:
        person: Person | None = one.stream.protocol.person
        if person is not None and self.situation & OPERATOR:
            person.operator = True

    def play(self, script: bytes, enter: list[Callable[[], Hostile]]) -> None:
        """Have the hostile ones say *script*, and see that everything holds, then and after."""
        there = [enter[0]()]
        now = 0
        for part in _TURNS.split(script):
            if part == LATER:
                self.clock.advance(20.0)
            elif part == OTHER:
                now = 1 - now
                if now == len(there):
                    there.append(enter[1]())
            else:
                there[now].send(part)
        for one in there:
            one.look()
        self.check_hub()
        self.check_heard()
        for number, one in enumerate(there):
            if not one.over and (self.situation + number) % 3 == 0:
                one.stream.protocol.readConnectionLost()
            one.leave()
        self.clock.advance(120.0)
        self.check_heard()
        self.check_gone()
        self.check_trouble()

    def check_trouble(self) -> None:
        """See that nothing was logged that an operator would have to look at."""
        assert _trouble.found == [], _trouble.found[0]

    def check_heard(self) -> None:
        """See that the others were told nothing that commands a terminal, nor breaks a line."""
        heard, self.heard = self.heard, []
        for check, wire in heard:
            check(wire)

    def check_hub(self) -> None:
        """See that people and rooms agree, and that what is kept is bounded."""
        hub = self.hub
        for key, person in hub.people.items():
            assert person.key == key
            assert len(person.rooms) <= MOST_ROOMS_EACH
            assert all(person in hub.rooms[room].members for room in person.rooms)
        for key, room in hub.rooms.items():
            assert room.key == key
            assert room.members or room is hub.lobby
            told = [person for heard in room.listeners.values() for person in heard]
            assert sorted(one.key for one in told) == sorted(one.key for one in room.members)
            assert all(key in person.rooms for person in room.members)
            assert sum(map(len, room.lists.values())) <= MOST_MASKS
            assert len(room.invited) <= 1000
            kept = list(room.history)
            assert len(kept) <= _LIMITS.lines
            assert all(a.order < b.order <= room.order for a, b in itertools.pairwise(kept))
        for client in self.irc.server.clients:
            assert len(client.monitoring) <= MOST_MONITORED
            assert len(client.exchange_data) <= 1 << 14

    def check_gone(self) -> None:
        """See that nothing is left of those who were there."""
        hub, server, known = self.hub, self.irc.server, self.witnesses
        assert known >= set(hub.people.values())
        assert known >= set(hub._looks.values())
        for room in hub.rooms.values():
            assert known >= set(room.members)
            assert all(known >= set(heard) for heard in room.listeners.values())
        assert not server.clients
        assert not server.watchers
        assert server.unregistered == 0
        assert set(hub.rooms) <= self.rooms
        assert len(self.clock.getDelayedCalls()) <= self.calls
        assert len(hub.empty_rooms) <= 1000


def irc_chat(data: bytes) -> None:
    """Two clients of IRC."""
    stage = Stage(data[0] if data else 0)
    stage.play(data[1:], [stage.enter_irc, stage.enter_irc])


def line_chat(data: bytes) -> None:
    """Two line clients."""
    stage = Stage(data[0] if data else 0)
    stage.play(data[1:], [lambda: stage.enter_lines(stage.lines)] * 2)


def mixed_chat(data: bytes) -> None:
    """A line client, and a client of IRC."""
    stage = Stage(data[0] if data else 0)
    stage.play(data[1:], [lambda: stage.enter_lines(stage.lines), stage.enter_irc])


def ncat_chat(data: bytes) -> None:
    """A client of ``ncat --chat``, and a line client."""
    stage = Stage(data[0] if data else 0)
    first, second = stage.ncat, stage.lines
    stage.play(data[1:], [lambda: stage.enter_lines(first), lambda: stage.enter_lines(second)])
