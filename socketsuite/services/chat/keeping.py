"""What a hub keeps, as a whole: taken back at a start, written anew, and let go of when it is old.

This module must not know where anything is written.
"""

from __future__ import annotations

from collections.abc import Sequence

from socketsuite.services.chat.empty_rooms import restored, state_of, write_room
from socketsuite.services.chat.history import History
from socketsuite.services.chat.hub import Hub
from socketsuite.services.chat.kept import KeptRoom
from socketsuite.services.chat.room import Room


def restore(hub: Hub, kept: Sequence[KeptRoom]) -> None:
    """Take back what a journal had written down, the last used room first; nobody is in yet."""
    known = False
    for one in reversed(kept):
        if one.state.key == hub.lobby.key:
            restored(hub.lobby, one)
            known = True
        else:
            room = Room(one.state.name, History(hub.limits, hub.now, hub.journal), 0.0)
            hub.empty_rooms.keep(restored(room, one))
    if not known:
        hub.journal.room_changed(state_of(hub.lobby, hub.now()))


def write_anew(hub: Hub) -> None:
    """Tell the journal all there is: it knows nothing."""
    for room in (*hub.empty_rooms, *hub.rooms.values()):
        write_room(hub.journal, room, hub.now())


def forget_old(hub: Hub) -> None:
    """Let go of what is beyond the limits, in every room; for a timer, and changed limits."""
    for room in hub.rooms.values():
        room.history.forget()
    hub.empty_rooms.forget_old()
