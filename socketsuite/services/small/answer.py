"""Answer once and close: what daytime, qotd and time do over TCP.

This module must not know what the answer is.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

from socketsuite.services.stream import LingeringClose


class AnswerOnce(LingeringClose):
    """Says one thing to each caller and closes; whatever the caller says is discarded.

    :param reactor: the clock for closing politely.
    :param answer: called on connect; returns the bytes to say.
    """

    def __init__(self, reactor: IReactorTime, answer: Callable[[], bytes]) -> None:
        super().__init__(reactor)
        self._answer = answer

    def connectionMade(self) -> None:
        """Answer, and leave."""
        self.close_with(self._answer())
