"""The sockets of a namespace and their rooms, and the events that are sent to them.

It must not know what a socket is, but for how it is reached, nor how a client comes in.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Generic, Protocol, TypeVar

from socketsuite.socketio.engine import Encoded
from socketsuite.socketio.handlers import Handlers
from socketsuite.socketio.options import Options
from socketsuite.socketio.packets import PacketType, check_event_name, encode
from socketsuite.socketio.recovery import Recovery


class Member(Protocol):
    """What a namespace needs of its sockets."""

    id: str
    deliver: Callable[[Encoded], None]

    def disconnect(self, *, close: bool = False) -> None: ...  # noqa: D102


SocketT = TypeVar("SocketT", bound=Member)


class Adapter(Generic[SocketT]):
    """What the sockets of one namespace have in common.

    :ivar sockets: those connected, by their ids.
    :ivar by_pid: the same by the secrets that they may be recovered by.
    """

    def __init__(self, reactor: Any, options: Options, name: str) -> None:
        self.name = name
        self.reactor, self.options = reactor, options
        self.handlers = Handlers()
        self.recovery = Recovery(reactor, options)
        self.sockets: dict[str, SocketT] = {}
        self.by_pid: dict[str, SocketT] = {}
        self._rooms: dict[str, dict[SocketT, None]] = {}
        self._ids: set[str] = set()

    def event(
        self,
        event: str,
        arguments: Sequence[Any],
        rooms: Collection[str],
        excepted: Collection[str],
        ack_id: int | None = None,
    ) -> Encoded:
        """Return an event to send, and keep it for who is lost and may come back."""
        check_event_name(event)
        data = [event, *arguments]
        kept = self.recovery.wanted and ack_id is None
        if kept:
            data.append(self.recovery.next_offset())
        encoded = encode(PacketType.EVENT, self.name, data, ack_id)
        if kept:
            self.recovery.keep(encoded, rooms, excepted)
        return encoded

    def enters(self, socket_id: str) -> None:
        """Know that the room of that name is a socket's own."""
        self._ids.add(socket_id)

    def leaves(self, socket_id: str) -> None:
        """Know that it is nobody's any more."""
        self._ids.discard(socket_id)

    def is_own(self, room: str) -> bool:
        """Whether a room is a socket's own, connected or lost: what is private is said there."""
        return room in self._ids or self.recovery.is_lost(room)

    def room(self, name: str) -> Collection[SocketT]:
        """Return the sockets in a room."""
        return self._rooms.get(name, {})

    def add(self, socket: SocketT, room: str) -> None:
        """Put a socket into a room, which is there from then on."""
        self._rooms.setdefault(room, {})[socket] = None

    def remove(self, socket: SocketT, room: str) -> None:
        """Take a socket out of a room, which is gone when it was the last."""
        sockets = self._rooms.get(room)
        if sockets is not None:
            sockets.pop(socket, None)
            if not sockets:
                del self._rooms[room]
