"""Sending one event to many: everybody in a namespace, or in rooms of it, but for some.

An event is encoded once for each transport, whoever it goes to.  This module must not know how a
socket is reached.
"""

from __future__ import annotations

from typing import Any, Generic

from socketsuite.socketio.adapter import Adapter, SocketT


class BroadcastOperator(Generic[SocketT]):
    """Whom an event is for; each method returns a new one.

    :param rooms: their sockets, each once; without rooms all of the adapter.
    :param excepted: rooms whose sockets are left out.
    """

    __slots__ = ("_adapter", "_excepted", "_rooms")

    def __init__(
        self, adapter: Adapter[SocketT], rooms: tuple[str, ...] = (), excepted: tuple[str, ...] = ()
    ) -> None:
        self._adapter, self._rooms, self._excepted = adapter, rooms, excepted

    def to(self, *rooms: str) -> BroadcastOperator[SocketT]:
        """Add *rooms*."""
        return BroadcastOperator(self._adapter, (*self._rooms, *rooms), self._excepted)

    def except_(self, *rooms: str) -> BroadcastOperator[SocketT]:
        """Leave out the sockets in *rooms*; a socket's id is a room."""
        return BroadcastOperator(self._adapter, self._rooms, (*self._excepted, *rooms))

    def sockets(self) -> list[SocketT]:
        """Return the sockets that are meant, as they are now."""
        adapter = self._adapter
        if not self._rooms:
            found = list(adapter.sockets.values())
        elif len(self._rooms) == 1:
            found = list(adapter.room(self._rooms[0]))
        else:
            found = list({each: None for room in self._rooms for each in adapter.room(room)})
        if self._excepted:
            out = {each for room in self._excepted for each in adapter.room(room)}
            found = [each for each in found if each not in out]
        return found

    def emit(self, event: str, *arguments: Any) -> None:
        """Send an event to all of them.

        :raises ValueError: for an event of Socket.IO's own, or what JSON does not have.
        :raises TypeError: for what is neither JSON nor bytes.
        """
        encoded = self._adapter.event(event, arguments, self._rooms, self._excepted)
        for socket in self.sockets():
            socket.deliver(encoded)

    def disconnect(self, *, close: bool = False) -> None:
        """Disconnect all of them from the namespace, or *close* their sessions."""
        for socket in self.sockets():
            socket.disconnect(close=close)
