"""The compiled half of the burst transport, where it was built and is wanted.

``_burst.c`` takes over what a burst does for each message of a plain TCP or Unix connection; the
pure-Python burst beside it defines what that is, and does everything else.  Where the module was
not built (no compiler, not Linux), or where the environment has ``SOCKETSUITE_PURE=1``,
:data:`AVAILABLE` is false and the pure burst does all of it.  This module must not know how it is
built, nor who asks for it.
"""

from __future__ import annotations

import contextlib
import math
import os
import select
import socket
from collections.abc import Callable
from time import monotonic
from typing import Any

from twisted.python import context
from twisted.python.log import ILogContext

from socketsuite.transport import burst_loop
from socketsuite.transport.burst_loop import BUSY, Burst, LogContext, log_exception
from socketsuite.transport.connection import (
    EMPTY,
    IN,
    SLOW_PATH,
    BurstTCPServer,
    BurstUNIXServer,
    _Connection,
)

# Where the reactor says that there is something for it to do.
_ASKED = ("_newTimedCalls", "_pendingTimedCalls", "_justStopped", "running")

PURE = os.environ.get("SOCKETSUITE_PURE", "") not in ("", "0")
"""Whether the environment forbids it."""

try:
    if PURE:
        raise ImportError("the environment forbids it")
    from twisted.internet.epollreactor import EPollReactor

    from socketsuite.transport import _burst

    _burst.set_up(_Connection, Burst, socket.socket, EMPTY, SLOW_PATH)
    Writer = _burst.Writer
    """What a class of connections begins with, to have its writes compiled."""

    Datagrams = _burst.Datagrams
    """What a class of UDP ports begins with, to have its turns and answers compiled."""

    AVAILABLE = True
    """Whether there is a compiled burst."""
except (ImportError, TypeError):
    # A type error: this interpreter's objects are not as the module knows them.
    AVAILABLE = False

    class Writer:  # type: ignore[no-redef]
        """Stands where the compiled one would."""

        __slots__ = ()

    class Datagrams:  # type: ignore[no-redef]
        """Stands where the compiled one would."""


def io_uring() -> bool:
    """Whether a burst's sends leave by one call of Linux's io_uring; it is asked for once.

    ``SOCKETSUITE_NO_IO_URING=1`` in the environment forbids it, as the system may.
    """
    return AVAILABLE and _burst.io_uring() is None


