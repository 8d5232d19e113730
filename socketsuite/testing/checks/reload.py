"""Reload: SIGHUP under traffic drops nobody and loses nothing.

Must not know what a reload changes.
"""

from __future__ import annotations

import contextlib
import signal

from socketsuite.testing.checks.base import Check
from socketsuite.testing.conversation import Conversation
from socketsuite.testing.daemon import Daemon
from socketsuite.testing.replies import NonConformance

_RELOADS = 5
_CALLERS = 4
_EXCHANGES = 10
_OUTCOME = r"socketsuite reloaded|reload refused"


class Reload(Check):
    """Through five reloads every connection stays open, and every reply is exact.

    Four connections take turns, one request is cut by each reload, and new connections are
    made all the time.
    """

    name = "reload"

    def examine(self, daemon: Daemon) -> None:
        """Talk and reload."""
        kit = self.kit
        with contextlib.ExitStack() as stack:
            callers = [] if kit.closes else [self._caller(daemon, stack) for _ in range(_CALLERS)]
            for number in range(_RELOADS):
                cut = self._begin(callers[0]) if callers else b""
                told = len(daemon.lines)
                daemon.send_signal(signal.SIGHUP)
                exchanges = 0
                while exchanges < _EXCHANGES or not daemon.has_line(_OUTCOME, told):
                    self._exchange(daemon, callers[1:], exchanges, number)
                    exchanges += 1
                    if exchanges >= _EXCHANGES and daemon.process.poll() is not None:
                        break
                    if exchanges > _EXCHANGES * 10:
                        daemon.wait_for_line(_OUTCOME, told)
                outcome = daemon.wait_for_line(_OUTCOME, told)
                if outcome[0] == "reload refused":
                    raise NonConformance(f"SIGHUP is refused: {outcome.string}")
                if callers:
                    self._finish(callers[0], cut, number)
            for caller in callers:
                if caller.is_ended():
                    raise NonConformance("a reload has closed a connection")

    def _caller(self, daemon: Daemon, stack: contextlib.ExitStack) -> Conversation:
        return stack.enter_context(self.kit.converse(daemon))

    def _begin(self, caller: Conversation) -> bytes:
        """Send the first half of a request, and return the other."""
        if not self.kit.talk:
            return b""
        request = self.kit.talk[0][0]
        half = len(request) // 2
        if half:
            caller.send(request[:half])
        return request[half:]

    def _finish(self, caller: Conversation, rest: bytes, number: int) -> None:
        if not self.kit.talk:
            return
        try:
            caller.exchange(rest, self.kit.talk[0][1])
        except NonConformance as error:
            raise NonConformance(f"a request cut by reload {number}: {error}") from None

    def _exchange(
        self, daemon: Daemon, callers: list[Conversation], turn: int, number: int
    ) -> None:
        kit = self.kit
        try:
            if turn % 3 == 0 or not callers or not kit.talk:
                kit.prove_alive(daemon)
            else:
                request, reply = kit.talk[turn % len(kit.talk)]
                callers[turn % len(callers)].exchange(request, reply)
        except NonConformance as error:
            raise NonConformance(f"during reload {number}: {error}") from None
