"""What the daemon's log tells of each peer: the bytes received, and why it was closed.

For a daemon started with ``--log-data sizes``.  So a test knows when what it sent was read,
and sends the next piece only then.
"""

from __future__ import annotations

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
        self._lines = daemon.follow(_PATTERN, len(daemon.lines))

    def wait_received(self, peer: str, count: int) -> None:
        """Return once *count* bytes of *peer* were received, or its connection is over."""
        while self.received[peer] < count and peer not in self.ended:
            self._next()

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
        try:
            found = next(self._lines)
        except (AssertionError, StopIteration):
            raise NonConformance("its log tells no more of the connections") from None
        event, peer, count, reason = found.groups()
        if event == "received":
            self.received[peer] += int(count)
        else:
            self.ended[peer] = reason
