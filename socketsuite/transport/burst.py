"""The burst transport: accepted connections at the speed of a C loop, under any reactor.

The connections of a port share one private epoll set.  An epoll descriptor is itself
pollable, so the whole set is one reader of the reactor.  When it is readable, one tight
loop takes every ready connection, reads once and calls ``dataReceived``; what protocols
write meanwhile waits, and leaves with one ``send`` per connection at the end of the burst.
A write outside a burst is sent at once.  Only what the kernel does not take arms EPOLLOUT.

A protocol with a true attribute ``borrows_buffer`` is given, instead of ``bytes``, a
``memoryview`` of one large buffer that all connections share: good until ``dataReceived``
returns, and free of allocation and copy.  It suits those who pass bytes on at once.

Apart from that the protocol stays an ordinary Twisted protocol, and the transport an ordinary
``ITCPTransport`` (or ``IUNIXTransport``): producers, half-close, ``startTLS`` and the rest
are Twisted's own code, entered only when they are in use.

:func:`accelerate` is the way in.  This module must not know of the suite around it: any
Twisted server can use it alone.
"""

from __future__ import annotations

import contextlib
import select
from time import monotonic
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from twisted.internet import error, main, tcp, unix
from twisted.internet.interfaces import IReadDescriptor
from twisted.python import context, log
from twisted.python.failure import Failure
from twisted.python.log import ILogContext
from zope.interface import implementer

from socketsuite.transport.accepting import accept_waiting
from socketsuite.transport.connection import (
    IDLE,
    IN,
    MANY,
    OUT,
    UNUSUAL,
    BurstTCPServer,
    BurstUNIXServer,
)

PortT = TypeVar("PortT")

AVAILABLE = hasattr(select, "epoll")

# A turn ends after so many connections, or when so much time has gone, so that the
# reactor's other readers and its timers get theirs.  While bursts are busy, the next one
# begins without a detour through the reactor.
_CONNECTIONS_PER_BURST = 128
_LARGE_READS_PER_BURST = 16  # where the shared buffer is in use, and so each takes longer
_BUSY = 8
_SECONDS_PER_TURN = 0.004


class _LogContext(dict[str, Any]):
    """What Twisted's log says of whoever is speaking: the connection being served just now.

    Stock Twisted makes a context for each event it handles; here one serves a whole burst,
    and is asked only when something is really logged.
    """

    def __init__(self, burst: Burst) -> None:
        super().__init__(isError=0)
        self._burst = burst

    def __getitem__(self, key: str) -> Any:
        return self._burst.logPrefix() if key == "system" else super().__getitem__(key)

    def copy(self) -> dict[str, Any]:
        return {**self, "system": self["system"]}


_DONE = Failure(error.ConnectionDone())


