"""A WebSocket client's frames, right and wrong ones, and a server's taken apart."""

from __future__ import annotations

import struct
from dataclasses import dataclass

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
MASK = b"\x37\xfa\x21\x3d"


def masked(payload: bytes, mask: bytes = MASK) -> bytes:
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    made = int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")
    return made.to_bytes(size, "big")


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    mask: bytes | None = MASK,
    long: int | None = None,
) -> bytes:
    """Return a frame; *long* says in how many bytes its length is written, right or wrong."""
    size = len(payload)
    first = (fin << 7) | (rsv << 4) | opcode
    if long is None:
        long = 0 if size < 126 else 2 if size < 1 << 16 else 8
    written = {0: size, 2: 126, 8: 127}[long]
    head = bytes((first, written | (0x80 if mask is not None else 0)))
    if long:
        head += struct.pack({2: "!H", 8: "!Q"}[long], size)
    return head + (payload if mask is None else mask + masked(payload, mask))


def close_frame(code: int, reason: bytes = b"") -> bytes:
    return frame(CLOSE, struct.pack("!H", code) + reason)


@dataclass(frozen=True)
class Got:
    """One frame of a server."""

    opcode: int
    payload: bytes
    compressed: bool = False

    @property
    def code(self) -> int | None:
        return struct.unpack("!H", self.payload[:2])[0] if self.payload else None


def take_frame(data: bytes) -> tuple[Got, bytes] | None:
    """Return the first frame of *data* and what is behind it; ``None`` if it is not complete."""
    if len(data) < 2:
        return None
    first, size = data[0], data[1]
    assert first & 0xB0 == 0x80, f"a frame that begins with {first:#x}"
    assert size < 0x80, "a server's frame is masked"
    start = {126: 4, 127: 10}.get(size, 2)
    if len(data) < start:
        return None
    if size >= 126:
        size = int.from_bytes(data[2:start], "big")
    if len(data) < start + size:
        return None
    got = Got(first & 15, data[start : start + size], bool(first & 0x40))
    return got, data[start + size :]


def opening(path: str = "/ws", *more: str, host: str = "localhost") -> bytes:
    """Return an opening handshake with *more* lines."""
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {KEY}",
        "Sec-WebSocket-Version: 13",
        *more,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"
