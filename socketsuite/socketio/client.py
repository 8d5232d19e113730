"""What one session is to Socket.IO: packets with their attachments, and a socket a namespace.

It must not know how a session is carried.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from socketsuite.socketio.adapter import Adapter
from socketsuite.socketio.engine import Encoded, PacketError, Session
from socketsuite.socketio.handlers import FaultLog, called
from socketsuite.socketio.options import Options
from socketsuite.socketio.packets import Incomplete, Packet, PacketType, decode, encode
from socketsuite.socketio.reasons import DisconnectReason
from socketsuite.socketio.recovery import LostSocket
from socketsuite.socketio.socket import Socket
from socketsuite.web.deadlines import Deadlines


class Refused(Exception):
    """Raised by a handler of ``connect``: the client may not enter.

    :param message: the text of the error that the client's ``connect_error`` is given.
    :param data: its ``data``, if any: JSON.
    """

    def __init__(self, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.message, self.data = message, data


class Client:
    """The handler of one session's messages.

    :param connects: who has not entered any namespace yet, and *binaries*: who has sent a packet
        whose attachments have not all come; both with their time-outs.
    """

    def __init__(
        self,
        session: Session,
        options: Options,
        namespaces: Mapping[str, Adapter[Socket]],
        connects: Deadlines[Client],
        binaries: Deadlines[Client],
    ) -> None:
        self._session, self._options, self._namespaces = session, options, namespaces
        self._connects, self._binaries = connects, binaries
        self._sockets: dict[str, Socket] = {}
        self._left: set[str] = set()
        self._incomplete: Incomplete | None = None
        connects.start(self)

    # ── from the session ────────────────────────────────────────────────────────────

    def message_received(self, data: str | bytes) -> None:
        """Take a packet, or an attachment of one."""
        incomplete = self._incomplete
        if isinstance(data, str):
            if incomplete is not None:
                raise PacketError("a packet between another and its attachments")
            packet = decode(data, self._options)
            if isinstance(packet, Incomplete):
                self._incomplete = packet
                self._binaries.start(self)
            else:
                self._packet_received(packet)
        elif incomplete is None:
            raise PacketError("an attachment of no packet")
        else:
            whole = incomplete.add(data)
            if whole is not None:
                self._incomplete = None
                self._binaries.stop(self)
                self._packet_received(whole)

    def session_closed(self, reason: DisconnectReason) -> None:
        """End the session's sockets."""
        self._connects.stop(self)
        self._binaries.stop(self)
        self._incomplete = None
        for socket in list(self._sockets.values()):
            socket.closed(reason)

    def connects_late(self) -> None:
        """End the session, unless it has entered a namespace."""
        if not any(socket.connected for socket in self._sockets.values()):
            self._session.fail(DisconnectReason.LIMIT_EXCEEDED, "enters no namespace")

    def attachments_late(self) -> None:
        """End the session: its packet was not whole in time."""
        self._session.fail(DisconnectReason.LIMIT_EXCEEDED, "attachments that did not come")

    def _packet_received(self, packet: Packet) -> None:
        socket = self._sockets.get(packet.namespace)
        if packet.type is PacketType.CONNECT:
            if socket is None:  # clients may ask twice, before they have heard the answer
                self._connect(packet)
        elif socket is not None and socket.connected:
            socket.packet_received(packet)
        elif packet.namespace not in self._left:
            raise PacketError("a packet for a namespace that it has not entered")
        # What crosses with a disconnect of ours is dropped.

    # ── entering a namespace ────────────────────────────────────────────────────────

    def _connect(self, packet: Packet) -> None:
        namespace = self._namespaces.get(packet.namespace)
        if namespace is None:
            self._refuse(packet.namespace, Refused("Invalid namespace"))
            return
        if len(self._sockets) >= self._options.max_namespaces:
            self._refuse(packet.namespace, Refused("Too many namespaces"))
            return
        auth = dict(packet.data or {})
        lost, missed = self._recover(namespace, auth)
        name = namespace.name

        def leave() -> None:
            if self._sockets.pop(name, None) is not None:
                self._left.add(name)

        socket = self._sockets[name] = Socket(namespace, self._session, leave, lost)
        call = namespace.handlers.own("connect", auth)
        try:
            result = None if call is None else called(call, socket)
        except Exception:  # noqa: BLE001  # a handler's fault is this socket's alone
            self._not_accepted(Failure(), socket)
            return
        if isinstance(result, Deferred):
            result.addCallback(lambda _: self._accepted(socket, missed))
            result.addErrback(self._not_accepted, socket)
        else:
            self._accepted(socket, missed)

    def _recover(
        self, namespace: Adapter[Socket], auth: dict[str, Any]
    ) -> tuple[LostSocket | None, list[Encoded]]:
        """Return what the client was, where it has the secret of that; *auth* keeps the rest."""
        if not namespace.recovery.wanted:
            return None, []
        pid, offset = auth.pop("pid", None), auth.pop("offset", None)
        if not isinstance(pid, str):
            return None, []
        still_there = namespace.by_pid.get(pid)
        if still_there is not None:  # it has not noticed yet that its connection is gone
            still_there.lost()
        return namespace.recovery.find(pid, offset) or (None, [])

    def _accepted(self, socket: Socket, missed: list[Encoded]) -> None:
        if self._sockets.get(socket.namespace) is socket and not self._session.closed:
            self._left.discard(socket.namespace)
            self._connects.stop(self)
            socket.accepted(missed)

    def _not_accepted(self, failure: Failure, socket: Socket) -> None:
        refused = failure.value
        if not isinstance(refused, Refused):
            self._faults(socket.namespace).add("connect", failure)
            refused = Refused("Internal error")
        name = socket.namespace
        if self._sockets.get(name) is socket:
            socket.closed(DisconnectReason.SERVER_NAMESPACE_DISCONNECT)
            self._refuse(name, refused)

    def _refuse(self, namespace: str, refused: Refused) -> None:
        words = {"message": refused.message}
        told = words if refused.data is None else {**words, "data": refused.data}
        try:
            packet = encode(PacketType.CONNECT_ERROR, namespace, told)
        except (TypeError, ValueError):
            self._faults(namespace).add("connect", Failure())
            packet = encode(PacketType.CONNECT_ERROR, namespace, words)
        self._session.send(packet)

    def _faults(self, namespace: str) -> FaultLog:
        return FaultLog(f"{self._session.handshake.address} {namespace}")