@implementer(IReadDescriptor)
class Burst:
    """The connections of one reactor that are read and written together.

    *dirty* lists those that have something to flush at the end of the burst.  A burst is
    *active* while protocols are being called, from a read or from an accept; *current* is
    the connection whose protocol that is.
    """

    def __init__(self, reactor: Any) -> None:
        self.reactor = reactor
        self.active = False
        self.current: Any = None
        self.dirty: list[Any] = []
        self.members: dict[int, Any] = {}
        self.reading: dict[int, Any] = {}
        self.shared: memoryview | None = None
        self._epoll: select.epoll | None = None

    # ── what the reactor sees ───────────────────────────────────────────────────────

    def fileno(self) -> int:
        """Return the private epoll set's descriptor, −1 once it is closed."""
        return -1 if self._epoll is None else self._epoll.fileno()

    def logPrefix(self) -> str:
        """Return the log prefix of the connection being served."""
        return "burst" if self.current is None else str(self.current.logPrefix())

    def connectionLost(self, reason: Failure) -> None:
        """Tell every connection that the reactor is shutting down."""
        for transport in list(self.members.values()):
            self.lose(transport, reason)
        self._close()

    def doRead(self) -> None:
        """Run one burst: read what is ready, then flush what was written."""
        if self._epoll is not None and not self.active:
            context.call({ILogContext: _LogContext(self)}, self._run, self._epoll)

    def _run(self, epoll: select.epoll) -> None:
        """Burst after burst, while they are busy and the turn is not over."""
        due = monotonic() + _SECONDS_PER_TURN
        most = _CONNECTIONS_PER_BURST if self.shared is None else _LARGE_READS_PER_BURST
        while True:
            ready = epoll.poll(0, most)
            self._read(ready)
            if len(ready) < _BUSY or monotonic() > due or epoll.closed:
                return

    def _read(self, ready: list[tuple[int, int]]) -> None:
        """Read each of *ready* once, then flush what their protocols wrote."""
        reading = self.reading
        self.active = True
        try:
            for descriptor, events in ready:
                try:
                    transport = reading[descriptor]
                except KeyError:  # closed or paused meanwhile, or never read
                    transport = None
                if events != IN or transport is None:
                    transport = self._other_events(descriptor, events)
                    if transport is None:
                        continue
                self.current = transport
                wanted = transport.wanted
                try:
                    data = transport.receive(wanted)
                except BlockingIOError:
                    continue
                except Exception as error:
                    transport.receive_failed(error)
                    continue
                if not data:
                    self.end_of_stream(transport)
                    continue
                size = len(data)
                if size == wanted:
                    data = transport.read_rest(data)
                    size = len(data)
                transport.bytes_in += size
                try:
                    transport.protocol.dataReceived(data)
                except BaseException:
                    self.protocol_failed(transport)
        finally:
            self.end()

    def _other_events(self, descriptor: int, events: int) -> Any:
        """Handle what is not a plain read; return the transport if it is to be read too."""
        transport = self.members.get(descriptor)
        if transport is None:
            return None
        if events & OUT:
            self.flush_slowly(transport)
        if descriptor in self.reading:
            # An error or a hang-up is told best by a read: data first, then the end.
            return None if events == OUT else transport
        if events & ~(IN | OUT):
            self.lose(transport, Failure(main.CONNECTION_LOST))
        return None

    # ── flushing ────────────────────────────────────────────────────────────────────

    def begin(self) -> bool:
        """Begin a burst from outside of the read loop; false if one is under way."""
        if self.active:
            return False
        self.active = True
        return True

    def end(self) -> None:
        """Flush everything that protocols wrote in this burst, and end it."""
        dirty = self.dirty
        # The list may grow meanwhile: a connectionLost may write to others.
        for transport in dirty:
            data = transport.unsent
            if not data:
                data = self._more_than_one_piece(transport)
                if not data:
                    continue
            transport.unsent = IDLE
            try:
                sent = transport.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                self.lose(transport, Failure(main.CONNECTION_LOST))
                continue
            transport.bytes_out += sent
            if sent != len(data):
                try:
                    transport.keep(data, sent)
                except BaseException:  # of a producer that was told to pause
                    self.protocol_failed(transport)
        dirty.clear()
        self.active = False
        self.current = None

    def _more_than_one_piece(self, transport: Any) -> bytes:
        """Return the pieces as one; what is unusual is seen to, and leaves nothing."""
        if transport.unsent is MANY:
            transport.unsent = IDLE  # even if all of them are empty
            data: bytes = transport.take_unsent()
            return data
        transport.queued_to_flush = False
        if transport.unsent is UNUSUAL:
            self.flush_slowly(transport)
        else:
            transport.unsent = IDLE  # no bytes were written, or they are out already
        return b""

    def flush_slowly(self, transport: Any) -> None:
        """Write by Twisted's own way, which knows of producers, closing and half-closing."""
        if transport.disconnected or transport._aborting:
            return
        # What is written from in here leaves with the next burst, or a producer that is
        # asked for more each time would keep this one going for ever.
        transport.queued_to_flush = True
        self.current = transport
        try:
            why = transport.doWrite()
        except BaseException:
            self.protocol_failed(transport)
            return
        transport.queued_to_flush = False
        if why is not None:
            self.lose(transport, _DONE if why is main.CONNECTION_DONE else Failure(why))
            return
        transport.come_back()

    # ── endings ─────────────────────────────────────────────────────────────────────

    def end_of_stream(self, transport: Any) -> None:
        """Tell a connection that its peer has closed its half."""
        transport.stopReading()
        try:
            transport.readConnectionLost(_DONE)
        except BaseException:
            self.protocol_failed(transport)

    def protocol_failed(self, transport: Any) -> None:
        """Log the exception being handled, and end the connection whose protocol raised it."""
        failure = Failure()
        log.callWithLogger(transport, log.err, failure)
        self.lose(transport, failure)

    def lose(self, transport: Any, reason: Failure) -> None:
        """End a connection; what its protocol raises at that is logged."""
        try:
            transport.connectionLost(reason)
        except BaseException:
            log.callWithLogger(transport, log.err)

    # ── membership ──────────────────────────────────────────────────────────────────

    def change(self, transport: Any, mask: int) -> None:
        """Watch *transport* for the events in *mask*; none at all takes it out of the set."""
        descriptor, before = transport.descriptor, transport.mask
        if mask == before:
            return
        transport.mask = mask
        if mask & IN:
            self.reading[descriptor] = transport
        else:
            self.reading.pop(descriptor, None)
        if not before:
            self._open().register(descriptor, mask)
            self.members[descriptor] = transport
        elif mask:
            self._open().modify(descriptor, mask)
        else:
            del self.members[descriptor]
            # Closed behind our back, which takes it out of the set too?
            with contextlib.suppress(OSError):
                self._open().unregister(descriptor)
            if not self.members:
                self.reactor.removeReader(self)

    def _open(self) -> select.epoll:
        if self._epoll is None:
            self._epoll = select.epoll()
        if not self.members:
            self.reactor.addReader(self)
        return self._epoll

    def _close(self) -> None:
        if self._epoll is not None:
            self._epoll.close()
            self._epoll = None


_bursts: WeakKeyDictionary[Any, Burst] = WeakKeyDictionary()


def burst_of(reactor: Any) -> Burst:
    """Return the one burst of *reactor*."""
    if reactor not in _bursts:
        _bursts[reactor] = Burst(reactor)
    return _bursts[reactor]


def accelerate(port: PortT, server: type | None = None) -> PortT:
    """Put the connections that *port* will accept on burst transports.

    :param port: what ``listenTCP``, ``listenUNIX``, ``adoptStreamPort`` or a stream
        endpoint's ``listen`` returned.  Anything else is returned untouched, and so is
        everything where there is no epoll.
    :param server: the transport's class, in place of this module's own; a subclass.
    :return: the same port.
    """
    if not AVAILABLE or not isinstance(port, tcp.Port):
        return port
    make = server or (BurstUNIXServer if isinstance(port, unix.Port) else BurstTCPServer)
    burst = burst_of(port.reactor)
    port.transport = type(make.__name__, (make,), {"shared_burst": burst})  # type: ignore[assignment]

    stock_accept = port.doRead

    def accept() -> None:
        if not burst.begin():
            stock_accept()
            return
        try:
            accept_waiting(port, burst, stock_accept)
        finally:
            burst.end()

    port.doRead = accept  # type: ignore[method-assign]
    return port
