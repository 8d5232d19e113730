"""What the two sides of the acknowledgement protocol say to one another, and how it is written.

docs/protocol-ack.md has the protocol.  ``encode()`` of each message is its line, LF included.
This module must not know how a message is read, nor what becomes of the bytes.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from socketsuite.wire.stream_ids import encode_id

VERSION = 1
LONGEST_LINE = 2048
"""Bytes of a line, its LF included."""
LARGEST = (1 << 63) - 1
"""The largest number in a line."""


class ProtocolError(Exception):
    """The other side does not keep to the protocol, or what it wants cannot be had.

    :ivar code: one word for a program, as ``ERROR`` has it.
    :ivar text: a sentence for a person.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text


# Of a client.


@dataclass(slots=True)
class Stream:
    """``STREAM``: what follows is of this stream."""

    id: str

    def encode(self) -> bytes:
        """Return its line."""
        return b"STREAM %s\n" % encode_id(self.id).encode()


@dataclass(slots=True)
class Data:
    """``DATA``: *length* bytes follow, the first of which is byte *offset* of the stream."""

    offset: int
    length: int

    def encode(self) -> bytes:
        """Return its line."""
        return b"DATA %d %d\n" % (self.offset, self.length)


@dataclass(slots=True)
class Payload:
    """Bytes of the DATA before it; its pieces together are its length.

    :ivar last: whether nothing of that DATA is left.
    """

    data: memoryview
    last: bool = False


@dataclass(slots=True)
class End:
    """``END``: the stream ends at *offset* for now."""

    offset: int

    def encode(self) -> bytes:
        """Return its line."""
        return b"END %d\n" % self.offset


@dataclass(slots=True)
class Ping:
    """``PING``."""

    def encode(self) -> bytes:
        """Return its line."""
        return b"PING\n"


Request = Stream | Data | Payload | End | Ping

# Of a server.


@dataclass(slots=True)
class Ready:
    """``READY``: the first line.

    :ivar most: bytes of the longest DATA.
    :ivar leaf: bytes of a leaf of the tree hash.
    :ivar key: the Ed25519 public key, 32 bytes, when receipts are signed.
    """

    sync: str
    framing: str
    most: int
    leaf: int
    key: bytes | None = None

    def encode(self) -> bytes:
        """Return its line."""
        line = f"READY {VERSION} sync={self.sync} framing={self.framing}"
        line += f" most={self.most} leaf={self.leaf}"
        if self.key is not None:
            line += f" key={encode_base64(self.key)}"
        return line.encode() + b"\n"


@dataclass(slots=True)
class Held:
    """``STREAM`` as an answer: the sink holds *offset* bytes durably, and *hash* is theirs."""

    id: str
    offset: int
    hash: bytes

    def encode(self) -> bytes:
        """Return its line."""
        return f"STREAM {encode_id(self.id)} {self.offset} {self.hash.hex()}\n".encode()


@dataclass(slots=True)
class Ack:
    """``ACK``: a receipt for all bytes before *offset*.

    :ivar hash: the tree hash of those bytes, 32 bytes.
    :ivar time: Unix milliseconds.
    :ivar signature: of :func:`signed_text`, 64 bytes, where receipts are signed.
    """

    offset: int
    hash: bytes
    time: int
    signature: bytes | None = None

    def encode(self) -> bytes:
        """Return its line."""
        return self._encode("ACK")

    def _encode(self, word: str) -> bytes:
        line = f"{word} {self.offset} {self.hash.hex()} {self.time}"
        if self.signature is not None:
            line += f" {encode_base64(self.signature)}"
        return line.encode() + b"\n"


@dataclass(slots=True)
class Done(Ack):
    """``DONE``: the receipt that answers END."""

    def encode(self) -> bytes:
        """Return its line."""
        return self._encode("DONE")


@dataclass(slots=True)
class Wait:
    """``WAIT``: sending is paused, for a reason of one word."""

    reason: str

    def encode(self) -> bytes:
        """Return its line."""
        return f"WAIT {self.reason}\n".encode()


@dataclass(slots=True)
class Go:
    """``GO``: sending goes on after WAIT."""

    def encode(self) -> bytes:
        """Return its line."""
        return b"GO\n"


@dataclass(slots=True)
class Pong:
    """``PONG``: the answer to PING."""

    def encode(self) -> bytes:
        """Return its line."""
        return b"PONG\n"


@dataclass(slots=True)
class Error:
    """``ERROR``: the connection ends.

    :ivar text: for a person; what is not printable ASCII is sent as ``?``.
    """

    code: str
    text: str

    def encode(self) -> bytes:
        """Return its line."""
        text = "".join(one if " " <= one <= "~" else "?" for one in self.text)
        return f"ERROR {self.code} {text}".encode()[: LONGEST_LINE - 1].rstrip() + b"\n"


Reply = Ready | Held | Ack | Done | Wait | Go | Pong | Error


def signed_text(stream: str, offset: int, hash: bytes, time: int) -> bytes:
    """Return the bytes that a receipt's signature is of."""
    words = ("socketsuite-receipt 1", encode_id(stream), str(offset), hash.hex(), str(time))
    return "".join(f"{one}\n" for one in words).encode()


def encode_base64(data: bytes) -> str:
    """Return *data* in standard base64, with padding (RFC 4648, section 4)."""
    return base64.b64encode(data).decode()
