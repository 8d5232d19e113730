"""Half-closed connections: a client that has sent its FIN still gets its reply (RFC 9293, 3.6).

Must not know what the reply is.
"""

from __future__ import annotations

import contextlib

from socketsuite.testing.checks.base import QUEUES, Check
from socketsuite.testing.conversation import Conversation
from socketsuite.testing.daemon import Daemon
from socketsuite.testing.replies import NonConformance

_SIZE = 4 << 20


class HalfClose(Check):
    """A client that shuts down its sending side (``nc -N``) gets every reply, then a FIN.

    Each request, and one with a reply of 4 MiB if the kit has ``big=``, followed by FIN before
    anything is read.  A service that is ``endless`` need not close.
    """

    name = "half-close"
    arguments = QUEUES
    half_close_timeout = 0.5

    @property
    def lacks(self) -> str:
        """A request to be answered."""
        return "" if self.kit.talk else "no talk="

    def examine(self, daemon: Daemon) -> None:
        """Have all of them half-closed at once, and read one after another."""
        with contextlib.ExitStack() as stack:
            waiting: list[tuple[int, Conversation]] = []
            for number, (request, _) in enumerate(self.kit.talk):
                caller = stack.enter_context(self.kit.converse(daemon))
                if request:
                    caller.send(request)
                if not self.kit.closes:
                    caller.finish()
                if self.kit.shared:
                    self._judge(caller, number)
                else:
                    waiting.append((number, caller))
            for number, caller in waiting:
                self._judge(caller, number)
        if self.kit.big is not None:
            self._big(daemon)

    def _judge(self, caller: Conversation, number: int) -> None:
        request, reply = self.kit.talk[number]
        try:
            caller.expect(reply)
            if not self.kit.endless:
                caller.ear = caller.socket
                caller.expect_end()
        except NonConformance as error:
            raise NonConformance(f"{request[:20]!r} and FIN: {error}") from None

    def _big(self, daemon: Daemon) -> None:
        assert self.kit.big is not None
        request, reply = self.kit.big(_SIZE)
        with self.kit.converse(daemon) as caller:
            try:
                caller.transfer(request, reply, finish=True)
                if not self.kit.endless:
                    caller.ear = caller.socket
                    caller.expect_end()
            except NonConformance as error:
                text = f"a reply of {len(reply)} bytes, FIN behind the request: {error}"
                raise NonConformance(text) from None
