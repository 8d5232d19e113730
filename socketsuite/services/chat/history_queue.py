"""What is to be written to the history's file, gathered and bounded, between two threads.

While nothing can be written, the messages that have waited longest are lost to the file, and
counted; memory has them all the same.  This module must not know who writes, nor where.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from socketsuite.services.chat.events import Message
from socketsuite.services.chat.history import size_of
from socketsuite.services.chat.kept import Journal, RoomState
from socketsuite.services.chat.nicks import key_of

MOST_MESSAGES = 32_768
MOST_BYTES = 16 << 20
MOST_DELETED = 32_768
"""What may wait: messages, their bytes, and deletions of messages and rooms."""


@dataclass
class Batch:
    """Changes that are written together: in the order of these fields.

    :ivar everything: whether all that was written before is deleted.
    """

    everything: bool = False
    forgotten: set[str] = field(default_factory=set)
    rooms: dict[str, RoomState] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    evicted: dict[str, int] = field(default_factory=dict)
    removed: set[tuple[str, int]] = field(default_factory=set)

    def __bool__(self) -> bool:
        changes = (self.forgotten, self.rooms, self.messages, self.evicted, self.removed)
        return self.everything or any(changes)


class HistoryQueue(Journal):
    """Changes since the last :meth:`take`; all other methods are the reactor's.

    :ivar lost: messages that were dropped.
    :ivar stale: whether deletions were dropped: what was written has to be written anew.
    :ivar bell: has an item once there is something to take.
    """

    def __init__(self) -> None:
        # Of the kind that its owner may take twice: begin_anew() holds it over many changes.
        self._lock = threading.RLock()
        self._messages: deque[Message] = deque()
        self._bytes = 0
        # How many of them are of each room, by the rooms' keys.
        self._of_room: dict[str, int] = {}
        self._pending = Batch()
        self._rung = False
        self.bell: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.lost = 0
        self.stale = False

    def __len__(self) -> int:
        return len(self._messages)

    def take(self) -> Batch:
        """Return what there is, and begin with nothing."""
        with self._lock:
            batch, self._pending = self._pending, Batch()
            said = self._let_go()
            self._rung = False
        # What is beyond the limits by now need not be written; in a flood that is most of it.
        evicted = batch.evicted
        batch.messages = [one for one in said if one.order > evicted.get(_key(one), 0)]
        return batch

    def _let_go(self) -> deque[Message]:
        said, self._messages = self._messages, deque()
        self._bytes = 0
        self._of_room.clear()
        return said

    def begin_anew(self, write_anew: Callable[[], object]) -> None:
        """Have what was written replaced, in one batch, by what *write_anew* tells this journal."""
        with self._lock:
            self._pending = Batch(everything=True)
            self._let_go()
            self.stale = False
            write_anew()
            self._ring()

    def room_changed(self, state: RoomState) -> None:
        """Write the room's topic and modes."""
        with self._lock:
            self._pending.rooms[state.key] = state
            self._ring()

    def room_forgotten(self, key: str) -> None:
        """Delete the room, and what of it waits."""
        with self._lock:
            pending = self._pending
            pending.rooms.pop(key, None)
            pending.evicted.pop(key, None)
            pending.removed = {one for one in pending.removed if one[0] != key}
            pending.forgotten.add(key)
            if self._of_room.pop(key, 0):
                self._messages = deque(one for one in self._messages if _key(one) != key)
                self._bytes = sum(map(size_of, self._messages))
            self._bound_deletions()
            self._ring()

    def added(self, message: Message) -> None:
        """Write the message; where too many wait, the first of them is lost."""
        key = _key(message)
        with self._lock:
            self._messages.append(message)
            self._bytes += size_of(message)
            self._of_room[key] = self._of_room.get(key, 0) + 1
            while len(self._messages) > MOST_MESSAGES or self._bytes > MOST_BYTES:
                self._drop_first()
            self._ring()

    def _drop_first(self) -> None:
        first = self._messages.popleft()
        key = _key(first)
        self._bytes -= size_of(first)
        self._of_room[key] -= 1
        if first.order > self._pending.evicted.get(key, 0):
            self.lost += 1

    def evicted(self, message: Message) -> None:
        """Delete the message, and those before it."""
        key = _key(message)
        with self._lock:
            evicted = self._pending.evicted
            evicted[key] = max(message.order, evicted.get(key, 0))
            self._ring()

    def removed(self, message: Message) -> None:
        """Delete the message."""
        with self._lock:
            self._pending.removed.add((_key(message), message.order))
            self._bound_deletions()
            self._ring()

    def count_lost(self, batch: Batch) -> None:
        """Count the messages of *batch*, which cannot be written, as lost."""
        with self._lock:
            self.lost += len(batch.messages)

    def _bound_deletions(self) -> None:
        pending = self._pending
        if len(pending.forgotten) + len(pending.removed) > MOST_DELETED:
            pending.forgotten.clear()
            pending.removed.clear()
            self.stale = True

    def _ring(self) -> None:
        if not self._rung:
            self._rung = True
            self.bell.put(None)


def _key(message: Message) -> str:
    return key_of(message.room or "")
