"""Plain sockets for tests: read what is expected and no more, vanish by RST.

Must not know of daemons, nor of any protocol.
"""

from __future__ import annotations

import socket
import struct

_NARROW = 4096
_NARROW_SEGMENT = 536


def read_all(connection: socket.socket) -> bytes:
    """Return everything until the other side's FIN."""
    pieces = []
    while piece := connection.recv(1 << 16):
        pieces.append(piece)
    return b"".join(pieces)


def read_exactly(connection: socket.socket, count: int) -> bytes:
    """Return *count* bytes.

    :raises AssertionError: when the connection ends before.
    """
    pieces = b""
    while len(pieces) < count:
        piece = connection.recv(count - len(pieces))
        if not piece:
            raise AssertionError(f"closed after {pieces!r}")
        pieces += piece
    return pieces


def read_line(connection: socket.socket) -> bytes:
    """Return one line, with its newline, and not a byte more.

    :raises AssertionError: when the connection ends before.
    """
    line = b""
    while not line.endswith(b"\n"):
        line += read_exactly(connection, 1)
    return line


def reset(connection: socket.socket) -> None:
    """Close by RST, as the kernel does for a peer that crashed (``SO_LINGER`` of 0 seconds)."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def connect_tcp(address: tuple[str, int], seconds: float, *, narrow: bool = False) -> socket.socket:
    """Return a TCP connection with a deadline of *seconds* on every call, and without Nagle.

    :param narrow: have the kernels hold little for either side: a receive buffer of 4 KiB,
        and segments of 536 bytes, from which Linux reckons the sender's buffer.
    """
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    made = socket.socket(family)
    try:
        made.settimeout(seconds)
        if narrow:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _NARROW)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _NARROW)
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, _NARROW_SEGMENT)
        made.connect(address)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        made.close()
        raise
    return made
