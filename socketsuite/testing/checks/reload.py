"""Reload: SIGHUP under traffic drops nobody and loses nothing.

Must not know what a reload changes.
"""

from __future__ import annotations

import contextlib
import signal

from socketsuite.testing.checks.base import Check
from socketsuite.testing.conversation import Conversation
from socketsuite.testing.daemon import Daemon
from socketsuite.testing.journal import ARGUMENTS, Journal
from socketsuite.testing.replies import NonConformance

_RELOADS = 5
_CALLERS = 4
_EXCHANGES = 10
_OUTCOME = r"socketsuite reloaded|reload refused"


class Reload(Check):
    """Through five reloads every connection stays open, and every reply is exact.

    Three connections take turns, a request of a fourth is cut by each reload, and new ones are
    made all the time; there is only one, where what is said is ``shared``.
    """

    name = "reload"
    arguments = ARGUMENTS

    def examine(self, daemon: Daemon) -> None:
        """Talk and reload."""
        kit = self.kit
        with contextlib.ExitStack() as stack:
            count = 0 if kit.closes else 1 if kit.shared else _CALLERS
            callers = [stack.enter_context(kit.converse(daemon)) for _ in range(count)]
            journal = Journal(daemon)
            for number in range(_RELOADS):
                rest = self._begin(callers, journal, number)
                self._reload(daemon, callers, number)
                if rest:
                    self._finish(callers[0], rest, number)
            for caller in callers:
                if caller.is_ended():
                    raise NonConformance("a reload has closed a connection")

    def _begin(self, callers: list[Conversation], journal: Journal, number: int) -> bytes:
        """Have the first half of a request read, and return the other; nothing where it is
        shared.
        """
        if not self.kit.talk or len(callers) < _CALLERS:
            return b""
        request, half = self.kit.talk[0][0], len(self.kit.talk[0][0]) // 2
        callers[0].send(request[:half])
        # Only what was read already can be lost by a reload.
        journal.wait_received(callers[0].peer, number * len(request) + half)
        return request[half:]

    def _reload(self, daemon: Daemon, callers: list[Conversation], number: int) -> None:
        """Send SIGHUP, and talk until the reload is over."""
        told, exchanges = len(daemon.lines), 0
        daemon.send_signal(signal.SIGHUP)
        while exchanges < _EXCHANGES or not daemon.has_line(_OUTCOME, told):
            self._exchange(daemon, callers, exchanges, number)
            exchanges += 1
            if exchanges > _EXCHANGES * 10:
                break  # and wait for it in silence
        outcome = daemon.wait_for_line(_OUTCOME, told)
        if outcome[0] == "reload refused":
            raise NonConformance(f"SIGHUP is refused: {outcome.string}")

    def _finish(self, caller: Conversation, rest: bytes, number: int) -> None:
        try:
            caller.exchange(rest, self.kit.talk[0][1])
        except NonConformance as error:
            raise NonConformance(f"a request cut by reload {number}: {error}") from None

    def _exchange(
        self, daemon: Daemon, callers: list[Conversation], turn: int, number: int
    ) -> None:
        kit = self.kit
        free = callers if kit.shared else callers[1:]
        try:
            if not (free and kit.talk) or (turn % 3 == 0 and not kit.shared):
                kit.prove_alive(daemon)
            else:
                request, reply = kit.talk[turn % len(kit.talk)]
                free[turn % len(free)].exchange(request, reply)
        except NonConformance as error:
            raise NonConformance(f"during reload {number}: {error}") from None
