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
    """A Unix port whose file, and perhaps whose socket, belongs to somebody else.

    Twisted's own would change the file's mode, listen anew with another backlog, and shut
    the socket down at the end, for the service manager too that lent it.
    """

    _shouldShutdown = False

    def startListening(self) -> None:
        tcp._reservedFD.reserve()
        port: Any = self
        port.factory.doStart()
        port.socket, port._preexistingSocket = port._preexistingSocket, None
        port.connected = True
        port.fileno = port.socket.fileno
        port.numberAccepts = 100
        self.startReading()

    def connectionLost(self, reason: Failure) -> None:
        # Past unix.Port on purpose: its own would remove the file.
        tcp.Port.connectionLost(self, reason)


def adopt_stream(reactor: Any, listening: socket.socket, factory: IProtocolFactory) -> Any:
    """Return an ``IListeningPort`` for a socket that is bound and listening.

    The port works on a duplicate of the descriptor: the caller closes its own.
    """
    if listening.family != socket.AF_UNIX:
        return reactor.adoptStreamPort(listening.fileno(), listening.family, factory)
    port: Any = _AdoptedUNIXPort._fromListeningDescriptor(reactor, listening.fileno(), factory)
    port.startListening()
    return port
