"""What was said in a room: kept in one order, within lines, bytes and age.

This module must not know how history is shown, nor whether its journal writes anything.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

from socketsuite.services.chat.events import Message
from socketsuite.services.chat.kept import Journal

_OVERHEAD = 200
"""Bytes that a message costs beside its text, about."""


def size_of(message: Message) -> int:
    """Return the bytes that *message* counts for."""
    return len(message.text) + _OVERHEAD


@dataclass(eq=False)
class HistoryLimits:
    """How much is kept of each room: 0 lines is none; 0 seconds is for ever."""

    lines: int = 1000
    size: int = 1 << 20
    seconds: float = 0.0


class History:
    """The messages of one room, the oldest first.

    :param now: seconds since 1970.
    :param journal: is told of every change.
    """

    def __init__(
        self, limits: HistoryLimits, now: Callable[[], float], journal: Journal | None = None
    ) -> None:
        self._limits = limits
        self._now = now
        self._journal = Journal() if journal is None else journal
        # One that writes nothing down is not told of each message.
        self._added = None if type(self._journal) is Journal else self._journal.added
        self._messages: deque[Message] = deque()
        self.size = 0
        # Lines beyond one of each message.
        self._more = 0

    def __len__(self) -> int:
        self.forget()
        return len(self._messages)

    def __iter__(self) -> Iterator[Message]:
        self.forget()
        return iter(tuple(self._messages))

    def add(self, said: Iterable[Message]) -> None:
        """Keep what was *said*, and let go of what is too old or too much."""
        messages, limits = self._messages, self._limits
        most, largest = limits.lines + (limits.lines >> 4), limits.size + (limits.size >> 4)
        for message in said:
            messages.append(message)
            self.size += len(message.text) + _OVERHEAD  # size_of(), without a call for each
            if message.cuts:
                self._more += len(message.cuts)
            if self._added is not None:
                self._added(message)
            # Looked at here, for each message of each room, without asking what time it is; and a
            # sixteenth more is kept, to let go of many at once. Who reads sees what the limits say.
            if (
                len(messages) + self._more > most
                or self.size > largest
                or (limits.seconds and messages[0].time < message.time - limits.seconds)
            ):
                self.forget(message.time)

    def restore(self, messages: Iterable[Message]) -> None:
        """Keep *messages*, which the journal knows already, as far as the limits allow."""
        for message in messages:
            self._messages.append(message)
            self.size += size_of(message)
            self._more += len(message.cuts)
        self.forget()

    def forget(self, now: float | None = None) -> None:
        """Let go of what is too old or too much; *now* is for who knows already."""
        limits, messages = self._limits, self._messages
        oldest = (now or self._now()) - limits.seconds if limits.seconds else None
        last: Message | None = None
        while messages and (
            len(messages) + self._more > limits.lines
            or self.size > limits.size
            or (oldest is not None and messages[0].time < oldest)
        ):
            last = messages.popleft()
            self.size -= len(last.text) + _OVERHEAD
            if last.cuts:
                self._more -= len(last.cuts)
        if last is not None:
            self._journal.evicted(last)

    def remove(self, number: str) -> Message | None:
        """Take the message with that id away, and return it."""
        for message in self._messages:
            if message.id == number:
                self._messages.remove(message)
                self.size -= size_of(message)
                self._more -= len(message.cuts)
                self._journal.removed(message)
                return message
        return None

    def rename(self, room: str) -> None:
        """Have all messages be of the *room* of that name; the journal is told by who asks."""
        # Others hold the messages as they were: what waits to be written, in another thread.
        self._messages = deque(replace(message, room=room) for message in self._messages)

    def latest(self, count: int) -> list[Message]:
        """Return the last *count* messages, the oldest first."""
        self.forget()
        start = max(0, len(self._messages) - count)
        return list(islice(self._messages, start, None))
