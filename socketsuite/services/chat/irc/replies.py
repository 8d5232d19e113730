"""How a client of IRC is told things: lines, numerics, refusals, batches and labels.

This module must not know the commands, nor what a client has said.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from socketsuite.services.chat.irc.capabilities import OF_CAPABILITIES, shared
from socketsuite.services.chat.irc.labels import middle, with_label
from socketsuite.services.chat.irc.numerics import ABOUT_A_ROOM, NUMERICS, REFUSALS
from socketsuite.services.chat.irc.server import Server
from socketsuite.services.chat.person import Person, Write
from socketsuite.services.chat.refusals import Refused
from socketsuite.services.stream import LingeringClose
from socketsuite.wire.irc import packed, serialise


class Replies(LingeringClose):
    """A connection, and the words it is sent.

    :ivar person: in the hub, once registered.
    :ivar capabilities: those that the client has asked for.
    """

    __slots__ = (
        "_captured",
        "_label",
        "batches",
        "capabilities",
        "hub",
        "person",
        "server",
        "wanted_nick",
    )

    def __init__(self, server: Server, reactor: Any) -> None:
        super().__init__(reactor)
        self.person: Person | None = None
        self.server = server
        self.hub = server.hub
        self.capabilities = shared(frozenset())
        self.wanted_nick = ""
        self.batches = 0
        self._captured: list[bytes] | None = None
        self._label = ""

    @property
    def nick(self) -> str:
        """The nick, as replies have it."""
        return self.person.nick if self.person is not None else self.wanted_nick or "*"

    # ── telling ─────────────────────────────────────────────────────────────────────

    @property
    def writer(self) -> Write:
        """What the hub writes by: the transport itself, but for who may ask for labels."""
        labels = "labeled-response" in self.capabilities
        return self.deliver if labels else self.transport.write

    def deliver(self, wire: bytes) -> None:
        """Send lines that are ready, or keep them for the label that they are to have."""
        if self._captured is not None:
            self._captured.append(wire)
        elif not self.closing:
            self.transport.write(wire)

    def send(
        self,
        command: str,
        *parameters: str,
        source: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Send one line, from the server unless *source* says otherwise."""
        source = self.server.name if source is None else source
        self.deliver(serialise(command, parameters, source=source, tags=tags))

    def reply(self, name: str, *parameters: str, text: str | None = None, batch: str = "") -> None:
        """Send a numeric reply.

        :param text: instead of the table's.
        """
        number, usual = NUMERICS[name]
        text = usual if text is None else text
        words = [middle(word) for word in parameters]
        if text:
            words.append(text)
        elif parameters:
            words[-1] = parameters[-1]
        tags = {"batch": batch} if batch else None
        self.send(number, self.nick, *words, tags=tags)

    def reply_packed(
        self, name: str, words: Iterable[str], *parameters: str, separator: str = " "
    ) -> None:
        """Send *words* in as many replies as they need, each behind *parameters*."""
        head = serialise(
            NUMERICS[name].number, [self.nick, *parameters, ""], source=self.server.name
        )
        for text in packed(words, 510 - len(head), separator):
            self.reply(name, *parameters, text=text)

    def refuse(self, refused: Refused) -> None:
        """Send what the hub refuses, as its numeric."""
        name, about = REFUSALS[refused.code], refused.about or "*"
        if refused.code in ABOUT_A_ROOM:
            about = "#" + about.removeprefix("#")
        self.reply(name, about, text=self.words_for(refused))

    def words_for(self, refused: Refused) -> str:
        """Return the text of a refusal: the table's, and why."""
        usual = NUMERICS[REFUSALS[refused.code]].text
        return f"{usual}: {refused.text}" if usual else refused.text

    def notice(self, text: str) -> None:
        """Send a notice of the server's."""
        self.send("NOTICE", self.nick, text)

    def fail(self, command: str, code: str, *context: str, text: str, kind: str = "FAIL") -> None:
        """Send a standard reply (FAIL, WARN, NOTE), as a notice to those who have none.

        Who has the capability that a command is of knows what it is answered by, too.
        """
        if {"standard-replies", OF_CAPABILITIES.get(command)} & self.capabilities:
            self.send(kind, command, code, *context, text)
        else:
            self.notice(f"{command}: {text}")

    def tell_to(self, people: Sequence[Person], event: Any) -> None:
        """Tell an event to *people*, as the hub does."""
        self.hub.tell(people, event)

    # ── batches and labels ──────────────────────────────────────────────────────────

    @contextlib.contextmanager
    def batch(self, kind: str, *parameters: str) -> Iterator[str]:
        """Send what is sent meanwhile as a batch; its reference, empty for who has none."""
        if "batch" not in self.capabilities:
            yield ""
            return
        self.batches += 1
        reference = f"b{self.batches:x}"
        self.send("BATCH", f"+{reference}", kind, *parameters)
        yield reference
        self.send("BATCH", f"-{reference}")

    @contextlib.contextmanager
    def labelled(self, label: str) -> Iterator[None]:
        """Answer with *label*: what is sent meanwhile, or an acknowledgement of nothing."""
        if not label:
            yield
            return
        self._captured, self._label = [], label
        try:
            yield
        finally:
            wire = b"".join(self._captured or ())
            self._captured = None
            if self._label:
                self._label = ""
                self.answer(wire, label)
            elif wire:  # the answer is yet to come, and has the label then
                self.deliver(wire)

    def answer(self, wire: bytes, label: str) -> None:
        """Send the lines of an answer with its label."""
        self.batches += 1
        self.deliver(with_label(wire, label, self.server.name, f"l{self.batches:x}"))

    def capture(self, lines: list[bytes] | None) -> None:
        """Have what is sent from now on put into *lines* instead; ``None`` sends it."""
        self._captured = lines

    def answer_later(self) -> str:
        """Take the label of what is obeyed now: its answer is for later, and has it then."""
        label, self._label = self._label, ""
        return label

    @contextlib.contextmanager
    def unanswered(self) -> Iterator[None]:
        """Send what is sent meanwhile at once: it is no part of the answer to what is obeyed."""
        captured, self._captured = self._captured, None
        try:
            yield
        finally:
            self._captured = captured
