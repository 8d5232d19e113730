"""How a burst's port accepts: many callers in one turn, and none lost for want of descriptors.

This module must not know what is done with a connection once it has begun.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import Any

from twisted.python import log

_ACCEPTS_PER_TURN = 64
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_PAUSE_SECONDS = 0.2
_IP_TRANSPARENT = 19  # linux/in.h; the socket module has no name for it


def accept_waiting(port: Any, burst: Any, stock_accept: Callable[[], None]) -> None:
    """Accept what waits, up to a bound; an error that is not ours is left to Twisted."""
    listening, kind = port.socket, (port.addressFamily, port.socketType, port.socket.proto)
    for _ in range(_ACCEPTS_PER_TURN):
        try:
            # What accept() of the socket is made of; that makes enumerations for each, too.
            descriptor, peer = listening._accept()
            skt = socket.socket(*kind, fileno=descriptor)
        except BlockingIOError:
            return
        except OSError as error:
            options = port.options
            if options.observer is not None and error.errno in _EXHAUSTED:
                options.observer.exhausted(options, error)
                _pause(port)
            else:
                stock_accept()
            return
        _begin(port, burst, skt, peer)


def local_address(port: Any) -> Any:
    """Return the address that each of *port*'s connections has on our side.

    ``None`` where that is not the same for all: on a wildcard address, on a link-local one, whose
    scope differs, and where the port takes what was sent to others (``IP_TRANSPARENT``).
    """
    if port.addressFamily != socket.AF_INET or port.socket.getsockname()[0] == "0.0.0.0":
        return None
    transparent = port.socket.getsockopt(socket.IPPROTO_IP, _IP_TRANSPARENT)
    return None if transparent else port.getHost()


def _begin(port: Any, burst: Any, skt: socket.socket, peer: Any) -> None:
    transport: Any = None
    try:
        if port.addressFamily == socket.AF_INET6 and peer[3]:
            # A link-local caller: its scope belongs to its address.
            numeric = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
            peer = (socket.getnameinfo(peer, numeric)[0], *peer[1:])
        protocol = port.factory.buildProtocol(port._buildAddr(peer))
        if protocol is None:
            skt.close()
            return
        session = port.sessionno
        port.sessionno = session + 1
        transport = port.transport(skt, protocol, peer, port, session, port.reactor)
        transport.begin()
    except BaseException:
        if transport is None:
            log.err()
            skt.close()
        else:
            burst.fail(transport)


def _pause(port: Any) -> None:
    """Leave callers in the kernel's queue for a moment; going on would be a busy loop."""
    port.stopReading()

    def resume() -> None:
        if port.connected and not port.disconnecting:
            port.startReading()

    port.reactor.callLater(_PAUSE_SECONDS, resume)
