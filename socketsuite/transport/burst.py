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
import errno
import select
import socket
import sys
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

from twisted.internet import error, main, tcp, unix
from twisted.internet.interfaces import IFileDescriptorReceiver, IReadDescriptor
from twisted.python import context, log
from twisted.python.failure import Failure
from twisted.python.log import ILogContext
from zope.interface import implementer

PortT = TypeVar("PortT")

AVAILABLE = hasattr(select, "epoll")

# A turn ends after so many connections, or when so much time has gone, so that the
# reactor's other readers and its timers get theirs.  While bursts are busy, the next one
# begins without a detour through the reactor.
_CONNECTIONS_PER_BURST = 128
_BUSY = 8
_SECONDS_PER_TURN = 0.004
_ACCEPTS_PER_TURN = 64
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_PAUSE_SECONDS = 0.2
_RECEIVE_BYTES = 1 << 16
_SHARED_BYTES = 1 << 18

if AVAILABLE:
    _IN, _OUT = select.EPOLLIN, select.EPOLLOUT


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
_NO_LIMIT = sys.maxsize


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
        while True:
            ready = epoll.poll(0, _CONNECTIONS_PER_BURST)
            self._read(ready)
            if len(ready) < _BUSY or monotonic() > due or epoll.closed:
                return

    def _read(self, ready: list[tuple[int, int]]) -> None:
        """Read each of *ready* once, then flush what their protocols wrote."""
        reading = self.reading
        self.active = True
        try:
            for descriptor, events in ready:
                # A connection that has been closed or paused meanwhile is not in there.
                transport = reading.get(descriptor)
                if transport is None or events & _OUT:
                    transport = self._other_events(descriptor, events)
                    if transport is None:
                        continue
                self.current = transport
                try:
                    data = transport.receive(_RECEIVE_BYTES)
                except BlockingIOError:
                    continue
                except Exception as error:
                    transport.receive_failed(error)
                    continue
                if not data:
                    self.end_of_stream(transport)
                    continue
                transport.bytes_in += len(data)
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
        if events & _OUT:
            self.flush_slowly(transport)
        if descriptor in self.reading:
            # An error or a hang-up is told best by a read: data first, then the end.
            return None if events == _OUT else transport
        if events & ~(_IN | _OUT):
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
            transport.queued_to_flush = False
            if not transport.simple:
                self.flush_slowly(transport)
                continue
            chunks = transport._tempDataBuffer
            data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
            try:
                sent = transport.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                self.lose(transport, Failure(main.CONNECTION_LOST))
                continue
            transport.bytes_out += sent
            chunks.clear()
            transport._tempDataLen = 0
            if sent < len(data):
                transport.keep(data, sent)
        dirty.clear()
        self.active = False
        self.current = None

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
        transport.simple = transport.is_simple()
        if not transport.disconnected and transport.has_work():
            transport.arm()

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
        if mask & _IN:
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