class CompiledBurst(Burst):
    """A burst whose loop is compiled; only where that is :data:`AVAILABLE`.

    Under Twisted's epoll reactor it is not waited for through the reactor's own epoll set: while
    there are connections, the burst's set is waited on, and the reactor's is a member of that.  So
    a lone message costs one wait and not two.  To the reactor the burst is a reader all the same,
    with a descriptor that is never ready.
    """

    def __init__(self, reactor: Any) -> None:
        super().__init__(reactor)
        self._own = -1
        self._never: select.epoll | None = None  # an empty set
        self._context = {ILogContext: LogContext(self)}
        self._waits = _is_stock_epoll(reactor)
        self._ports: dict[int, Callable[[], object]] = {}
        self._accepted = False

    def fileno(self) -> int:
        """Return what the reactor waits for."""
        return super().fileno() if self._never is None else self._never.fileno()

    def _run(self, epoll: select.epoll) -> None:
        due = monotonic() + burst_loop.SECONDS_PER_TURN
        most = self.most_at_once()
        descriptor, own = epoll.fileno(), self._own
        while True:
            ready = _burst.serve(self, descriptor, most, 0.0, own)
            if ready < 0:
                ready = ~ready
            if ready < BUSY or monotonic() > due or epoll.closed:
                return

    def end(self) -> None:
        """Flush everything that protocols wrote in this burst, and end it."""
        _burst.end(self)

    # ── ports ───────────────────────────────────────────────────────────────────────

    def watch_port(self, port: Any, accept: Callable[[], object]) -> None:
        """Have *port* in the set, too, while it is read; callers need no turn of the reactor."""
        if not self._waits:
            return
        start, stop, reactor = port.startReading, port.stopReading, self.reactor

        def start_reading() -> None:
            start()
            descriptor = port.fileno()
            if descriptor not in self._ports:
                self._ports[descriptor] = accept
                if self._epoll is not None:
                    with contextlib.suppress(OSError):
                        self._epoll.register(descriptor, IN)

        def stop_reading() -> None:
            descriptor = port.fileno()
            if self._ports.pop(descriptor, None) is not None and self._epoll is not None:
                with contextlib.suppress(OSError):
                    self._epoll.unregister(descriptor)
            stop()

        port.startReading, port.stopReading = start_reading, stop_reading
        if port in reactor.getReaders():
            start_reading()

    def accept(self, descriptor: int) -> None:
        """Accept who waits at that port."""
        accept = self._ports.get(descriptor)
        if accept is not None:
            self._accepted = True
            try:
                accept()
            except BaseException:
                log_exception(self)

    # ── the reactor's wait ──────────────────────────────────────────────────────────

    def _open(self) -> select.epoll:
        if self._epoll is None and self._waits:
            self._never = select.epoll()
            self._own = self.reactor._poller.fileno()
            epoll = self._epoll = select.epoll()
            epoll.register(self._own, IN)
            for descriptor in self._ports:
                with contextlib.suppress(OSError):  # the reactor has it too
                    epoll.register(descriptor, IN)
        if not self.members and self._waits:
            self.reactor.doIteration = self._iterate
        return super()._open()

    def _left(self) -> None:
        super()._left()
        if self._waits:
            # As it was, in the class.
            vars(self.reactor).pop("doIteration", None)

    def _close(self) -> None:
        super()._close()
        if self._never is not None:
            self._never.close()
            self._never, self._own = None, -1

    def _iterate(self, timeout: float | None) -> None:
        """Do what ``EPollReactor.doPoll`` does: wait, and call whoever there is something for."""
        epoll, turn = self._epoll, type(self.reactor).doIteration
        if epoll is None or self.active:
            turn(self.reactor, timeout)
            return
        others = True
        try:
            others = context.call(self._context, self._wait, epoll, timeout)
        except BaseException:
            log_exception(self)
        if others:
            turn(self.reactor, 0)

    def _wait(self, epoll: select.epoll, timeout: float | None) -> bool:
        """Wait and serve who is ready, again and again while that is few, until *timeout* is over.

        Return whether the reactor's others have their turn.  Before each wait it is seen that the
        reactor has nothing to do meanwhile, so that its own turn is not needed for that.
        """
        reactor, serve = self.reactor, _burst.serve
        descriptor, most, own = epoll.fileno(), self.most_at_once(), self._own
        # 0 is not to wait at all, and False, while the reactor starts and ends.
        due = -1.0 if timeout is None else timeout and monotonic() + timeout
        timers = reactor._pendingTimedCalls
        next_due = timers[0].time if timers else math.inf
        ignored = 0.0
        while True:
            ready = serve(self, descriptor, most, due, own)
            others = ready < 0
            if others:
                ready = ~ready
                if self._accepted:
                    # The reactor has the port, too: that may be all that it would find.
                    self._accepted = False
                    now = monotonic()
                    ignored = ignored or now
                    others = now > ignored + burst_loop.SECONDS_PER_TURN
            if ready >= BUSY and not epoll.closed:
                self._run(epoll)
                return True
            if others or not ready or not due:
                return others
            if reactor._newTimedCalls or (timers and timers[0].time < next_due):
                return False
            if reactor._justStopped or not reactor.running or not self.members:
                return False
            if 0 < due < monotonic():
                return False


def _is_stock_epoll(reactor: Any) -> bool:
    """Whether *reactor* waits as Twisted's epoll reactor does, and nobody has changed that."""
    return (
        isinstance(reactor, EPollReactor)
        and type(reactor).doIteration is EPollReactor.doIteration
        and "doIteration" not in vars(reactor)
        and type(getattr(reactor, "_poller", None)) is select.epoll
        and all(hasattr(reactor, name) for name in _ASKED)
    )


class CompiledTCPServer(Writer, BurstTCPServer):
    """An accepted TCP connection of a compiled burst."""


class CompiledUNIXServer(Writer, BurstUNIXServer):
    """An accepted Unix socket connection of a compiled burst."""


def server_class(*, local: bool, pure: bool) -> type:
    """Return the class of plain connections, over Unix sockets if they are *local*."""
    if pure or not AVAILABLE:
        return BurstUNIXServer if local else BurstTCPServer
    return CompiledUNIXServer if local else CompiledTCPServer


if __name__ == "__main__" and not AVAILABLE:
    print("the burst transport is not compiled here: connections are served by Python alone")
