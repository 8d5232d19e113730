"""The line frontend of the chat: for ``nc``, ``telnet`` and whoever can send text.

The wire, in both directions: lines of UTF-8, ended by LF or CRLF (we send LF).

* on connect, server → client: the banner's line, if there is a banner;
* client → server: a line, which may be empty, of at most *max_line* bytes; one that begins with
  ``/`` is a command (see :mod:`~socketsuite.services.chat.line_commands`), with ``//`` a text
  that begins with one slash;
* server → client: what :mod:`~socketsuite.services.chat.line_render` says; for a client that
  never said a command ``-> `` and the line, for each line of each *other* person in the lobby.
  Control characters are shown in visible notation, so that nobody commands another's terminal;
* a longer line: the client is told the limit in one last line, and closed;
* what a client leaves without an end of line is dropped.

This module must not know how people at other frontends are connected, nor any one command.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, repeat
from typing import Any

from twisted.internet.interfaces import IAddress, IDelayedCall
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.python.failure import Failure

from socketsuite.services.chat.chat import Chat
from socketsuite.services.chat.flood import TokenBucket, Verdict
from socketsuite.services.chat.line_commands import obey
from socketsuite.services.chat.line_render import announce, render_ncat, render_plain, server_line
from socketsuite.services.chat.line_session import Session
from socketsuite.services.chat.person import Person
from socketsuite.services.chat.refusals import Refused
from socketsuite.services.chat.turns import TURN, in_turn
from socketsuite.services.stream import LingeringClose, greeting
from socketsuite.settings import setting
from socketsuite.wire.lines import LineFramer, LineTooLong

LINES_A_TURN, BYTES_A_TURN = 256, 1 << 17
"""Lines of one person, and their bytes, that are said before everybody else has their turn; half
as many where those in the room see them in two ways."""

_SLASH = 47  # a byte is looked for faster than bytes of one

_COST_OF_COMMAND = 32
"""Lines that a command counts for: an answer is longer than what was asked."""

MOST_ANNOUNCED = 50
"""People that ``--ncat-chat`` announces to a newcomer."""


class LineChat(LingeringClose):
    """One person who came in by the line frontend."""

    factory: LineChatFactory
    session: Session | None = None

    def __init__(self, factory: LineChatFactory) -> None:
        super().__init__(factory.reactor)
        self.factory = factory
        self._framer = LineFramer(factory.max_line)
        self._commands = not factory.ncat_chat
        # Lines that wait, each with the time from when it may be said; reading pauses meanwhile.
        self._lines: deque[tuple[float, bytes]] = deque()
        # Why it ends when no line waits any more, for the others and for this one; and whether
        # the caller has closed its half.
        self._ending: tuple[str, bytes] | None = None
        self._fin = False
        self._later: IDelayedCall | None = None
        self._reading = True
        self._bucket: TokenBucket | None = None

    @property
    def person(self) -> Person | None:
        """Who it is, for the daemon's operator; ``None`` before the connection is made."""
        return self.session.person if self.session is not None else None

    def connectionMade(self) -> None:
        """Greet, and join the lobby."""
        if self.factory.banner:
            self.transport.write(greeting(self.factory.banner, self.transport.getHost()))
        chat, ncat = self.factory.chat, self.factory.ncat_chat
        person = chat.hub.enter(
            frontend="lines",
            host=getattr(self.transport.getPeer(), "host", None) or "local",
            render=render_ncat if ncat else render_plain,
            write=self.transport.write,
            close=self._put_out,
            guest="user" if ncat else "guest",
        )
        person.hears_private = False
        self.session = Session(chat, person, self._end, self._work)
        try:
            chat.hub.join(person, chat.hub.lobby.name)
        except Refused as refused:
            # Who may log in, or knows the key of another room, may still do so.
            self.session.tell(str(refused))
        else:
            if ncat:
                self._announce_others(person)

    def _announce_others(self, own: Person) -> None:
        members = self.factory.chat.hub.lobby.members
        some = islice((one for one in members if one is not own), MOST_ANNOUNCED)
        more = len(members) - 1 - MOST_ANNOUNCED
        shown = ", ".join(f"{one.host} as <{one.nick}>" for one in some)
        shown += f" and {more} more" if more > 0 else ""
        self.transport.write(announce(f"already connected: {shown or 'nobody'}."))

    # ── what comes in ───────────────────────────────────────────────────────────────

    def dataReceived(self, data: bytes) -> None:
        """Say the lines that are complete, obey those that are commands."""
        session = self.session
        if self.closing or session is None or self._ending:
            return
        try:
            lines = self._framer.feed(data)
        except LineTooLong as error:
            lines = error.lines
            told = b"line too long: the limit is %d bytes\n" % error.limit
            self._ending = "line too long", told
        flood = self.factory.chat.flood
        if not lines:
            pass
        elif (
            # Almost always so: lines that are nothing but text, and nothing before them waits.
            not self._lines
            and len(lines) * (ways := session.ways) <= LINES_A_TURN
            and len(data) * ways <= BYTES_A_TURN
            and not (lines[0][:1] == b"/" or (_SLASH in data and b"\n/" in data))
            and not flood.rate
            and not session.busy
        ):
            session.say(lines)
        elif flood.rate:
            self._judge(lines)
        else:
            self._lines.extend(zip(repeat(0.0), lines))
        if self._lines or self._ending:
            self._work()

    def _judge(self, lines: Sequence[bytes]) -> None:
        """Have each of *lines* wait for its time, or be dropped."""
        now = self.factory.reactor.seconds()
        if self._bucket is None:
            self._bucket = TokenBucket(self.factory.chat.flood, now)
        dropped = 0
        for line in lines:
            verdict = self._bucket.judge(now)
            if verdict is Verdict.AT_ONCE:
                self._lines.append((now, line))
            elif verdict is Verdict.LATER:
                self._lines.append((now + self._bucket.wait, line))
            elif verdict is Verdict.DROPPED:
                dropped += 1
            else:
                self._flooded(now)
                return
        if dropped:
            self.transport.write(server_line(f"too fast, and dropped: {dropped} of your lines"))

    def _flooded(self, now: float) -> None:
        """Say what may be said now, and close."""
        while self._lines and self._lines[-1][0] > now:
            self._lines.pop()
        told = server_line("too fast: you are closed, and the rest was dropped")
        self._ending = "flooding", told

    def _work(self) -> None:
        """Take the lines whose time has come; not so many that others wait for it."""
        session = self.session
        if self._later is not None:
            if self._later.active():
                self._later.cancel()
            self._later = None
        if session is None or self.closing:
            return
        seconds = self.factory.reactor.seconds
        now, left = seconds(), LINES_A_TURN
        while self._lines and left > 0 and not session.waiting and not self.closing:
            if self._lines[0][0] > now or seconds() > now + TURN:
                break
            left -= self._take(session, now, left)
        self._look_further(session)

    def _take(self, session: Session, now: float, most: int) -> int:
        """Take the next command, or text as far as it goes; return what it counts for."""
        texts: list[bytes] = []
        lines, ways = self._lines, session.ways
        most, size = most // ways or 1, BYTES_A_TURN // ways
        while lines and len(texts) < most and size > 0 and lines[0][0] <= now:
            if self._commands and not session.is_text(lines[0][1]):
                break
            texts.append(lines.popleft()[1])
            size -= len(texts[-1])
        if texts:
            if self._commands:
                texts = [line[1:] if line[:2] == b"//" else line for line in texts]
            session.say(texts)
            return len(texts) * ways
        line = lines.popleft()[1]
        if not session.answers(line):
            obey(session, line)
        return _COST_OF_COMMAND

    def _look_further(self, session: Session) -> None:
        """Read on, or wait for what there is to be waited for."""
        if self.closing:
            self._lines.clear()
            self._read(True)
        elif self._lines or session.waiting:
            self._read(False)
            if self._lines and not session.waiting:
                wait = max(0.0, self._lines[0][0] - self.factory.reactor.seconds())
                self._later = self.factory.reactor.callLater(
                    wait, in_turn, self.transport, self._work
                )
        elif self._ending is not None:
            reason, told = self._ending
            self._quit(reason)
            self._read(True)
            self.close_with(told)
        elif self._fin:
            self.transport.loseConnection()
        else:
            self._read(True)

    def _read(self, reading: bool) -> None:
        if reading is not self._reading and not self._fin:
            self._reading = reading
            if reading:
                self.transport.resumeProducing()
            else:
                self.transport.pauseProducing()

    # ── the end ─────────────────────────────────────────────────────────────────────

    def drain(self) -> None:
        """Leave, flush, close."""
        self._quit("the server stops")
        self.closing = True
        self.transport.loseConnection()

    def readConnectionLost(self) -> None:
        """The caller's FIN: close, but not before what waits was said."""
        self._fin = True
        if not self._lines and not (self.session is not None and self.session.waiting):
            super().readConnectionLost()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Leave."""
        self._quit("closed")
        self.closing = True
        super().connectionLost(reason)

    def _put_out(self, reason: str) -> None:
        """Leave, and close; *reason* is told to everybody."""
        self._end(reason, server_line(f"you are out: {reason}"))

    def _end(self, reason: str, told: bytes = b"") -> None:
        """Leave, and close; *reason* is told to the others, and *told* to this one."""
        self._quit(reason)
        if not self.closing:
            self._read(True)
            self.close_with(told)

    def _quit(self, reason: str) -> None:
        self._lines.clear()
        if self._later is not None:
            self._later.cancel()
            self._later = None
        if self.session is not None:
            self.factory.chat.hub.quit(self.session.person, reason)


@dataclass(eq=False)
class LineChatFactory(ServerFactory):
    """The frontend ``lines``: makes a protocol for each caller.

    :param chat: whose hub everybody is in.
    """

    chat: Chat
    reactor: Any
    banner: str = setting("", "a line every caller is greeted with; {port} is the port")
    max_line: int = setting(8192, "longest line, in bytes", minimum=16, metavar="BYTES")
    ncat_chat: bool = setting(False, "speak the format of ncat --chat, which has no commands")

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """Return a protocol for one caller."""
        return LineChat(self)
