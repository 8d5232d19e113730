"""The burst: the connections of one reactor, read and flushed together in one loop.

The connections share one private epoll set.  An epoll descriptor is itself pollable, so the whole
set is one reader of the reactor.  When it is readable, one tight loop takes every ready
connection, reads once and calls ``dataReceived``; what protocols write meanwhile waits, and leaves
with one ``send`` per connection at the end of the burst.

What stands here and in ``connection.py`` defines what a burst does, compiled or not.  This module
must not know how connections are accepted, nor that any of it may be compiled.
"""

from __future__ import annotations

import contextlib
import os
import select
from collections.abc import Callable
from time import monotonic
from typing import Any

from twisted.internet import error, main
from twisted.internet.interfaces import IReadDescriptor
from twisted.python import context, log
from twisted.python.failure import Failure
from twisted.python.log import ILogContext
from zope.interface import implementer

from socketsuite.transport.connection import BUFFERED, EMPTY, IN, OUT, SLOW_PATH

# A turn ends after so many connections, or when so much time has gone, so that the
# reactor's other readers and its timers get theirs.  While bursts are busy, the next one
# begins without a detour through the reactor.
_CONNECTIONS_PER_BURST = 128
_LARGE_READS_PER_BURST = 16  # where protocols bring large buffers, and so each takes longer
BUSY = 8
SECONDS_PER_TURN = 0.004


class LogContext(dict[str, Any]):
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
        """Return what is known now."""
        return {**self, "system": self["system"]}


_DONE = Failure(error.ConnectionDone())
_FAILED = Failure(MemoryError())


