"""Engine.IO packets: text and bytes to packets and back, by python-engineio's codec.

Its ``Packet`` is given only what is well formed, and no JSON: it would read what a message
carries, recursively, and give another type than was sent.  Its ``Payload`` is not used: it reads
JSONP, which protocol 4 has dropped.  Pure; this module must not know of transports.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import IntEnum
from typing import Any, NamedTuple

from engineio import packet as codec

from socketsuite.wire.websocket import encode_binary, encode_text

_SEPARATOR = "\x1e"
_BASE64 = re.compile(r"b(?:[A-Za-z0-9+/]{4})*+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


class PacketType(IntEnum):
    """The packets of Engine.IO."""

    OPEN = codec.OPEN
    CLOSE = codec.CLOSE
    PING = codec.PING
    PONG = codec.PONG
    MESSAGE = codec.MESSAGE
    UPGRADE = codec.UPGRADE
    NOOP = codec.NOOP


_TYPES = {str(int(each)): each for each in PacketType}


class PacketError(ValueError):
    """What is no packet."""


class EnginePacket(NamedTuple):
    """A packet as it was received; its data is bytes for a binary message."""

    type: PacketType
    data: str | bytes


class _Verbatim:
    """Stands where python-engineio has JSON: data is left as it is."""

    @staticmethod
    def loads(text: str) -> str:
        return text


class _Codec(codec.Packet):
    json: Any = _Verbatim


def decode_packet(text: str) -> EnginePacket:
    """Return the packet that *text* is.

    :raises PacketError: when it is none.
    """
    kind = PacketType.MESSAGE if text[:1] == "b" else _TYPES.get(text[:1])
    if kind is None or (text[0] == "b" and _BASE64.fullmatch(text) is None):
        raise PacketError("no Engine.IO packet")
    return EnginePacket(kind, _Codec(encoded_packet=text).data)


def decode_payload(body: bytes, most_packets: int) -> list[EnginePacket]:
    """Return the packets of a request's body.

    :raises PacketError: when they are too many, or one of them is none.
    """
    if body.count(b"\x1e") >= most_packets:
        raise PacketError(f"more than {most_packets} packets in a payload")
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise PacketError("a payload that is not UTF-8") from None
    return [decode_packet(packet) for packet in text.split(_SEPARATOR)]


class Encoded:
    """Packets to send together, encoded once for each transport, however many they go to.

    :param packets: messages' data, text or bytes; or with *kind*, that packet's data.
    """

    __slots__ = ("_frames", "_packets", "_payload")

    def __init__(
        self, packets: Sequence[str | bytes], kind: PacketType = PacketType.MESSAGE
    ) -> None:
        self._packets = [_Codec(kind, data) for data in packets]
        self._frames: bytes | None = None
        self._payload: bytes | None = None

    def __len__(self) -> int:
        return len(self._packets)

    @property
    def size(self) -> int:
        """About as many bytes as it takes on any transport."""
        return sum(len(packet.data) for packet in self._packets)

    @property
    def frames(self) -> bytes:
        """As WebSocket frames, one behind the other."""
        if self._frames is None:
            self._frames = b"".join(
                encode_binary(packet.data) if packet.binary else encode_text(_text(packet))
                for packet in self._packets
            )
        return self._frames

    @property
    def payload(self) -> bytes:
        """As a part of a polling request's body."""
        if self._payload is None:
            self._payload = b"\x1e".join(map(_text, self._packets))
        return self._payload


def _text(packet: codec.Packet) -> bytes:
    text: str = packet.encode(b64=True)
    return text.encode()


def join_payloads(parts: Sequence[Encoded]) -> bytes:
    """Return the body that carries *parts*, in their order."""
    return b"\x1e".join([part.payload for part in parts])
