"""Who came in by the line frontend: what that person's lines do, and which room they go to.

Between the protocol, which knows the stream, and the commands, which know what to do.  This
module must not know how lines arrive, nor any one command.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from socketsuite.services.chat.chat import Chat
from socketsuite.services.chat.events import Kind
from socketsuite.services.chat.line_render import (
    clean,
    history_lines,
    render_one_room,
    render_rooms,
    server_line,
)
from socketsuite.services.chat.person import Person
from socketsuite.services.chat.refusals import Refused
from socketsuite.services.chat.room import Room

_log = Logger(namespace="socketsuite-chat")
LONGEST_WORDS = 390
"""Bytes of a topic, a reason or what is said of being away: what fits in a line of IRC."""

MOST_HISTORY = 1 << 16
"""Bytes of history that are shown at once."""

_CR = 13  # a byte is looked for faster than bytes of one


class Session:
    """One person with a line client.

    :param end: closes the connection; the reason is told to the others.
    :param go_on: called when what was waited for has come.
    :ivar interactive: whether a command was said; who has said none sees nothing but lines.
    :ivar waiting: whether an answer has yet to come, before which no line is obeyed.
    """

    def __init__(
        self,
        chat: Chat,
        person: Person,
        end: Callable[[str], object],
        go_on: Callable[[], object],
    ) -> None:
        self.chat = chat
        self.hub = chat.hub
        self.person = person
        self.end = end
        self._go_on = go_on
        self.interactive = False
        self.waiting = False
        self._late = False
        self._question: Callable[[str], object] | None = None
        self._current: Room | None = chat.hub.lobby

    # ── talking ─────────────────────────────────────────────────────────────────────

    def tell(self, text: str) -> None:
        """Say *text* to this person alone, as the server."""
        self.person.write(server_line(text))

    @property
    def busy(self) -> bool:
        """Whether the next line is more than what it says: an answer, or to be waited with."""
        return self.waiting or self._question is not None

    @property
    def ways(self) -> int:
        """In how many ways a line is rendered that is said now: those in the room see it so."""
        return len(self._current.listeners) or 1 if self._current is not None else 1

    def is_text(self, line: bytes) -> bool:
        """Whether *line*, the next, is to be said, and neither obeyed nor an answer."""
        return self._question is None and (line[:1] != b"/" or line[:2] == b"//")

    def say(self, lines: Sequence[bytes], kind: Kind = "message") -> None:
        """Say *lines* in the room that the person speaks in."""
        # No message of the hub holds a CR; people see it as printable() would have it.
        if _CR in b"".join(lines):
            lines = [line.replace(b"\r", b"^M") for line in lines]
        try:
            self.hub.speech.say_in(self.room(), self.person, lines, kind)
        except Refused as refused:
            self.tell(f"not said: {refused}")

    def room(self) -> Room:
        """Return the room that the person speaks in.

        :raises Refused: when it is in none, or no longer in that one.
        """
        room = self._current
        if room is None:
            raise Refused("not_in_room", "", "you are in no room; /join one")
        if self.person not in room.members:
            raise Refused("not_in_room", f"#{room.key}", "you are not in that room; /join it")
        return room

    def ask(self, question: str, answer: Callable[[str], object]) -> None:
        """Have the next line be *answer*'s."""
        self.tell(question)
        self._question = answer

    def answers(self, line: bytes) -> bool:
        """Whether *line* was an answer; it has been taken as one."""
        answer, self._question = self._question, None
        if answer is None:
            return False
        answer(line.decode("utf-8", "replace"))
        return True

    def wait_for(self, result: Deferred[None]) -> None:
        """Obey no line until *result* is there; a failure is told in one line."""
        self.waiting = True
        result.addErrback(self._failed).addBoth(self._has_come)
        # What was there at once is nothing to go on from.
        self._late = self.waiting

    def _failed(self, failure: Failure) -> None:
        if failure.check(Refused):
            self.tell(str(failure.value))
        else:
            _log.failure("a command of {nick} failed", failure, nick=self.person.nick)
            self.tell("that did not work; the server's log says why")

    def _has_come(self, _: object) -> None:
        self.waiting = False
        if self._late:
            self._late = False
            self._go_on()

    # ── how much is seen ────────────────────────────────────────────────────────────

    def become_interactive(self) -> None:
        """Show more than lines from now on."""
        if not self.interactive:
            self.interactive = self.person.hears_private = True
            self.see_rooms()

    def see_rooms(self) -> None:
        """Show which room it is, if there are several."""
        render = render_rooms if len(self.person.rooms) > 1 else render_one_room
        if self.person.render is not render:
            self.person.render = render
            for key in self.person.rooms:
                self.hub.rooms[key].listens_anew(self.person)

    def speak_in(self, room: Room | None) -> None:
        """Have what is said go to *room*; ``None`` is the last that the person came into."""
        if room is None and self.person.rooms:
            room = self.hub.rooms[next(reversed(self.person.rooms))]
        self._current = room
        self.see_rooms()

    def is_current(self, room: Room) -> bool:
        """Whether it is *room* that the person speaks in."""
        return room is self._current

    def show_history(self, room: Room, count: int) -> int:
        """Show the last *count* lines of *room*, or fewer; return how many there were."""
        shown: list[bytes] = []
        size = 0
        for message in reversed(room.history.latest(count)):
            shown.append(history_lines(message))
            size += len(shown[-1])
            if size >= MOST_HISTORY:
                break
        if shown:
            self.tell(f"the history of #{room.name}:")
            self.person.write(b"".join(reversed(shown)))
        return len(shown)


def known_room(session: Session, name: str) -> Room:
    """Return the room of that *name*, or, when it is empty, the one that is spoken in.

    A secret room that the person is not in is none.

    :raises Refused: when there is none.
    """
    if not name:
        return session.room()
    room = session.hub.room(name)
    if "s" in room.flags and not knows(session, room):
        raise Refused("no_such_room", clean(name), "there is no such room")
    return room


def knows(session: Session, room: Room) -> bool:
    """Whether the person may see that there is *room*, and who is in it."""
    inside = room.key in session.person.rooms or session.person.operator
    return "s" not in room.flags or inside


def words(text: str) -> str:
    """Return *text* as it may be shown to everybody.

    :raises Refused: when it is too long.
    """
    text = clean(text)
    if len(text.encode()) > LONGEST_WORDS:
        raise Refused("too_long", "", f"that is longer than {LONGEST_WORDS} bytes")
    return text
