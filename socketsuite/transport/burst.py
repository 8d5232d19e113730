"""The burst transport: accepted connections at the speed of a C loop, under any reactor.

The connections of a port share one private epoll set.  An epoll descriptor is itself
pollable, so the whole set is one reader of the reactor.  When it is readable, one tight
loop takes every ready connection, reads once and calls ``dataReceived``; what protocols
write meanwhile waits, and leaves with one ``send`` per connection at the end of the burst.
A write outside a burst is sent at once.  Only what the kernel does not take arms EPOLLOUT.

A protocol with a method ``get_buffer()`` is read into what that returns, a ``memoryview`` of a
byte or more: ``dataReceived`` is called at once, with the part of it that was filled.  It suits
those who pass on much, and have a buffer that is neither allocated nor copied for each read.

Apart from that the protocol stays an ordinary Twisted protocol, and the transport an ordinary
``ITCPTransport`` (or ``IUNIXTransport``): producers, half-close, ``startTLS`` and the rest
are Twisted's own code, entered only when they are in use.

:func:`accelerate` is the way in.  This module must not know of the suite around it: any
Twisted server can use it alone.
"""

from __future__ import annotations

import select
from typing import Any, TypeVar

from twisted.internet import tcp, unix

from socketsuite.transport import compiled
from socketsuite.transport.accepting import accept_waiting, local_address
from socketsuite.transport.burst_loop import Burst, log_exception
from socketsuite.transport.options import PortOptions

PortT = TypeVar("PortT")

AVAILABLE = hasattr(select, "epoll")


def burst_of(reactor: Any, *, pure: bool = False) -> Burst:
    """Return the one burst of *reactor*; the one in Python, where it is to be *pure*."""
    # An attribute, so that both are freed together; a table beside would keep them for ever,
    # since a burst and its connections know their reactor.
    pure = pure or not compiled.AVAILABLE
    name = "_socketsuite_burst_pure" if pure else "_socketsuite_burst"
    found: Burst | None = getattr(reactor, name, None)
    if found is None:
        found = Burst(reactor) if pure else compiled.CompiledBurst(reactor)
        setattr(reactor, name, found)
    return found


def accelerate(
    port: PortT, options: PortOptions | None = None, server: type | None = None
) -> PortT:
    """Put the connections that *port* will accept on burst transports.

    :param port: what ``listenTCP``, ``listenUNIX``, ``adoptStreamPort`` or a stream
        endpoint's ``listen`` returned.  Anything else is returned untouched, and so is
        everything where there is no epoll.
    :param options: what its connections have in common; plain ones have nothing.
    :param server: the transport's class, in place of this module's own; a subclass.
    :return: the same port.
    """
    if not AVAILABLE or not isinstance(port, tcp.Port):
        return port
    made: Any = port
    made.options = options = options or PortOptions()
    options.burst = burst = burst_of(made.reactor, pure=options.pure)
    local = isinstance(port, unix.Port)
    made.local_address = None if local else local_address(made)
    made.transport = server or compiled.server_class(local=local, pure=options.pure)
    stock_accept = made.doRead

    def accept() -> None:
        if not burst.begin():
            stock_accept()
            return
        try:
            accept_waiting(made, burst, stock_accept)
        except BaseException:
            # The reactor would end the port that raised it.
            log_exception(made)
        finally:
            burst.end()

    made.doRead = accept
    burst.watch_port(made, lambda: accept_waiting(made, burst, stock_accept))
    return port
