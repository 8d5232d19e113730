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

    Three connections take turns, a request of a fourth is cut by each reload, and new ones are
    made all the time; there is only one, where what is said is ``shared``.
    """

    name = "reload"

    def examine(self, daemon: Daemon) -> None:
        """Talk and reload."""
        kit = self.kit
        with contextlib.ExitStack() as stack:
            count = 0 if kit.closes else 1 if kit.shared else _CALLERS
            callers = [stack.enter_context(kit.converse(daemon)) for _ in range(count)]
            for number in range(_RELOADS):
                cut = self._begin(callers)
                told = len(daemon.lines)
                daemon.send_signal(signal.SIGHUP)
                exchanges = 0
                while exchanges < _EXCHANGES or not daemon.has_line(_OUTCOME, told):
                    self._exchange(daemon, callers, exchanges, number)
                    exchanges += 1
                    if exchanges >= _EXCHANGES and daemon.process.poll() is not None:
                        break
                    if exchanges > _EXCHANGES * 10:
                        daemon.wait_for_line(_OUTCOME, told)
                outcome = daemon.wait_for_line(_OUTCOME, told)
                if outcome[0] == "reload refused":
                    raise NonConformance(f"SIGHUP is refused: {outcome.string}")
                if cut:
                    self._finish(callers[0], cut, number)
            for caller in callers:
                if caller.is_ended():
                    raise NonConformance("a reload has closed a connection")

    def _begin(self, callers: list[Conversation]) -> bytes:
        """Send the first half of a request, and return the other; nothing where it is shared."""
        if not self.kit.talk or len(callers) < _CALLERS:
            return b""
        request = self.kit.talk[0][0]
        callers[0].send(request[: len(request) // 2])
        return request[len(request) // 2 :]

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
