"""Leaks: descriptors and memory do not grow with the connections that have been.

Must not know what is said.
"""

from __future__ import annotations

import contextlib

from socketsuite.testing.checks.base import Check, all_given_back, descriptors_at_rest
from socketsuite.testing.conversation import Conversation
from socketsuite.testing.daemon import Daemon
from socketsuite.testing.replies import NonConformance

_WHOLE = 10_000
_WARM_UP = 0.3
_AT_ONCE = 25
_FIXED = 2 << 20
_EACH = 1 << 10


class Leak(Check):
    """After 10,000 connections (at ``scale=1``) descriptors and memory are as before.

    Five kinds take turns: closed at once, behind an exchange, in the middle of a request, and
    the last two by RST.  First three in ten as many, so that caches are filled.  Memory may
    grow by 2 MiB and 1 KiB for each connection.
    """

    name = "leak"
    arguments = ("--backlog", "4096")

    def examine(self, daemon: Daemon) -> None:
        """Connect again and again."""
        count = max(_AT_ONCE * 4, self.times(_WHOLE))
        self.kit.prove_alive(daemon)
        before = descriptors_at_rest(daemon)
        self._connect(daemon, round(count * _WARM_UP))
        all_given_back(daemon, before, "the first connections")
        memory = daemon.memory()
        self._connect(daemon, count)
        all_given_back(daemon, before, f"{count} connections")
        grown = daemon.memory() - memory
        if grown > _FIXED + count * _EACH:
            text = f"{count} connections leave {grown} bytes of memory, {grown // count} each"
            raise NonConformance(text)

    def _connect(self, daemon: Daemon, count: int) -> None:
        done = 0
        while done < count:
            some = min(_AT_ONCE, count - done)
            with contextlib.ExitStack() as stack:
                callers = [stack.enter_context(self.kit.converse(daemon)) for _ in range(some)]
                for number, caller in enumerate(callers):
                    self._speak(caller, number % 5)
                for number, caller in enumerate(callers):
                    self._end(caller, number % 5)
            done += some

    def _speak(self, caller: Conversation, kind: int) -> None:
        request = self.kit.plainest[0] if self.kit.plainest else self.kit.flooding()
        if kind in (2, 4):
            request = request[: max(1, len(request) // 2)]
        if kind and request:
            # One that closes by itself may have done so.
            with contextlib.suppress(*[NonConformance] if self.kit.closes else []):
                caller.send(request)

    def _end(self, caller: Conversation, kind: int) -> None:
        if kind in (1, 3) and self.kit.plainest:
            caller.expect(self.kit.plainest[1])
        if kind in (3, 4):
            caller.reset()
        else:
            caller.close()
