"""One client of IRC: who it is, and how it is told things.

This module must not know the commands.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from socketsuite.services.chat.irc.capabilities import OF_CAPABILITIES
from socketsuite.services.chat.irc.labels import middle, with_label
from socketsuite.services.chat.irc.numerics import ABOUT_A_ROOM, NUMERICS, REFUSALS
from socketsuite.services.chat.irc.open_batch import OpenBatch
from socketsuite.services.chat.irc.server import Server
from socketsuite.services.chat.person import Person, Write
from socketsuite.services.chat.refusals import Refused
from socketsuite.services.chat.sasl import Mechanism, Success
from socketsuite.services.stream import LingeringClose
from socketsuite.wire.irc import packed, serialise

_log = Logger(namespace="socketsuite-chat")


class Client(LingeringClose):
    """A connection, its registration, and the words it is sent.

    :ivar person: in the hub, once registered.
    :ivar capabilities: those that the client has asked for.
    :ivar heard: when something came last, by the reactor's clock.
    :ivar monitoring: nicks, by their keys.
    """

    person: Person | None = None

    def __init__(self, server: Server, reactor: Any) -> None:
        super().__init__(reactor)
        self.server = server
        self.hub = server.hub
        self.clock = reactor
        self.capabilities: frozenset[str] = frozenset()
        self.capability_version = 301
        self.negotiating = False
        self.wanted_nick = self.user = self.realname = ""
        self.password = ""
        self.account: str | None = None
        self.exchange: Mechanism | None = None
        self.exchange_data = ""
        # The exchange has succeeded, and the client has still to say that it knows.
        self.success: Success | None = None
        self.heard: float = reactor.seconds()
        self.since = self.heard
        self.pinged = False
        # Lines that wait, each for its time, or until something that takes its own is done.
        self.busy = False
        self.waiting: deque[tuple[float, bytes | Callable[[], object]]] = deque()
        self.monitoring: dict[str, str] = {}
        self.markers: dict[str, float] = {}
        self.batches = 0
        self.open_batch: OpenBatch | None = None
        # What an AWAY before registration says.
        self.away: str | None = None
        self._captured: list[bytes] | None = None
        self._label = ""
        self._pending: Deferred[Any] | None = None

    @property
    def nick(self) -> str:
        """The nick, as replies have it."""
        return self.person.nick if self.person is not None else self.wanted_nick or "*"

    @property
    def host(self) -> str:
        """The client's address; no Unix socket has one."""
        return getattr(self.transport.getPeer(), "host", None) or "local"

    @property
    def secure(self) -> bool:
        """Whether the connection is of TLS."""
        return hasattr(self.transport, "getPeerCertificate")

    @property
    def certificate(self) -> Any:
        """The certificate that the client has shown, if it has."""
        shown = getattr(self.transport, "getPeerCertificate", None)
        return shown() if shown is not None else None

    @property
    def me_account(self) -> str | None:
        """The account that the client is logged in as."""
        return self.person.account if self.person is not None else self.account

    @property
    def me(self) -> Person:
        """The person that this client is; only registered ones have one."""
        assert self.person is not None
        return self.person

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

    def later(self, result: Deferred[Any], done: Callable[[Any], object]) -> None:
        """Call *done* with what *result* comes to; lines that are received meanwhile wait.

        A refusal is told; another failure is in the log, and called ``None``.
        """
        label = self.answer_later()
        self.busy = True
        self.transport.pauseProducing()

        def failed(failure: Failure) -> None:
            if isinstance(failure.value, Refused):
                self.refuse(failure.value)
            elif not failure.check(CancelledError):
                _log.failure("what a client waited for", failure)

        def finish(value: Any) -> None:
            self.busy, self._pending = False, None
            if self.closing or self not in self.server.clients:
                return
            self.transport.resumeProducing()
            with self.labelled(label):
                done(value)
            self.process_waiting()

        self._pending = result
        result.addErrback(failed)
        result.addCallback(finish)

    def process_waiting(self) -> None:
        """Obey the lines that wait; a protocol does."""

    # ── what it can see ─────────────────────────────────────────────────────────────

    def rerender(self) -> None:
        """Have events look as the capabilities now say."""
        if self.person is None:
            return
        render, write = self.server.renderers.for_capabilities(self.capabilities), self.writer
        if render is not self.person.render or write != self.person.write:
            self.person.render, self.person.write = render, write
            for key in self.person.rooms:
                self.hub.rooms[key].listens_anew(self.person)

    def monitored(self, person: Person, here: bool) -> None:
        """Tell that who is monitored came or went."""
        if here:
            self.reply("RPL_MONONLINE", text=person.mask)
        else:
            self.reply("RPL_MONOFFLINE", text=person.nick)

    def end(self, reason: str) -> None:
        """Leave the hub, say why, and close."""
        if self.closing:
            return
        self.leave(reason)
        self._captured = None
        self.close_with(serialise("ERROR", [f"Closing link: {reason}"]))

    def leave(self, reason: str) -> None:
        """Be gone from the hub and from what the server knows."""
        if self in self.server.clients:
            del self.server.clients[self]
            if self.person is None:
                self.server.unregistered -= 1
        if self._pending is not None:
            self._pending.cancel()
        for nick in self.monitoring.values():
            self.server.watch_no_more(self, nick)
        self.monitoring.clear()
        if self.person is not None:
            self.hub.quit(self.person, reason)
