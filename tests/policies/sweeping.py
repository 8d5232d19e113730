"""A transport as the sweeps see it, and a room full of them."""

from __future__ import annotations


class FakeTransport:
    """Counters, and a note of how it was closed; *registry* loses it then."""

    def __init__(self, registry: dict[FakeTransport, None], queued: int = 0) -> None:
        self.bytes_in = self.bytes_out = 0
        self.queued = queued
        self.disconnecting = False
        self.why: str | None = None
        self.closed: str | None = None
        self.hangs = False
        self._registry = registry
        registry[self] = None

    def loseConnection(self) -> None:
        self.disconnecting = True
        if not self.queued and not self.hangs:
            self._close("closed")

    def abortConnection(self) -> None:
        self._close("aborted")

    def _close(self, how: str) -> None:
        assert self.closed is None, "closed twice"
        self.closed = how
        del self._registry[self]
