"""How many segments with data a TCP socket has received: what its peer sent at once is one."""

from __future__ import annotations

import socket
import struct

# Of Linux's struct tcp_info.
_DATA_SEGS_IN = 152


def segments(connection: socket.socket) -> int:
    """Return their number so far; a large one counts for as many as it has to be cut into."""
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _DATA_SEGS_IN + 4)
    (number,) = struct.unpack_from("=I", info, _DATA_SEGS_IN)
    return int(number)
