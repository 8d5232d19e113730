"""Standard input and output under the reactor, whatever they are: terminal, pipe or file.

Neither descriptor is made non-blocking: that flag is shared with the shell and with every
other program on the same terminal or pipe, and would outlive us.

This module must not know what the bytes are for.
"""

from __future__ import annotations

import os
import select
import stat
from collections.abc import Callable
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IPushProducer, IReadDescriptor
from twisted.internet.main import CONNECTION_LOST
from twisted.python.failure import Failure
from zope.interface import implementer

_CHUNK = 1 << 17


@implementer(IReadDescriptor, IPushProducer)
class InputDescriptor:
    """Reads a descriptor when there is something to read, and as fast as it is allowed to.

    A push producer: register it with the transport that *consume* writes to.  A regular
    file is read in turn with everything else.

    :param consume: called with each chunk, of at most 128 KiB.
    :param ended: called once, at the end, with ``None`` or with the error it ended with.
    :ivar taken: how many bytes *consume* has been given.
    :ivar delivered: how many of them had left our process when the consumer last asked
        for more.
    """

    def __init__(
        self,
        reactor: Any,
        descriptor: int,
        consume: Callable[[bytes], None],
        ended: Callable[[OSError | None], None],
    ) -> None:
        self._reactor = reactor
        self._descriptor = descriptor
        self._consume = consume
        self._ended = ended
        self._open = True
        self.taken = 0
        self.delivered = 0

    def fileno(self) -> int:
        """Return the descriptor's number."""
        return self._descriptor

    def logPrefix(self) -> str:
        """Return the name for Twisted's log."""
        return "input"

    def doRead(self) -> None:
        """Read once; the reactor says that this will not block."""
        try:
            data = os.read(self._descriptor, _CHUNK)
        except BlockingIOError:
            return  # somebody else made it non-blocking, and was quicker
        except OSError as error:
            self._end(error)
            return
        if not data:
            self._end(None)
            return
        self.taken += len(data)
        self._consume(data)

    def connectionLost(self, reason: Failure) -> None:
        """End: the reactor saw the other side of the pipe close with nothing left in it."""
        self._end(None)

    def _end(self, error: OSError | None) -> None:
        if self._open:
            self.stopProducing()
            self._ended(error)

    def pauseProducing(self) -> None:
        """Read no more until :meth:`resumeProducing`."""
        self._reactor.removeReader(self)

    def resumeProducing(self) -> None:
        """Read; a transport calls this when it has handed everything to the kernel."""
        self.delivered = self.taken
        if self._open:
            self._reactor.addReader(self)

    def stopProducing(self) -> None:
        """Read no more, ever; the descriptor stays open."""
        self._open = False
        self._reactor.removeReader(self)


class OutputDescriptor(FileDescriptor):
    """Writes to a descriptor as fast as its reader reads; a consumer for a transport.

    :ivar gone: fires when nothing more will be written: with ``None`` after
        :meth:`loseConnection`, with the ``OSError`` when writing failed.
    """

    def __init__(self, reactor: Any, descriptor: int) -> None:
        super().__init__(reactor)
        self.connected = 1
        self._descriptor = descriptor
        # POSIX: PIPE_BUF bytes to a descriptor that polls writable do not block.
        regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
        self._slice = _CHUNK if regular else select.PIPE_BUF
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        self._error: OSError | None = None
        self.gone: Deferred[OSError | None] = Deferred()

    def fileno(self) -> int:
        """Return the descriptor's number."""
        return self._descriptor

    def writeSomeData(self, data: bytes) -> int | Exception:
        """Write what can be written without blocking; return how much that was."""
        view = memoryview(data)
        written = 0
        try:
            while written < len(view) and self._poll.poll(0):
                written += os.write(self._descriptor, view[written : written + self._slice])
        except BlockingIOError:
            pass
        except OSError as error:
            self._error = error
            return CONNECTION_LOST
        return written

    def connectionLost(self, reason: Failure) -> None:
        """Tell whoever waits; the descriptor stays open."""
        super().connectionLost(reason)
        if self._error is None and reason.check(ConnectionLost):
            self._error = BrokenPipeError()
        self.gone.callback(self._error)
