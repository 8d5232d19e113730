"""Ports that nobody else is given while a test has them."""

from __future__ import annotations

import socket

_kept: list[socket.socket] = []


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nobody listens, nor will, but who is told of it.

    Who wants to has to set ``SO_REUSEADDR``, as servers do.
    """
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.bind(("127.0.0.1", 0))
    _kept.append(kept)
    return int(kept.getsockname()[1])
