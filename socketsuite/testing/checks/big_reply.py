"""Large replies: what is larger than all buffers on the way arrives whole.

Must not know what the reply is.
"""

from __future__ import annotations

from socketsuite.testing.checks.base import QUEUES, Check
from socketsuite.testing.daemon import Daemon
from socketsuite.testing.replies import NonConformance

SIZE = 16 << 20


class BigReply(Check):
    """A reply of 16 MiB arrives whole, in order, at a client that reads.

    The request is sent and the reply read at the same time, as fast as TCP lets both.  What
    comes after it on the same connection is as before.
    """

    name = "big-reply"
    arguments = QUEUES

    @property
    def lacks(self) -> str:
        """A large reply."""
        return "" if self.kit.big else "no big="

    def examine(self, daemon: Daemon) -> None:
        """Read it, then go on talking."""
        assert self.kit.big is not None
        request, reply = self.kit.big(SIZE)
        with self.kit.converse(daemon) as caller:
            try:
                caller.transfer(request, reply)
            except NonConformance as error:
                raise NonConformance(f"a reply of {len(reply)} bytes: {error}") from None
            if self.kit.closes and not self.kit.endless:
                caller.expect_end()
            elif self.kit.talk and not self.kit.endless:
                caller.exchange(*self.kit.talk[0])
