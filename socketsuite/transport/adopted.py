"""Listening sockets that were opened elsewhere, handed to the reactor as ports.

Twisted's ``adoptStreamPort`` does this too, but for a Unix socket it opens the file to
everybody (mode 0666), and removes it at the end whoever it belongs to by then.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import tcp, unix
from twisted.internet.interfaces import IProtocolFactory
from twisted.python.failure import Failure


class _AdoptedUNIXPort(unix.Port):
    """A Unix port whose file belongs to somebody else."""

    def connectionLost(self, reason: Failure) -> None:
        # Past unix.Port on purpose: its own would remove the file.
        tcp.Port.connectionLost(self, reason)


def adopt_stream(
    reactor: Any, listening: socket.socket, factory: IProtocolFactory, *, backlog: int, mode: int
) -> Any:
    """Return an ``IListeningPort`` for a socket that is bound and listening.

    The port works on a duplicate of the descriptor: the caller closes its own.

    :param backlog: for Unix sockets, which Twisted makes listen once more.
    :param mode: the Unix socket file's permissions, which Twisted sets once more.
    """
    if listening.family != socket.AF_UNIX:
        return reactor.adoptStreamPort(listening.fileno(), listening.family, factory)
    port: Any = _AdoptedUNIXPort._fromListeningDescriptor(reactor, listening.fileno(), factory)
    port.backlog = backlog
    port.mode = mode
    port.startListening()
    return port
