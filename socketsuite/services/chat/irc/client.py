"""One client of IRC: who it is, and what it waits for.

This module must not know the commands.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from socketsuite.services.chat.irc.open_batch import OpenBatch
from socketsuite.services.chat.irc.replies import Replies
from socketsuite.services.chat.irc.server import Server
from socketsuite.services.chat.person import Person
from socketsuite.services.chat.refusals import Refused
from socketsuite.services.chat.sasl import Mechanism, Success
from socketsuite.wire.irc import serialise

_log = Logger(namespace="socketsuite-chat")


class Client(Replies):
    """A connection and its registration.

    :ivar heard: when something came last, by the reactor's clock.
    :ivar monitoring: nicks, by their keys.
    """

    # Of these there are as many as people; what __dict__ would have is Twisted's alone.
    __slots__ = (
        "_pending",
        "_waiting",
        "account",
        "away",
        "busy",
        "capability_version",
        "clock",
        "exchange",
        "exchange_data",
        "heard",
        "markers",
        "monitoring",
        "negotiating",
        "open_batch",
        "password",
        "pinged",
        "realname",
        "since",
        "success",
        "user",
    )

    def __init__(self, server: Server, reactor: Any) -> None:
        super().__init__(server, reactor)
        self.clock = reactor
        self.capability_version = 301
        self.negotiating = False
        self.user = self.realname = ""
        self.password = ""
        self.account: str | None = None
        self.exchange: Mechanism | None = None
        self.exchange_data = ""
        # The exchange has succeeded, and the client has still to say that it knows.
        self.success: Success | None = None
        self.heard: float = reactor.seconds()
        self.since = self.heard
        self.pinged = False
        self.busy = False
        self._waiting: deque[tuple[float, bytes | Callable[[], object]]] | None = None
        self.monitoring: dict[str, str] = {}
        self.markers: dict[str, float] = {}
        self.open_batch: OpenBatch | None = None
        # What an AWAY before registration says.
        self.away: str | None = None
        self._pending: Deferred[Any] | None = None

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

    @property
    def waiting(self) -> deque[tuple[float, bytes | Callable[[], object]]]:
        """Lines that wait, each for its time, or until something that takes its own is done.

        Made when it is wanted first: nothing waits for almost everybody.
        """
        if self._waiting is None:
            self._waiting = deque()
        return self._waiting

    # ── what takes its time ─────────────────────────────────────────────────────────

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
