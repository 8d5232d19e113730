"""The streams that service tests talk through, in memory."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IReactorFDSet
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.testing import StringTransport


class FakeStream(StringTransport):
    """Remembers what one protocol wrote, and how it closed.

    :ivar writes: each write of the protocol.
    :ivar half_closed: whether the protocol has sent its FIN only.
    """

    def __init__(self, protocol: Protocol, host: object = None) -> None:
        super().__init__(host)
        self.protocol: Any = protocol
        self.writes: list[bytes] = []
        self.half_closed = False
        protocol.makeConnection(self)

    def write(self, data: bytes) -> None:
        self.writes.append(data)
        super().write(data)

    def loseWriteConnection(self) -> None:
        self.half_closed = True

    def taken(self) -> bytes:
        """Return what was written since the last call."""
        value: bytes = self.value()
        self.clear()
        return value

    def gone(self) -> None:
        """Let the protocol know that the connection is over."""
        self.protocol.connectionLost(connectionDone)


def read_all(reactor: IReactorFDSet) -> None:
    """Let every descriptor that is being read have its turn."""
    for reader in list(reactor.getReaders()):
        reader.doRead()
