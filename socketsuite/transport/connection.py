"""A connection of a burst: Twisted's own transport, and a fast path for the common case.

The fast path is taken while nothing but bytes has to be written; whatever else is going on
(a close, a half-close, a pull producer, a paused one, bytes that the kernel would not take)
puts the connection on Twisted's own way until it is over.  This module must not know when a
burst begins or ends, nor how connections are accepted.
"""

from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from twisted.internet import main, tcp, unix
from twisted.internet.interfaces import IFileDescriptorReceiver
from twisted.python import log
from twisted.python.failure import Failure

from socketsuite.transport.pieces import join_tail

Failed = list[tuple[Callable[[bytes], object], Exception]]
"""Writes that raised something, and what."""

# The module can be imported where there is no epoll.
IN: int = getattr(select, "EPOLLIN", 1)
OUT: int = getattr(select, "EPOLLOUT", 4)

LARGEST_READ = 1 << 16
"""Bytes that are read at once, at most."""

# What the interpreter's own allocator serves, which is quicker: 512 bytes with the header of
# a bytes object.  A connection that ever fills it is read in large pieces from then on.
_SMALL_READ = 479


class _State(tuple[()]):
    """What a connection's ``unsent`` may be other than bytes; false, as empty bytes are."""

    __slots__ = ()


EMPTY = _State()
"""Nothing to be sent, and nothing out of the ordinary: the next bytes take the fast path."""
BUFFERED = _State()
"""More than one piece was written in this burst; they are in ``_tempDataBuffer``."""
SLOW_PATH = _State()
"""Something out of the ordinary is going on: writing is left to Twisted's own code."""