class _BurstMixin:
    """What a connection of a burst has over Twisted's own transport.

    What the bursts touch for every message is in slots: they are found sooner than an
    attribute of a class far up, and a connection is smaller.

    :cvar exhausted: called when a caller cannot be accepted for want of descriptors or
        memory; callers then wait in the kernel's queue.  Without it Twisted turns them away.
    :cvar limit: unsent bytes that may wait; one more calls :meth:`overflow`.
    :ivar simple: nothing out of the ordinary is going on, so that bytes can be written and
        flushed without a look at anything else; see :meth:`is_simple`.
    :ivar attention: unsent bytes from which on producers and the limit are looked at.
    :ivar plain: bytes go out by *send*; else Twisted's own way is needed.
    :ivar streams: there is no pull producer to be asked after each flush.
    """

    __slots__ = (
        "_tempDataBuffer",
        "_tempDataLen",
        "_writeDisconnecting",
        "attention",
        "burst",
        "bytes_in",
        "bytes_out",
        "dataBuffer",
        "descriptor",
        "disconnecting",
        "mask",
        "offset",
        "plain",
        "producerPaused",
        "protocol",
        "queued_to_flush",
        "receive",
        "send",
        "simple",
        "streams",
    )

    shared_burst: Burst
    limit = _NO_LIMIT
    exhausted: Any = None

    # Twisted's own attributes, which the classes beside this one bring.
    if TYPE_CHECKING:
        TLS: bool
        bufferSize: int
        protocol: Any
        _tempDataBuffer: list[bytes]
        connected: int
        disconnected: int
        producer: Any
        socket: Any
        _writeDisconnected: bool
        _aborting: bool
        _maybePauseProducer: Callable[[], None]

    def __init__(self, skt: socket.socket, *arguments: Any) -> None:
        self.burst = self.shared_burst
        self.descriptor = skt.fileno()
        self.receive: Callable[[int], Any] = skt.recv
        self.send: Callable[[bytes], int] = skt.send
        self.mask = self.bytes_in = self.bytes_out = 0
        self.queued_to_flush = False
        self.plain = self.streams = True
        self.attention = min(self.bufferSize, self.limit)
        self.dataBuffer = b""
        self.offset = self.disconnecting = 0
        self._writeDisconnecting = self.producerPaused = False
        self.simple = False
        super().__init__(skt, *arguments)  # type: ignore[call-arg]
        self.simple = True

    def begin(self) -> None:
        """Connect the protocol; from here on it may be called."""
        if getattr(self.protocol, "borrows_buffer", False):
            self.receive = self._borrow
        self.protocol.makeConnection(self)

    def _borrow(self, _size: int) -> Any:
        burst = self.burst
        if burst.shared is None:
            burst.shared = memoryview(bytearray(_SHARED_BYTES))
        return burst.shared[: self.socket.recv_into(burst.shared)]

    def startReading(self) -> None:
        self.burst.change(self, self.mask | _IN)

    def stopReading(self) -> None:
        self.burst.change(self, self.mask & ~_IN)

    def startWriting(self) -> None:
        if self.queued_to_flush:
            return
        burst = self.burst
        if burst.active:
            self.queued_to_flush = True
            burst.dirty.append(self)
        else:
            self.arm()

    def stopWriting(self) -> None:
        self.burst.change(self, self.mask & ~_OUT)

    def arm(self) -> None:
        """Go on when the kernel takes more."""
        if not self.disconnected and not self._aborting:
            self.burst.change(self, self.mask | _OUT)

    @property
    def queued(self) -> int:
        """Bytes that the protocol wrote and the kernel has not taken."""
        return len(self.dataBuffer) - self.offset + self._tempDataLen

    def has_work(self) -> bool:
        """Whether a flush would do something."""
        return bool(self.queued or self.disconnecting) or (
            self._writeDisconnecting and not self._writeDisconnected
        )

    def write(self, data: bytes) -> None:
        if not self.simple or type(data) is not bytes or not data:
            super().write(data)  # type: ignore[misc]
            self._look_after_queue()
            return
        self._tempDataBuffer.append(data)
        self._tempDataLen += len(data)
        if not self.queued_to_flush:
            burst = self.burst
            if burst.active:
                self.queued_to_flush = True
                burst.dirty.append(self)
            elif not self.mask & _OUT:
                self._send_now()
        if self._tempDataLen > self.attention:
            self._look_after_queue()

    def _look_after_queue(self) -> None:
        self._maybePauseProducer()
        if self.producerPaused:
            self.simple = False
        if self.queued > self.limit:
            self.overflow()

    def is_simple(self) -> bool:
        """Whether this is an open connection with nothing but bytes to be written."""
        unusual = (
            self.TLS
            or self.disconnected
            or self.disconnecting
            or self._aborting
            or self._writeDisconnecting
            or self._writeDisconnected
            or self.producerPaused
            or self.dataBuffer
        )
        return self.plain and self.streams and not unusual

    def keep(self, data: bytes, sent: int) -> None:
        """Keep the rest of *data* until the kernel takes more."""
        self.dataBuffer, self.offset = data, sent
        self.simple = False
        self.arm()

    def receive_failed(self, error: Exception) -> None:
        """The connection cannot be read: end it."""
        self.burst.lose(self, Failure(main.CONNECTION_LOST))

    def writeSequence(self, iovec: Any) -> None:
        super().writeSequence(iovec)  # type: ignore[misc]
        self._look_after_queue()

    def overflow(self) -> None:
        """Drop a peer that leaves too much unread."""
        self.abortConnection()

    def _send_now(self) -> None:
        """Send outside of a burst; whatever is not simple is left to the next one.

        ``connectionLost`` must not be called from within ``write``.
        """
        if not self.simple:
            self.arm()
            return
        chunks = self._tempDataBuffer
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        try:
            sent = self.send(data)
        except OSError:
            self.arm()
            return
        self.bytes_out += sent
        chunks.clear()
        self._tempDataLen = 0
        if sent < len(data):
            self.keep(data, sent)

    def writeSomeData(self, data: bytes) -> Any:
        if self.plain:
            try:
                sent = self.send(data) if data else 0
            except BlockingIOError:
                return 0
            except OSError:
                return main.CONNECTION_LOST
        else:
            sent = super().writeSomeData(data)  # type: ignore[misc]
        if isinstance(sent, int):
            self.bytes_out += sent
        return sent

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        # Set first: a pull producer is asked for data from within the call below.
        self.streams = self.TLS or streaming
        self.simple = self.simple and self.streams
        super().registerProducer(producer, streaming)  # type: ignore[misc]

    def unregisterProducer(self) -> None:
        self.streams = True
        super().unregisterProducer()  # type: ignore[misc]

    def loseConnection(self) -> None:
        self.simple = False
        super().loseConnection()  # type: ignore[misc]

    def loseWriteConnection(self) -> None:
        self.simple = False
        super().loseWriteConnection()  # type: ignore[misc]

    def startTLS(self, *arguments: Any) -> None:
        self.simple = False
        super().startTLS(*arguments)  # type: ignore[misc]

    def abortConnection(self) -> None:
        super().abortConnection()  # type: ignore[misc]
        # What waits is not to be sent any more.
        self._tempDataBuffer.clear()
        self.dataBuffer, self.offset, self._tempDataLen = b"", 0, 0
        self.plain = self.simple = False

    def connectionLost(self, reason: Failure) -> None:
        self.simple = False
        super().connectionLost(reason)  # type: ignore[misc]
        self.receive = self.send = _closed


