"""A namespace, as a program sees it: handlers to register, and events to send to many.

It must not know of sessions, nor how a client comes in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from socketsuite.socketio.adapter import Adapter
from socketsuite.socketio.broadcast import BroadcastOperator
from socketsuite.socketio.engine import Encoded
from socketsuite.socketio.handlers import HandlerT
from socketsuite.socketio.packets import PacketType, check_event_name, encode
from socketsuite.socketio.socket import Socket


class Namespace:
    """What :meth:`Server.of` returns; the server itself is the one of ``/``."""

    def __init__(self, adapter: Adapter[Socket]) -> None:
        self._adapter = adapter
        self.name = adapter.name

    @property
    def sockets(self) -> Mapping[str, Socket]:
        """Those connected, by their ids."""
        return self._adapter.sockets

    def on(self, event: str) -> Callable[[HandlerT], HandlerT]:
        """Return a decorator that makes a function the handler of *event*.

        It is called with the socket and the event's arguments, and acknowledges by what it
        returns: ``None`` is no argument, a tuple several.  It may be a coroutine, or return a
        Deferred.  ``connect`` is called with the socket and the client's ``auth``, a dictionary,
        and refuses by raising :class:`Refused`; ``disconnect`` with the socket and a
        :class:`DisconnectReason`; ``*`` with the socket, the event and its arguments, for
        events without a handler.  An event with more or fewer arguments than its handler takes is
        dropped.

        :raises ValueError: for an event that has a handler, or is Socket.IO's own.
        """
        return self._adapter.handlers.on(event)

    def prepared(self, event: str, *arguments: Any) -> Encoded:
        """Return an event encoded once, for sockets that a program chooses one by one.

        It goes out by :meth:`Socket.emit_prepared`, and is not kept for who is lost.

        :raises ValueError: for an event of Socket.IO's own, or what JSON does not have.
        :raises TypeError: for what is neither JSON nor bytes.
        """
        check_event_name(event)
        return encode(PacketType.EVENT, self.name, [event, *arguments])

    def emit(self, event: str, *arguments: Any) -> None:
        """Send an event to every socket of the namespace."""
        BroadcastOperator(self._adapter).emit(event, *arguments)

    def to(self, *rooms: str) -> BroadcastOperator[Socket]:
        """Return what sends to all in any of *rooms*."""
        return BroadcastOperator(self._adapter, rooms)

    def except_(self, *rooms: str) -> BroadcastOperator[Socket]:
        """Return what sends to all who are in none of *rooms*."""
        return BroadcastOperator(self._adapter, (), rooms)
