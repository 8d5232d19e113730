"""Socket.IO packets: text and attachments to packets and back, by python-socketio's codec.

Its ``Packet`` is given only what has a packet's form: it reads a number in any script, takes an
attachment's number from JSON as an index, and gives one attachment to as many places as ask for
it.  Pure; this module must not know of sessions, nor what an event means.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import Any, NamedTuple

from socketio import packet as codec

from socketsuite.socketio import bounded_json
from socketsuite.socketio.engine import Encoded, PacketError
from socketsuite.socketio.options import Options

# A type, the number of attachments, a namespace, an acknowledgement's id; JSON behind it.
_FORM = re.compile(
    r"([0-6])(?:([0-9]{1,3})-)?(?:(/[^,\x00-\x1f\x7f]{0,99})(?:,|$))?([0-9]{1,15})?(?=[\[{]|$)"
)
_RESERVED = frozenset(
    ("connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener")
)


class PacketType(IntEnum):
    """The packets of Socket.IO; those with attachments are of the same types here."""

    CONNECT = codec.CONNECT
    DISCONNECT = codec.DISCONNECT
    EVENT = codec.EVENT
    ACK = codec.ACK
    CONNECT_ERROR = codec.CONNECT_ERROR


_BINARY = {codec.BINARY_EVENT: PacketType.EVENT, codec.BINARY_ACK: PacketType.ACK}


class Packet(NamedTuple):
    """A packet as it was received.

    :ivar id: the acknowledgement's, where one is asked for or given.
    :ivar data: of an event its name and arguments, of an acknowledgement its arguments, of a
        connect the handshake's ``auth``, or nothing.
    """

    type: PacketType
    namespace: str
    id: int | None
    data: Any


class _Codec(codec.Packet):
    json = bounded_json


def check_event_name(name: str) -> None:
    """See that an event may have this *name*.

    :raises ValueError: for one that Socket.IO uses itself.
    """
    if name in _RESERVED:
        raise ValueError(f"{name} is an event of Socket.IO's own")


def encode(
    kind: PacketType, namespace: str, data: Any = None, packet_id: int | None = None
) -> Encoded:
    """Return a packet to send, with its attachments.

    Bytes anywhere in lists and dictionaries of *data* become attachments.

    :raises TypeError: for what is neither JSON nor bytes.
    :raises ValueError: for what the client could not read.
    """
    encoded = _Codec(kind, data, namespace=namespace, id=packet_id).encode()
    if isinstance(encoded, str):
        return Encoded((encoded,))
    if any("_placeholder" in each for each in _dictionaries(data)):
        raise ValueError("the key _placeholder cannot be told from an attachment")
    return Encoded((encoded[0], *map(bytes, encoded[1:])))


def decode(text: str, limits: Options) -> Packet | Incomplete:
    """Return the packet that *text* is, or one that waits for attachments.

    :raises PacketError: when it is none, or larger than *limits* allow.
    """
    form = _FORM.match(text)
    if form is None or (form[1] in "56") != (form[2] is not None):
        raise PacketError("no Socket.IO packet")
    if bounded_json.deeper_than(text, limits.max_depth):
        raise PacketError(f"JSON deeper than {limits.max_depth}")
    try:
        decoded = _Codec(encoded_packet=text)
    except ValueError as error:
        raise PacketError(f"bad JSON: {error}") from None
    count = decoded.attachment_count
    if count > limits.max_attachments:
        raise PacketError(f"more than {limits.max_attachments} attachments")
    if form[2] is None:
        return _checked(decoded, limits)
    holders = [each for each in _dictionaries(decoded.data) if "_placeholder" in each]
    places = {each.get("num") for each in holders if _is_placeholder(each)}
    if not len(holders) == count == len(places & set(range(count))):
        raise PacketError("placeholders that do not suit the attachments")
    packet = _checked(decoded, limits)
    return Incomplete(decoded, packet, limits.max_attachment_bytes) if count else packet


class Incomplete:
    """A packet that waits for its attachments."""

    __slots__ = ("_decoded", "_packet", "_room")

    def __init__(self, decoded: codec.Packet, packet: Packet, most_bytes: int) -> None:
        self._decoded, self._packet = decoded, packet
        self._room = most_bytes

    def add(self, attachment: bytes) -> Packet | None:
        """Take the next attachment; return the packet when it was the last.

        :raises PacketError: when the attachments are too large.
        """
        self._room -= len(attachment)
        if self._room < 0:
            raise PacketError("attachments that are too large")
        if self._decoded.add_attachment(attachment):
            return self._packet._replace(data=self._decoded.data)
        return None


def _checked(decoded: codec.Packet, limits: Options) -> Packet:
    """Return *decoded* as what a client may send."""
    kind = _BINARY.get(decoded.packet_type) or PacketType(decoded.packet_type)
    data, packet_id = decoded.data, decoded.id
    if kind in (PacketType.EVENT, PacketType.ACK):
        if not isinstance(data, list) or len(data) > limits.max_arguments + 1:
            raise PacketError("no list of arguments, or too long a one")
        if kind is PacketType.EVENT:
            _check_event(data, limits)
        elif packet_id is None:
            raise PacketError("an acknowledgement without an id")
    elif packet_id is not None or kind is PacketType.CONNECT_ERROR:
        raise PacketError("a packet that no client sends")
    elif data is not None and not (kind is PacketType.CONNECT and isinstance(data, dict)):
        raise PacketError("data that this packet does not have")
    return Packet(kind, decoded.namespace or "/", packet_id, data)


def _check_event(data: list[Any], limits: Options) -> None:
    if not data or not isinstance(data[0], str):
        raise PacketError("an event without a name")
    if len(data[0]) > limits.max_event_name or data[0] in _RESERVED:
        raise PacketError("a name that no client's event has")


def _is_placeholder(holder: dict[str, Any]) -> bool:
    return holder["_placeholder"] is True and type(holder.get("num")) is int


def _dictionaries(data: Any) -> Iterator[dict[str, Any]]:
    """Yield every dictionary in *data*."""
    waiting: list[Any] = [data]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield value
            waiting.extend(value.values())
        elif isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray)):
            waiting.extend(value)