def _closed(_: Any) -> Any:
    raise OSError("the connection is closed")


class BurstTCPServer(_BurstMixin, tcp.Server):
    """An accepted TCP connection of a burst."""


class BurstUNIXServer(_BurstMixin, unix.Server):
    """An accepted Unix socket connection of a burst; passes descriptors like Twisted's."""

    def __init__(self, skt: socket.socket, protocol: Any, *arguments: Any) -> None:
        super().__init__(skt, protocol, *arguments)
        if IFileDescriptorReceiver.providedBy(protocol):
            self.receive = self._receive_with_descriptors

    def _receive_with_descriptors(self, _size: int) -> bytes:
        """Read by Twisted's own way, and return the bytes instead of delivering them."""
        received: list[bytes] = []
        self._dataReceived = received.append  # type: ignore[assignment]
        try:
            why = self.doRead()
        finally:
            del self._dataReceived
        if why is not None:
            raise OSError("the connection is lost")
        if not received:
            raise BlockingIOError
        return received[0]

    def sendFileDescriptor(self, fileno: int) -> None:
        """Queue a descriptor; from here on Twisted's own way of writing is used."""
        self.plain = self.simple = False
        super().sendFileDescriptor(fileno)


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
            _accept(port, burst, stock_accept)
        finally:
            burst.end()

    port.doRead = accept  # type: ignore[method-assign]
    return port


def _accept(port: Any, burst: Burst, stock_accept: Callable[[], None]) -> None:
    """Accept what waits, up to a bound; an error that is not ours is left to Twisted."""
    for _ in range(_ACCEPTS_PER_TURN):
        try:
            skt, peer = port.socket.accept()
        except BlockingIOError:
            return
        except OSError as error:
            exhausted = port.transport.exhausted
            if exhausted is not None and error.errno in _EXHAUSTED:
                exhausted(error)
                _pause(port)
            else:
                stock_accept()
            return
        if len(peer) == 4 and peer[3]:
            # A link-local caller: its scope belongs to its address.
            numeric = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
            peer = (socket.getnameinfo(peer, numeric)[0], *peer[1:])
        _begin(port, burst, skt, peer)


def _begin(port: Any, burst: Burst, skt: socket.socket, peer: Any) -> None:
    transport: Any = None
    try:
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
            burst.protocol_failed(transport)


def _pause(port: Any) -> None:
    """Leave callers in the kernel's queue for a moment; going on would be a busy loop."""
    port.stopReading()

    def resume() -> None:
        if port.connected and not port.disconnecting:
            port.startReading()

    port.reactor.callLater(_PAUSE_SECONDS, resume)
