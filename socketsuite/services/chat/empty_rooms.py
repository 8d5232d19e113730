"""Rooms that nobody is in, kept as they were for who comes back; bounded in number and bytes.

Topic, modes, lists and history stay together: what was said under a key or by invitation is not
shown to whoever comes first.  This module must not know people, nor where anything is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from socketsuite.services.chat.history import HistoryLimits
from socketsuite.services.chat.kept import Journal, KeptRoom, RoomState
from socketsuite.services.chat.room import Listed, Room

MOST_ROOMS = 1000
MOST_BYTES = 256 << 20
"""How many are kept, and the bytes of their histories together; the last used ones."""


class EmptyRooms:
    """The rooms that were left, the one left longest ago first.

    :param now: seconds since 1970.
    :param journal: is told of those that are forgotten.
    """

    def __init__(self, limits: HistoryLimits, now: Callable[[], float], journal: Journal) -> None:
        self._limits = limits
        self._now = now
        self._journal = journal
        self._rooms: dict[str, Room] = {}
        # As they were counted when they were left; they can only shrink since.
        self._sizes: dict[str, int] = {}
        self._size = 0

    def __len__(self) -> int:
        return len(self._rooms)

    def __iter__(self) -> Iterator[Room]:
        return iter(tuple(self._rooms.values()))

    def keep(self, room: Room) -> None:
        """Keep *room*, if there is anything to keep, and let go of what is too much."""
        if not self._is_worth(room):
            self._journal.room_forgotten(room.key)
            return
        self._rooms[room.key] = room
        self._sizes[room.key] = room.history.size
        self._size += room.history.size
        while len(self._rooms) > MOST_ROOMS or self._size > MOST_BYTES:
            self._forget(next(iter(self._rooms)))

    def get(self, key: str) -> Room | None:
        """Return the room with that key, if something of it is still kept."""
        room = self._rooms.get(key)
        if room is not None and not self._is_worth(room):
            self._forget(key)
            return None
        return room

    def take(self, key: str) -> Room:
        """Return the room with that key, which is not empty any more."""
        self._size -= self._sizes.pop(key)
        return self._rooms.pop(key)

    def forget_old(self) -> None:
        """Let go of what is too old."""
        for key in tuple(self._rooms):
            self.get(key)

    def _forget(self, key: str) -> None:
        self.take(key)
        self._journal.room_forgotten(key)

    def _is_worth(self, room: Room) -> bool:
        """Whether anything was said there, or a topic set, within the limits."""
        if not self._limits.lines:
            return False  # nothing is to be kept: a room is gone with the last one in it
        if len(room.history):
            return True
        seconds = self._limits.seconds
        return bool(room.topic) and (not seconds or room.topic_at >= self._now() - seconds)


def state_of(room: Room, now: float) -> RoomState:
    """Return what is kept of *room* beside its messages."""
    lists = {
        letter: tuple((entry.mask, entry.by, entry.at) for entry in entries.values())
        for letter, entries in room.lists.items()
        if entries
    }
    return RoomState(
        key=room.key,
        name=room.name,
        created=room.created,
        used=now,
        order=room.order,
        topic=room.topic,
        topic_by=room.topic_by,
        topic_at=room.topic_at,
        flags="".join(sorted(room.flags)),
        password=room.password,
        limit=room.limit,
        lists=tuple(lists.items()),
    )


def restored(room: Room, kept: KeptRoom) -> Room:
    """Make *room*, a new one, what it was, and return it."""
    state = kept.state
    room.created = state.created
    room.topic, room.topic_by, room.topic_at = state.topic, state.topic_by, state.topic_at
    room.flags = set(state.flags)
    room.password, room.limit = state.password, state.limit
    for letter, entries in state.lists:
        room.lists[letter] = {mask: Listed(mask, by, at) for mask, by, at in entries}
    room.order = state.order
    room.history.restore(kept.messages)
    return room


def write_room(journal: Journal, room: Room, now: float) -> None:
    """Tell *journal* all there is of *room*, of which it knows nothing."""
    journal.room_changed(state_of(room, now))
    for message in room.history:
        journal.added(message)
