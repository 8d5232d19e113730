"""The connection of a client of IRC: lines in, commands obeyed.

This module must not know what a command does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from socketsuite.services.chat.flood import TokenBucket, Verdict
from socketsuite.services.chat.irc import multiline, registration
from socketsuite.services.chat.irc.client import Client
from socketsuite.services.chat.irc.command import Command
from socketsuite.services.chat.irc.gradual import Gradual
from socketsuite.services.chat.irc.server import Server
from socketsuite.services.chat.irc.tables import COMMANDS
from socketsuite.services.chat.refusals import Refused
from socketsuite.services.chat.turns import TURN, in_turn
from socketsuite.wire.irc import LONGEST_BODY, LONGEST_TAGS, BadLineError, Line, parse
from socketsuite.wire.lines import LineFramer, LineTooLong

_LONGEST_LABEL = 64
_DROPPED = b"\0"
"""Waits where lines were dropped: no line that a client sends is like it."""
_LINES_A_TURN = 50
"""Lines of one client that are obeyed before it is the turn of others."""


class IRCChat(Client):
    """One person who came in by IRC."""

    __slots__ = ("_bucket", "_framer", "_half_closed", "_turn")

    def __init__(self, server: Server, reactor: Any) -> None:
        super().__init__(server, reactor)
        # Both limits and some more: a line that is a little too long costs no connection.
        self._turn: IDelayedCall | None = None
        self._half_closed = False
        self._bucket: TokenBucket | None = None
        self._framer = LineFramer(LONGEST_TAGS + 4 * LONGEST_BODY)

    def connectionMade(self) -> None:
        """Wait for the client to register."""
        self.server.clients[self] = None
        self.server.unregistered += 1

    def dataReceived(self, data: bytes) -> None:
        """Obey the lines that are complete."""
        if self.closing:
            return
        self.heard, self.pinged = self.clock.seconds(), False
        try:
            lines = self._framer.feed(data)
        except LineTooLong as error:
            self._take(error.lines)
            self.process_waiting()
            self.end("line too long")
            return
        flood = self.server.chat.flood
        if len(lines) == 1 and lines[0] and not (self._waiting or self.busy or flood.rate):
            self._line(lines[0])  # almost always
            if self._waiting:
                self.process_waiting()
        else:
            self._take(lines)
            self.process_waiting()

    def _take(self, lines: list[bytes]) -> None:
        """Have *lines* wait, each for its time; what comes much too fast is dropped."""
        flood = self.server.chat.flood
        if not flood.rate:
            self.waiting.extend([(0.0, line) for line in lines if line])
            return
        now = self.heard
        if self._bucket is None:
            self._bucket = TokenBucket(flood, now)
        dropped = 0
        for line in lines:
            verdict = self._bucket.judge(now) if self._counts(line) else Verdict.AT_ONCE
            if verdict is Verdict.AT_ONCE or verdict is Verdict.LATER:
                wait = self._bucket.wait if verdict is Verdict.LATER else 0.0
                self.waiting.append((now + wait, line))
            elif verdict is Verdict.DROPPED:
                dropped += 1
                if not self.waiting or self.waiting[-1][1] is not _DROPPED:
                    self.waiting.append((0.0, _DROPPED))
            else:
                self.end("Excess flood")
                return
        if dropped:
            self.notice(f"too fast, and dropped: {dropped} of your lines")

    def _counts(self, raw: bytes) -> bool:
        """Whether a line counts as said: all do but those by which one registers."""
        if self.person is not None:
            return True
        try:
            command = COMMANDS.get(parse(raw).command)
        except BadLineError:
            return True
        return command is None or not command.early

    def process_waiting(self) -> None:
        """Obey the lines that wait, in their order; some of them, and the others next turn."""
        waiting = self._waiting or ()
        left, until = _LINES_A_TURN, 0.0
        if len(waiting) > 1:
            until = self.clock.seconds() + TURN
        while waiting and not self.busy and not self.closing:
            wait = waiting[0][0] - self.clock.seconds() if waiting[0][0] else 0.0
            if left <= 0 or wait > 0 or (until and self.clock.seconds() > until):
                self.busy = True
                self.transport.pauseProducing()
                self._turn = self.clock.callLater(max(0.0, wait), self._next_turn)
                return
            _, line = self.waiting.popleft()
            if callable(line):
                line()
                left = 0
            else:
                left -= self._line(line)
        if not waiting:
            self._waiting = None
        if self._half_closed and not self.busy:
            super().readConnectionLost()

    def _next_turn(self) -> None:
        self._turn, self.busy = None, False
        self.transport.resumeProducing()
        in_turn(self.transport, self.process_waiting)

    def readConnectionLost(self) -> None:
        """The caller's FIN: obey what waits, then flush what is queued and close."""
        self._half_closed = True
        self.process_waiting()

    def _line(self, raw: bytes) -> int:
        """Obey one line; return which part of a turn it takes, in lines."""
        if raw is _DROPPED:
            multiline.tear(self)
            return 1
        try:
            line = parse(raw)
        except BadLineError as error:
            self._bad_line(raw, error)
            return 1
        command = COMMANDS.get(line.command)
        label = self._label_of(line) if line.tags else ""
        if label:
            with self.labelled(label):
                steps = self._obey(line, command)
                label = self.answer_later() if isinstance(steps, Iterator) else ""
        else:
            steps = self._obey(line, command)
        if steps is not None and isinstance(steps, Iterator):
            Gradual(self, steps, label)()
            return _LINES_A_TURN
        if self.person is None:
            registration.complete(self)
        return _LINES_A_TURN if command is not None and command.costly else 1

    def _label_of(self, line: Line) -> str:
        if {"batch", "labeled-response"} <= self.capabilities:
            return line.tags.get("label", "")[:_LONGEST_LABEL]
        return ""

    def _bad_line(self, raw: bytes, error: BadLineError) -> None:
        if error.code == "utf8":
            try:
                line = parse(raw.decode("ascii", "ignore").encode())
            except BadLineError:
                line = Line("*")
            with self.labelled(self._label_of(line)):
                # A standard reply to all, as UTF8ONLY has it.
                text = "Messages have to be UTF-8"
                self.send("FAIL", line.command[:32], "INVALID_UTF8", text)
        elif error.code == "too_long":
            self.reply("ERR_INPUTTOOLONG")
        elif str(error) != "the line has no command":
            self.reply("ERR_UNKNOWNERROR", "*", text=str(error))

    def _obey(self, line: Line, command: Command | None) -> object:
        """Obey *line*; return the steps of an answer that is given by and by."""
        if (line.tags or self.open_batch is not None) and multiline.takes(self, line):
            return None
        if command is None:
            if self.person is None:
                self.reply("ERR_NOTREGISTERED")
            else:
                self.reply("ERR_UNKNOWNCOMMAND", line.command[:32])
        elif self._may(line, command):
            try:
                return command.handler(self, line)
            except Refused as refused:
                self.refuse(refused)
        return None

    def _may(self, line: Line, command: Command) -> bool:
        if self.person is None and not command.early:
            self.reply("ERR_NOTREGISTERED")
        elif len(line.parameters) < command.least:
            self.reply("ERR_NEEDMOREPARAMS", line.command)
        elif command.operators and not self.me.operator:
            self.reply("ERR_NOPRIVILEGES")
        else:
            return True
        return False

    def drain(self) -> None:
        """Leave, say why, flush, close."""
        self.end("the server stops")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Leave."""
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        self.leave("Connection closed")
        super().connectionLost(reason)
