"""One client in one namespace: what a program speaks to.

It must not know how a client enters a namespace, nor how packets are carried.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from socketsuite.socketio.acknowledgements import Acknowledgements, answer_list
from socketsuite.socketio.adapter import Adapter, Member
from socketsuite.socketio.broadcast import BroadcastOperator
from socketsuite.socketio.engine import Encoded, Handshake, PacketError, Session
from socketsuite.socketio.handlers import FaultLog, called
from socketsuite.socketio.packets import Packet, PacketType, encode
from socketsuite.socketio.reasons import DisconnectReason
from socketsuite.socketio.recovery import LostSocket

_ID_BYTES = 15
_PID_BYTES = 24


class Socket(Member):
    """A client, connected to a namespace.

    :ivar id: other clients may be told it; it is also a room, which has this socket alone.
    :ivar namespace: the name of the one it is in.
    :ivar data: the program's own; it comes back when the client's state is recovered.
    :ivar recovered: whether this is a client that was lost, and came back to its state.
    """

    def __init__(
        self,
        adapter: Adapter[Socket],
        session: Session,
        leave: Callable[[], None],
        lost: LostSocket | None,
    ) -> None:
        self._adapter = adapter
        self.namespace = adapter.name
        self._session, self._leave = session, leave
        self.recovered = lost is not None
        self.id: str = secrets.token_urlsafe(_ID_BYTES) if lost is None else lost.id
        self._pid: str = secrets.token_urlsafe(_PID_BYTES) if lost is None else lost.pid
        self.data: dict[str, Any] = {} if lost is None else lost.data
        self._number: int = adapter.recovery.number if lost is None else lost.number
        self._rooms: dict[str, int] = {}
        self._held: list[Encoded] | None = []
        self.deliver: Callable[[Encoded], None] = self._hold
        self.connected = False
        self._leaves: bool | None = None
        self._answering = 0
        self._acks = Acknowledgements(adapter.reactor, adapter.options.max_unanswered)
        self._faults = FaultLog(f"{session.handshake.address} {adapter.name}")
        adapter.enters(self.id)
        for room, since in ({self.id: self._number} if lost is None else lost.rooms).items():
            self._rooms[room] = since
            adapter.add(self, room)

    def __repr__(self) -> str:
        return f"<Socket {self.id} of {self.namespace}>"

    @property
    def handshake(self) -> Handshake:
        """The request that opened the client's session."""
        return self._session.handshake

    @property
    def transport(self) -> str:
        """``polling`` or ``websocket``, as it is now; empty when the session is over."""
        return self._session.transport.name

    @property
    def rooms(self) -> frozenset[str]:
        """The rooms that it is in."""
        return frozenset(self._rooms)

    # ── for the program ─────────────────────────────────────────────────────────────

    def emit(self, event: str, *arguments: Any) -> None:
        """Send an event.  Arguments are JSON, with bytes anywhere in lists and dictionaries.

        What is sent to a socket that has disconnected is dropped.

        :raises ValueError: for an event of Socket.IO's own, or what JSON does not have.
        :raises TypeError: for what is neither JSON nor bytes.
        """
        self.deliver(self._adapter.event(event, arguments, (self.id,), ()))

    def emit_prepared(self, event: Encoded) -> None:
        """Send what :meth:`Namespace.prepared` of the same namespace returned."""
        self.deliver(event)

    def emit_with_ack(self, event: str, *arguments: Any, timeout: float = 10.0) -> Deferred[Any]:
        """Send an event that the client is to acknowledge.

        :param timeout: seconds for the answer.
        :return: fires with what the client's callback was given: nothing is ``None``, several
            arguments are a list.  Fails with :class:`AckTimeoutError` when no answer comes in
            time, when the socket disconnects, or when too many are waited for.
        """
        if not self.connected and self._held is None:
            return self._acks.none("the client has disconnected")
        ack_id, answer = self._acks.expect(timeout)
        if ack_id is not None:
            self.deliver(self._adapter.event(event, arguments, (), (), ack_id))
        return answer

    def join(self, *rooms: str) -> None:
        """Enter rooms.

        :raises ValueError: when it would be in too many, or a room is another socket's own.
        """
        for room in rooms:
            if room in self._rooms or (not self.connected and self._held is None):
                continue
            if len(self._rooms) > self._adapter.options.max_rooms:
                raise ValueError("a socket cannot be in so many rooms")
            if self._adapter.is_own(room):
                raise ValueError("a room that is another socket's own")
            self._rooms[room] = self._adapter.recovery.number
            self._adapter.add(self, room)

    def leave(self, *rooms: str) -> None:
        """Leave rooms; but not its own."""
        for room in rooms:
            if room != self.id and self._rooms.pop(room, None) is not None:
                self._adapter.remove(self, room)

    def to(self, *rooms: str) -> BroadcastOperator[Socket]:
        """Return what sends to all others in any of *rooms*; without rooms to all others."""
        return BroadcastOperator(self._adapter, rooms, (self.id,))

    def disconnect(self, *, close: bool = False) -> None:
        """Disconnect the client from this namespace, or *close* its session with all of them.

        While the handler of ``connect`` is at work, as soon as that is done.
        """
        if self._held is not None:
            self._leaves = close
        elif close:
            self._session.close(DisconnectReason.FORCED_SERVER_CLOSE)
        elif self.connected:
            self.deliver(encode(PacketType.DISCONNECT, self.namespace))
            self.closed(DisconnectReason.SERVER_NAMESPACE_DISCONNECT)

    # ── for the client that it belongs to ───────────────────────────────────────────

    def _hold(self, encoded: Encoded) -> None:
        """Keep what is sent before the client knows that it is connected."""
        if self._held is not None:
            self._held.append(encoded)
            if len(self._held) > self._adapter.options.max_queue_packets:
                self._session.fail(DisconnectReason.LIMIT_EXCEEDED, "connects for too long")

    def accepted(self, missed: list[Encoded]) -> None:
        """Tell the client that it is connected, what it *missed*, and what was sent since."""
        held, self._held = self._held or [], None
        self.connected = True
        self._adapter.sockets[self.id] = self
        self.deliver = self._session.send
        words = {"sid": self.id}
        if self._adapter.recovery.wanted:
            words["pid"] = self._pid
            self._adapter.by_pid[self._pid] = self
        self.deliver(encode(PacketType.CONNECT, self.namespace, words))
        for encoded in (*missed, *held):
            self.deliver(encoded)
        if self._leaves is not None:
            self.disconnect(close=self._leaves)

    def closed(self, reason: DisconnectReason) -> None:
        """End, and tell the program if it knows of this socket."""
        was_connected, self.connected, self._held = self.connected, False, None
        self.deliver = _nowhere
        self._leave()
        adapter = self._adapter
        rooms, self._rooms = self._rooms, {}
        for room in rooms:
            adapter.remove(self, room)
        adapter.leaves(self.id)
        self._acks.close()
        if not was_connected:
            return
        del adapter.sockets[self.id]
        if adapter.recovery.wanted:
            adapter.by_pid.pop(self._pid, None)
            if reason.recoverable:
                now = adapter.reactor.seconds()
                lost = LostSocket(self.id, self._pid, rooms, self.data, self._number, now)
                adapter.recovery.lose(lost)
        call = adapter.handlers.own("disconnect", reason)
        if call is not None:
            self._call("disconnect", call)

    def lost(self) -> None:
        """End the session, whose client has come back by another."""
        self._session.close(DisconnectReason.TRANSPORT_CLOSE)

    def packet_received(self, packet: Packet) -> None:
        """Take a packet of the connected client."""
        if packet.type is PacketType.EVENT:
            self._event_received(packet.id, packet.data)
        elif packet.type is PacketType.ACK:
            self._acks.answered(packet.id, packet.data)
        elif packet.type is PacketType.DISCONNECT:
            self.closed(DisconnectReason.CLIENT_NAMESPACE_DISCONNECT)
        else:
            raise PacketError("a packet that may not come now")

    def _event_received(self, ack_id: int | None, data: list[Any]) -> None:
        event = data[0]
        try:
            call = self._adapter.handlers.bound(event, data[1:])
        except TypeError:
            self._faults.add(event, Failure())
            return
        if call is not None:
            self._call(event, call, ack_id)

    def _call(self, event: str, call: Callable[[Any], Any], ack_id: int | None = None) -> None:
        """Call a handler, and acknowledge by what it returns."""
        try:
            result = called(call, self)
        except Exception:  # noqa: BLE001  # a handler's fault is this socket's alone
            self._faults.add(event, Failure())
            return
        if isinstance(result, Deferred):
            self._answering += 1
            result.addCallback(self._acknowledge, event, ack_id)
            result.addErrback(lambda failure: self._faults.add(event, failure))
            result.addBoth(self._answered)
            if self._answering > self._adapter.options.max_unanswered:
                self._session.fail(DisconnectReason.LIMIT_EXCEEDED, "too many events at a time")
        elif ack_id is not None:
            self._acknowledge(result, event, ack_id)

    def _answered(self, _: object) -> None:
        self._answering -= 1

    def _acknowledge(self, result: Any, event: str, ack_id: int | None) -> None:
        if ack_id is None or not self.connected:
            return
        try:
            answer = encode(PacketType.ACK, self.namespace, answer_list(result), ack_id)
        except (TypeError, ValueError):
            self._faults.add(event, Failure())
        else:
            self.deliver(answer)


def _nowhere(encoded: Encoded) -> None:
    """Drop what is sent to a socket that has disconnected."""