@implementer(IReadDescriptor)
class Burst:
    """The connections of one reactor that are read and written together.

    *dirty* lists those that have something to flush at the end of the burst.  A burst is
    *active* while protocols are being called, from a read or from an accept, and *flushing*
    in its second half; *current* is the connection whose protocol that is.
    """

    # What is touched for every message is in slots, as it is in a connection.
    __slots__ = ("__dict__", "__weakref__", "active", "current", "dirty", "flushing", "reading")

    def __init__(self, reactor: Any) -> None:
        self.reactor = reactor
        self.active = self.flushing = False
        self.current: Any = None
        self.dirty: list[Any] = []
        self.members: dict[int, Any] = {}
        self.reading: dict[int, Any] = {}
        self.large_reads = False
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
        if self._epoll is None or self.active:
            return
        try:
            context.call({ILogContext: LogContext(self)}, self._run, self._epoll)
        except BaseException:
            # The reactor would end the reader that raised it, and with it every connection.
            log_exception(self)

    def _run(self, epoll: select.epoll) -> None:
        """Burst after burst, while they are busy and the turn is not over."""
        due = monotonic() + SECONDS_PER_TURN
        most = self.most_at_once()
        while True:
            ready = epoll.poll(0, most)
            self._read(ready)
            if len(ready) < BUSY or monotonic() > due or epoll.closed:
                return

    def most_at_once(self) -> int:
        """Return how many connections one burst takes."""
        return _LARGE_READS_PER_BURST if self.large_reads else _CONNECTIONS_PER_BURST

    def _read(self, ready: list[tuple[int, int]]) -> None:
        """Read each of *ready* once, then flush what their protocols wrote."""
        self.active = True
        try:
            self.read_each(ready)
        finally:
            self.end()

    def read_each(self, ready: list[tuple[int, int]]) -> None:
        """Read each of *ready* once.

        Whatever is raised in here, by a protocol or for want of memory, ends the one
        connection that was being read.
        """
        reading = self.reading
        for descriptor, events in ready:
            transport = None
            try:
                transport = reading.get(descriptor)
                # None: closed or paused meanwhile, or never read.
                if events != IN or transport is None:
                    transport = self._other_events(descriptor, events)
                    if transport is None:
                        continue
                self.current = transport
                read_size = transport.read_size
                try:
                    data = transport.receive(read_size)
                except BlockingIOError:
                    continue
                except Exception as error:
                    transport.receive_failed(error)
                    continue
                if not data:
                    self.end_of_stream(transport)
                    continue
                size = len(data)
                if size == read_size:
                    data = transport.read_rest(data)
                    size = len(data)
                transport.bytes_in += size
                transport.protocol.dataReceived(data)
            except BaseException:
                self.fail(transport or self.members.get(descriptor))

    def read_failed(self, transport: Any, number: int) -> None:
        """A read of *transport* failed with that ``errno``."""
        transport.receive_failed(OSError(number, os.strerror(number)))

    def _other_events(self, descriptor: int, events: int) -> Any:
        """Handle what is not a plain read; return the transport if it is to be read too."""
        transport = self.members.get(descriptor)
        if transport is None:
            self.current = None
            if events == IN:  # whatever else becomes of a port is the reactor's to handle
                self.accept(descriptor)
            return None
        if events & OUT:
            self.flush_slow_path(transport)
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
        self.flushing = True
        # The list may grow meanwhile: a connectionLost may write to others.
        self.flush_each(self.dirty)
        self.dirty.clear()
        self.active = self.flushing = False
        self.current = None

    def flush_each(self, dirty: list[Any]) -> None:
        """Send what each of *dirty* wrote.

        Whatever is raised in here ends the one connection that was being flushed.
        """
        for transport in dirty:
            try:
                data = transport.unsent
                if not data:
                    data = self._more_than_one_piece(transport)
                    if not data:
                        continue
                transport.unsent = EMPTY
                try:
                    sent = transport.send(data)
                except BlockingIOError:
                    sent = 0
                except OSError:
                    self.send_failed(transport)
                    continue
                transport.bytes_out += sent
                transport.answered = transport.bytes_in
                if sent != len(data):
                    transport.keep(data, sent)
            except BaseException:
                self.fail(transport)

    def flush_one(self, transport: Any) -> None:
        """Send what *transport* wrote."""
        self.flush_each([transport])

    def send_failed(self, transport: Any) -> None:
        """The kernel takes nothing more: the connection is lost."""
        self.lose(transport, Failure(main.CONNECTION_LOST))

    def _more_than_one_piece(self, transport: Any) -> bytes:
        """Return the pieces as one; nothing where the slow path has seen to them."""
        if transport.unsent is BUFFERED:
            transport.unsent = EMPTY  # even if all of them are empty
            data: bytes = transport.take_unsent()
            return data
        transport.queued_to_flush = False
        if transport.unsent is SLOW_PATH:
            self.flush_slow_path(transport)
        else:
            transport.unsent = EMPTY  # no bytes were written, or they are out already
        return b""

    def flush_slow_path(self, transport: Any) -> None:
        """Write by Twisted's own way, which knows of producers, closing and half-closing."""
        if transport.disconnected or transport._aborting:
            return
        self.current = transport
        try:
            why = transport.doWrite()
        except BaseException:
            self.fail(transport)
            return
        if why is not None:
            self.lose(transport, _DONE if why is main.CONNECTION_DONE else Failure(why))
            return
        transport.leave_slow_path()

    # ── endings ─────────────────────────────────────────────────────────────────────

    def end_of_stream(self, transport: Any) -> None:
        """Tell a connection that its peer has closed its half."""
        transport.stopReading()
        transport.readConnectionLost(_DONE)

    def fail(self, transport: Any) -> None:
        """Log the exception being handled, and end the connection that it came from.

        Never raises: whoever calls this has others to serve.
        """
        try:
            failure = Failure()
        except BaseException:  # for want of memory
            failure = _FAILED
        log_exception(transport, failure)
        if transport is not None:
            self.lose(transport, failure)

    def lose(self, transport: Any, reason: Failure) -> None:
        """End a connection; what its protocol raises at that is logged.  Never raises."""
        try:
            transport.connectionLost(reason)
        except BaseException:
            log_exception(transport)
        if transport.mask:
            # It did not come as far as that.
            with contextlib.suppress(BaseException):
                self.change(transport, 0)

    # ── ports ───────────────────────────────────────────────────────────────────────

    def watch_port(self, port: Any, accept: Callable[[], object]) -> None:
        """*port* has its connections here: a burst may accept them, by *accept*, if it waits."""

    def accept(self, descriptor: int) -> None:
        """Accept who waits at the port of that *descriptor*, if there is one."""

    # ── membership ──────────────────────────────────────────────────────────────────

    def change(self, transport: Any, mask: int) -> None:
        """Watch *transport* for the events in *mask*; none at all takes it out of the set."""
        descriptor, before = transport.descriptor, transport.mask
        if mask == before:
            return
        # The kernel first: where it refuses, nothing has changed.
        if not before:
            self._open().register(descriptor, mask)
            self.members[descriptor] = transport
        elif mask:
            self._open().modify(descriptor, mask)
        else:
            try:  # noqa: SIM105 - three calls more for each connection
                self._open().unregister(descriptor)
            except OSError:
                pass  # closed behind our back, which takes it out of the set, too
            del self.members[descriptor]
            if not self.members:
                self._left()
        transport.mask = mask
        if mask & IN:
            self.reading[descriptor] = transport
        else:
            self.reading.pop(descriptor, None)

    def _open(self) -> select.epoll:
        if self._epoll is None:
            self._epoll = select.epoll()
        if not self.members:
            self.reactor.addReader(self)
        return self._epoll

    def _left(self) -> None:
        """The last connection is gone."""
        self.reactor.removeReader(self)

    def _close(self) -> None:
        if self._epoll is not None:
            self._epoll.close()
            self._epoll = None


def log_exception(transport: Any, failure: Failure | None = None) -> None:
    """Log *failure*, else the exception being handled; where there is no memory for it, do not."""
    with contextlib.suppress(BaseException):
        log.callWithLogger(transport, log.err, failure)
