"""What was said in a room: kept in one order, within lines, bytes and age.

This module must not know how history is shown, nor whether it is written anywhere.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from socketsuite.services.chat.events import Message

_OVERHEAD = 200
"""Bytes that a message costs beside its text, about."""


@dataclass(eq=False)
class HistoryLimits:
    """How much is kept of each room: 0 lines is none; 0 seconds is for ever."""

    lines: int = 1000
    size: int = 1 << 20
    seconds: float = 0.0


class History:
    """The messages of one room, the oldest first.

    :param now: seconds since 1970.
    """

    def __init__(self, limits: HistoryLimits, now: Callable[[], float]) -> None:
        self._limits = limits
        self._now = now
        self._messages: deque[Message] = deque()
        self.size = 0

    def __len__(self) -> int:
        self.forget()
        return len(self._messages)

    def __iter__(self) -> Iterator[Message]:
        self.forget()
        return iter(tuple(self._messages))

    def add(self, message: Message) -> None:
        """Keep *message*, and let go of what is too old or too much."""
        self._messages.append(message)
        self.size += len(message.text) + _OVERHEAD
        self.forget()

    def forget(self) -> None:
        """Let go of what is too old or too much."""
        limits, messages = self._limits, self._messages
        oldest = self._now() - limits.seconds if limits.seconds else None
        while messages and (
            len(messages) > limits.lines
            or self.size > limits.size
            or (oldest is not None and messages[0].time < oldest)
        ):
            self.size -= len(messages.popleft().text) + _OVERHEAD

    def remove(self, number: str) -> Message | None:
        """Take the message with that id away, and return it."""
        for message in self._messages:
            if message.id == number:
                self._messages.remove(message)
                self.size -= len(message.text) + _OVERHEAD
                return message
        return None

    def latest(self, count: int) -> list[Message]:
        """Return the last *count* messages, the oldest first."""
        self.forget()
        start = max(0, len(self._messages) - count)
        return list(islice(self._messages, start, None))

    def between(
        self, after: Callable[[Message], bool], before: Callable[[Message], bool]
    ) -> list[Message]:
        """Return the messages for which both are true, the oldest first."""
        self.forget()
        return [one for one in self._messages if after(one) and before(one)]
