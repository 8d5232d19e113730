"""A chat's end of a connection: lines in both directions.

This module must not know how lines are shown, nor where those that are said come from.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from socketsuite.cli.chat_lines import ChatLine, Lines
from socketsuite.transport.dial.dialing import StreamClient

Hear = Callable[[list[ChatLine]], None]


class ChatClient(StreamClient):
    """Tells *hear* the lines as they come; counts into *totals*.

    :ivar has_ended: whether our sending is over.
    """

    def __init__(self, hear: Hear, totals: dict[str, int]) -> None:
        super().__init__()
        self._hear = hear
        self._totals = totals
        self._lines = Lines()
        self.has_ended = False

    @property
    def is_open(self) -> bool:
        """Whether something can be said."""
        return self.was_ready and not self.gone.called and not self.has_ended

    def dataReceived(self, data: bytes) -> None:
        """Tell of complete lines."""
        self._tell(self._lines.feed(data))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell of the last line, if the server did not end it; then of the end."""
        if self.was_ready:
            self._tell(self._lines.end())
        super().connectionLost(reason)

    def _tell(self, lines: list[ChatLine]) -> None:
        if lines:
            self._totals["lines_in"] += len(lines)
            self._hear(lines)

    def send(self, data: bytes) -> None:
        """Say *data*: whole lines, or parts of them, with their ends."""
        self._totals["lines_out"] += data.count(b"\n")
        self.transport.write(data)

    def end(self) -> None:
        """Half-close; what the server still has to say will come."""
        if self.is_open:
            self.has_ended = True
            self.transport.loseWriteConnection()