class _Connection:
    """What a connection of a burst has over Twisted's own transport.

    What the bursts touch for every message is in slots: they are found sooner than an
    attribute of a class far up, and a connection is smaller.

    :ivar unsent: the bytes to be sent at the end of the burst, if they were written in one
        piece; else :data:`EMPTY`, :data:`BUFFERED` or :data:`SLOW_PATH`.
    :ivar read_size: bytes to be read at once.
    :ivar answered: what *bytes_in* was when bytes were last sent.
    :ivar high_water: unsent bytes from which on a producer is paused.
    :ivar plain: bytes go out by *send*; else Twisted's own way is needed.
    :ivar streams: there is no pull producer to be asked after each flush.
    """

    __slots__ = (
        "_tempDataBuffer",
        "_tempDataLen",
        "_writeDisconnecting",
        "answered",
        "burst",
        "bytes_in",
        "bytes_out",
        "dataBuffer",
        "descriptor",
        "disconnecting",
        "high_water",
        "joined",
        "mask",
        "offset",
        "plain",
        "producerPaused",
        "protocol",
        "queued_to_flush",
        "read_size",
        "receive",
        "send",
        "streams",
        "unsent",
    )

    # Twisted's own attributes, which the classes beside this one bring.
    if TYPE_CHECKING:
        TLS: bool
        bufferSize: int
        protocol: Any
        _tempDataBuffer: list[bytes]
        _tempDataLen: int
        connected: Any
        disconnected: Any
        producer: Any
        streamingProducer: bool
        socket: Any
        _writeDisconnected: bool
        _aborting: bool
        _isSendBufferFull: Callable[[], bool]

    def __init__(
        self, skt: socket.socket, protocol: Any, client: Any, server: Any, *more: Any
    ) -> None:
        self.burst: Any = server.options.burst
        self.descriptor = skt.fileno()
        self.set_reader(skt.recv)
        self.send: Callable[[bytes], int] = skt.send
        self.read_size = _SMALL_READ
        self.mask = self.bytes_in = self.bytes_out = self.answered = 0
        self.queued_to_flush = False
        self.plain = self.streams = True
        self.high_water = self.bufferSize
        self.dataBuffer = b""
        self.offset = self.disconnecting = self.joined = 0
        self._writeDisconnecting = self.producerPaused = False
        self.unsent: Any = SLOW_PATH
        super().__init__(skt, protocol, client, server, *more)  # type: ignore[call-arg]
        self.unsent = EMPTY

    def begin(self) -> None:
        """Connect the protocol; from here on it may be called."""
        if hasattr(self.protocol, "get_buffer"):
            self.set_reader(self._receive_into)
            self.read_size = LARGEST_READ
            self.burst.large_reads = True
        self.protocol.makeConnection(self)

    # ── reading ─────────────────────────────────────────────────────────────────────

    def set_reader(self, reader: Callable[[int], Any]) -> None:
        """Read by *reader* from now on; given a size, it returns bytes or raises."""
        self.receive = reader

    def read_rest(self, data: Any) -> Any:
        """Return *data*, which filled the room it was given, with what else was there."""
        if self.read_size != _SMALL_READ:
            return data
        self.read_size = LARGEST_READ
        try:
            return data + self.receive(LARGEST_READ)
        except OSError:
            return data  # whatever it is, the next read will tell

    def _receive_into(self, _size: int) -> Any:
        buffer = self.protocol.get_buffer()
        if not buffer:
            raise ValueError("get_buffer() returned no room")  # 0 bytes would be a FIN
        return buffer[: self.socket.recv_into(buffer)]

    def receive_failed(self, error: Exception) -> None:
        """The connection cannot be read: end it.

        :raises Exception: *error* itself, if it is not the socket's.
        """
        if not isinstance(error, OSError):
            raise error
        self.burst.lose(self, Failure(main.CONNECTION_LOST))

    def startReading(self) -> None:
        self.burst.change(self, self.mask | IN)

    def stopReading(self) -> None:
        self.burst.change(self, self.mask & ~IN)

    # ── writing ─────────────────────────────────────────────────────────────────────

    def write(self, data: bytes) -> None:
        unsent = self.unsent
        if unsent is EMPTY and type(data) is bytes:
            burst = self.burst
            if burst.active:
                # Whether that is too much is seen when the kernel has taken its part.  In this
                # order: for want of memory nothing has changed.
                burst.dirty.append(self)
                self.unsent = data
            elif data:
                self._send_now(data)
        elif unsent is SLOW_PATH or type(data) is not bytes:
            self._write_slow_path(data)
        else:
            if unsent is not BUFFERED:
                self._gather()
            self._tempDataBuffer.append(data)
            self._tempDataLen = waiting = self._tempDataLen + len(data)
            if waiting > self.high_water:
                self._look_after_queue()

    def writeToAll(self, writes: Iterable[Callable[[bytes], object]], data: bytes) -> Failed:
        """Call each of *writes*, the ``write`` of any transports, with *data*.

        :return: those that raised an exception, each with that; the others were called.
        """
        failed: Failed = []
        for write in writes:
            try:
                write(data)
            except Exception as error:
                failed.append((write, error))
        return failed

    def corked(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call *function*, and return its result; what it writes, to any transports of the burst,
        leaves when it returns, as what is written while reading does.
        """
        burst = self.burst
        if not burst.begin():
            return function(*arguments)
        try:
            return function(*arguments)
        finally:
            burst.end()

    def _write_slow_path(self, data: bytes) -> None:
        self.enter_slow_path()
        if not self._aborting:
            super().write(data)  # type: ignore[misc]
            self.joined = join_tail(self._tempDataBuffer, self.joined)
            self._look_after_queue()

    def _gather(self) -> None:
        """Put the one piece that was written where more can be added."""
        self._tempDataBuffer.append(self.unsent)
        self._tempDataLen = len(self.unsent)
        self.unsent = BUFFERED

    def take_unsent(self) -> bytes:
        """Return what was written in many pieces as one."""
        data = b"".join(self._tempDataBuffer)
        self._tempDataBuffer.clear()
        self._tempDataLen = 0
        return data

    def enter_slow_path(self) -> None:
        """Leave the fast path; what was written goes by Twisted's own code."""
        unsent = self.unsent
        if unsent is not EMPTY and unsent is not SLOW_PATH:
            if unsent is not BUFFERED:
                self._gather()
            # It is on the list of those to be flushed already.
            self.queued_to_flush = True
        self.unsent = SLOW_PATH

    def _look_after_queue(self) -> None:
        if type(self.unsent) is bytes:
            self._gather()
        self._maybePauseProducer()
        if self.producerPaused:
            self.enter_slow_path()

    def _maybePauseProducer(self) -> None:
        """Pause a push producer whose bytes wait; once, until it is resumed.

        Twisted's own pauses it again with each write, which those that count never forgive.
        """
        if self.producer is None or not self.streamingProducer or self.producerPaused:
            return
        if self._isSendBufferFull():
            self.producerPaused = True
            self.producer.pauseProducing()

    def _send_now(self, data: bytes) -> None:
        """Send outside of a burst; what goes wrong is left to the next one.

        ``connectionLost`` must not be called from within ``write``.
        """
        try:
            sent = self.send(data)
        except OSError:
            sent = 0
        self.bytes_out += sent
        self.answered = self.bytes_in
        if sent < len(data):
            self.keep(data, sent)

    def keep(self, data: bytes, sent: int) -> None:
        """Keep the rest of *data* until the kernel takes more."""
        self.dataBuffer, self.offset = data, sent
        self.unsent = SLOW_PATH
        self.kept()

    def kept(self) -> None:
        """Bytes wait: go on when the kernel takes more."""
        self.arm()
        if len(self.dataBuffer) - self.offset > self.high_water:
            self._look_after_queue()

    def writeSequence(self, iovec: Any) -> None:
        self.enter_slow_path()
        if not self._aborting:
            super().writeSequence(iovec)  # type: ignore[misc]
            self.joined = join_tail(self._tempDataBuffer, self.joined)
            self._look_after_queue()

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
            self.answered = self.bytes_in
        return sent

    @property
    def queued(self) -> int:
        """Bytes that the protocol wrote and the kernel has not taken."""
        one_piece = len(self.unsent)  # a state counts as nothing
        return len(self.dataBuffer) - self.offset + self._tempDataLen + one_piece

    def startWriting(self) -> None:
        if self.queued_to_flush:
            return
        burst = self.burst
        if burst.active and not burst.flushing:
            burst.dirty.append(self)
            self.queued_to_flush = True
        else:
            # Also while a burst is flushed: a producer that is asked for more each time would
            # keep it going for ever.
            self.arm()

    def stopWriting(self) -> None:
        self.burst.change(self, self.mask & ~OUT)

    def arm(self) -> None:
        """Go on when the kernel takes more."""
        if not self.disconnected and not self._aborting:
            self.burst.change(self, self.mask | OUT)

    def leave_slow_path(self) -> None:
        """After a flush by Twisted's own way: return to the short one if all is usual."""
        if self.unsent is not SLOW_PATH:
            return  # somebody wrote by the fast path meanwhile: that leaves with this burst
        slow = (
            self.TLS
            or self.disconnected
            or self.disconnecting
            or self._aborting
            or self._writeDisconnecting
            or self._writeDisconnected
            or self.producerPaused
            or self.dataBuffer
            or self._tempDataBuffer
        )
        self.unsent = EMPTY if self.plain and self.streams and not slow else SLOW_PATH
        # What else there is to be done, a producer's last bytes and a close that waits for them,
        # begins with startWriting(), as it does on Twisted's own transport.
        if self.queued and not self.disconnected:
            self.arm()

    # ── what is out of the ordinary ─────────────────────────────────────────────────

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        # Set first: a pull producer is asked for data from within the call below.
        self.streams = self.TLS or streaming
        if not self.streams:
            self.enter_slow_path()
        super().registerProducer(producer, streaming)  # type: ignore[misc]

    def unregisterProducer(self) -> None:
        self.streams = True
        self.producerPaused = False
        super().unregisterProducer()  # type: ignore[misc]

    def loseConnection(self) -> None:
        self.enter_slow_path()
        super().loseConnection()  # type: ignore[misc]

    def loseWriteConnection(self) -> None:
        self.enter_slow_path()
        super().loseWriteConnection()  # type: ignore[misc]

    def startTLS(self, *arguments: Any) -> None:
        self.enter_slow_path()
        super().startTLS(*arguments)  # type: ignore[misc]

    def abortConnection(self) -> None:
        self.enter_slow_path()
        super().abortConnection()  # type: ignore[misc]
        # What waits is not to be sent any more.
        self._tempDataBuffer.clear()
        self.dataBuffer, self.offset, self._tempDataLen = b"", 0, 0
        self.plain = False

    def connectionLost(self, reason: Failure) -> None:
        self.enter_slow_path()
        self.disconnected, self.connected = 1, 0
        producer, self.producer = self.producer, None
        try:
            if producer is not None:
                producer.stopProducing()
        except BaseException:
            # The connection ends all the same, and its protocol is told; logged or not.
            with contextlib.suppress(BaseException):
                log.callWithLogger(self, log.err)
        super().connectionLost(reason)  # type: ignore[misc]
        self.receive = self.send = _closed


def _closed(_: Any) -> Any:
    raise OSError("the connection is closed")


class BurstTCPServer(_Connection, tcp.Server):
    """An accepted TCP connection of a burst."""

    def getHost(self) -> Any:
        """Return the address on our side."""
        # One for all of the port's connections, where they have the same.
        return self.server.local_address or super().getHost()  # type: ignore[attr-defined]


class BurstUNIXServer(_Connection, unix.Server):
    """An accepted Unix socket connection of a burst; passes descriptors like Twisted's."""

    def begin(self) -> None:
        """Connect the protocol, and hand it descriptors too if it wants them."""
        if IFileDescriptorReceiver.providedBy(self.protocol):
            self.set_reader(self._receive_with_descriptors)
            self.read_size = LARGEST_READ
        super().begin()

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
        self.enter_slow_path()
        self.plain = False
        super().sendFileDescriptor(fileno)
