"""What the daemon's log tells of each peer: the bytes received, and why it was closed.

For a daemon started with ``--log-data sizes``.  So a test knows when what it sent was read,
and sends the next piece only then.
"""

from __future__ import annotations

import re
import time
from collections import Counter

from socketsuite.testing.daemon import Daemon
from socketsuite.testing.replies import NonConformance

ARGUMENTS = ("--log-data", "sizes")
_PATTERN = (
    r" (received|closed|refused) transport=\S+ peer=(\S+)(?: bytes=(\d+))?(?:.* reason=(\w+))?"
)


class Journal:
    """Follows the log from now on.

    :ivar received: bytes, by peer as ``connection.getsockname()`` makes ``host:port``.
    :ivar ended: the reason, by peer.
    """

    def __init__(self, daemon: Daemon) -> None:
        self.received: Counter[str] = Counter()
        self.ended: dict[str, str] = {}
        self._daemon = daemon
        self._seen = len(daemon.lines)

    def wait_received(self, peer: str, count: int) -> None:
        """Return once *count* bytes of *peer* were received, or its connection is over."""
        while self.received[peer] < count and peer not in self.ended:
            self._next()

    def is_received(self, peer: str, count: int, quiet: float) -> bool:
        """Return true once *count* bytes of *peer* were received; false when its connection is
        over, or nothing more was received for *quiet* seconds.
        """
        while self.received[peer] < count and peer not in self.ended:
            before, deadline = self.received[peer], time.monotonic() + quiet
            while self.received[peer] == before and peer not in self.ended:
                if not self._look(deadline - time.monotonic()) or time.monotonic() > deadline:
                    return False
        return self.received[peer] >= count

    def wait_ended(self, peer: str) -> str:
        """Return the reason for which the connection of *peer* is over, once it is."""
        while peer not in self.ended:
            self._next()
        return self.ended[peer]

    def forget(self, peer: str) -> None:
        """Forget a peer whose port may be used again."""
        self.received.pop(peer, None)
        self.ended.pop(peer, None)

    def _next(self) -> None:
        if not self._look(self._daemon.timeout):
            raise NonConformance("its log tells no more of the connections")

    def _look(self, seconds: float) -> bool:
        """Take the next lines; return whether there were any within *seconds*."""
        lines = self._daemon.lines
        if self._seen == len(lines) and not self._daemon.has_more(seconds):
            return False
        for line in lines[self._seen :]:
            if found := re.search(_PATTERN, line):
                self._take(*found.groups())
        self._seen = len(lines)
        return True

    def _take(self, event: str, peer: str, count: str | None, reason: str) -> None:
        if event == "received":
            self.received[peer] += int(count or 0)
        else:
            self.ended[peer] = reason
