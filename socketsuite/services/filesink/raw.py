"""The file sink's first frontend: bytes, or framed records, from plain clients such as ``nc``.

The wire: bytes, one way.  A client that closes its half is closed in turn when all its bytes are
kept as ``--sync`` says; that is its confirmation.  One whose bytes cannot be kept is reset.  With
``--framing lines`` or ``length`` a record is written whole or not at all.  This module must not
know how files are written.
"""

from __future__ import annotations

import socket
import struct
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress, IHalfCloseableProtocol
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from socketsuite.addresses import host_text
from socketsuite.services.filesink.records import headed, portions, record_header
from socketsuite.services.filesink.sink import FileSink
from socketsuite.services.stream import IStreamTransport
from socketsuite.storage.buffers import Lease
from socketsuite.storage.destination import Destination
from socketsuite.storage.store import TooManyFilesError
from socketsuite.wire.records import Piece


@dataclass(eq=False)
class RawFactory(ServerFactory):
    """Makes a protocol for each client."""

    sink: FileSink

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """Return a protocol for one client."""
        return RawSender(self.sink)


@implementer(IHalfCloseableProtocol)
class RawSender(Protocol):
    """One client."""

    transport: IStreamTransport
    _log = Logger()

    def __init__(self, sink: FileSink) -> None:
        self._sink = sink
        self._keeper = sink.keeper
        self._framer = sink.new_framer()
        self._destination: Destination | None = None
        # What was written to before, and has not kept all of it yet.
        self._left: list[Destination] = []
        self._date = ""
        self._ended = False

    def connectionMade(self) -> None:
        """Learn who it is."""
        self._peer = host_text(getattr(self.transport.getPeer(), "host", "unix"))
        self._connection = ""
        self._reset_on_close(True)
        if self._keeper.failed is not None:
            self._end()

    def get_buffer(self) -> memoryview:
        """Return what the next bytes are read into, where the transport can."""
        return self._keeper.buffers.room()

    def dataReceived(self, data: bytes | memoryview) -> None:
        """Have what is whole written."""
        if not self._ended:
            lease = None
            if isinstance(data, memoryview):
                data, lease = self._keeper.buffers.take(data)
            self._write(self._framer.feed(data), lease)

    def _write(self, pieces: list[Piece], lease: Lease | None = None) -> None:
        if not pieces:
            return
        destination = self._attached()
        if destination is None:
            return
        sink, store = self._sink, self._keeper.store
        for some in portions(pieces, self._framer, sink.rotate_size):
            written = some
            if sink.record_header:
                header = record_header(self._peer, time.time())
                written, _ = headed(some, self._framer, header)
            store.write(destination, written, sum(map(len, written)), lease=lease)

    def _attached(self) -> Destination | None:
        """Return the destination of what comes now; ``None`` when there can be none."""
        store = self._keeper.store
        if self._destination is not None and self._destination.ended:
            self._destination = None
        if self._destination is not None and self._date == store.date:
            return self._destination
        if not self._connection:
            self._connection = self._sink.connection_names.next()
        self._date = store.date
        name = self._keeper.file_name(self._peer, self._connection, "raw")
        if self._destination is not None:
            if self._destination.name == name:
                return self._destination
            store.detach(self._destination, self)
            self._left = [one for one in (*self._left, self._destination) if one.queued]
            self._destination = None
        try:
            found = store.attach(name, self)
        except TooManyFilesError as error:
            self._log.warn("{peer} is reset: {why}", peer=self._peer, why=str(error))
            self._end()
            return None
        if found.trouble is not None:
            store.detach(found, self)
            self._end()
            return None
        self._destination = found
        return found

    # ── the end ─────────────────────────────────────────────────────────────────────

    def readConnectionLost(self) -> None:
        """The client's FIN: ours is the confirmation."""
        if self._ended:
            return
        self._finish()
        if self._keeper.failed is not None:
            self._end()
        else:
            self._confirm([*self._left, self._destination] if self._destination else self._left)

    def _confirm(self, files: list[Destination]) -> None:
        """Close when all that was written to *files* is kept."""
        if not files:
            self._reset_on_close(False)
            self.transport.loseConnection()
            return
        rest = files[1:]
        self._keeper.store.flush(files[0], lambda: self._confirm(rest), failed=self.failed)

    def _reset_on_close(self, reset: bool) -> None:
        """Have the kernel send RST when the socket is closed, or FIN.

        A process that is killed has its sockets closed by the kernel, whose FIN would confirm what
        nobody has kept.  A Unix socket has no RST: there a client cannot tell.
        """
        with suppress(AttributeError, OSError):
            handle = self.transport.getHandle()  # type: ignore[attr-defined]
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", reset, 0))

    def writeConnectionLost(self) -> None:
        """Our own FIN is out; nothing to do."""

    def _finish(self) -> None:
        self._write(cast("list[Piece]", self._framer.finish()))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Let the file go; what is not whole is not written."""
        if not self._ended and reason.check(ConnectionDone):
            self._finish()
        self._ended = True
        framer = self._framer
        framer.abandon()
        self._keeper.count(framer)
        if self._destination is not None:
            self._keeper.store.detach(self._destination, self)
            self._destination = None

    def _end(self) -> None:
        self._ended = True
        self.transport.abortConnection()

    def unfinished(self) -> bool:
        """Whether bytes of this client may wait for a disk: its FIN must not be answered yet."""
        files = (*self._left, self._destination)
        return any(one is not None and one.queued for one in files)

    # ── what the store says ─────────────────────────────────────────────────────────

    def pause(self) -> None:
        """Read no more."""
        self.transport.pauseProducing()

    def resume(self) -> None:
        """Read on."""
        if not self._ended:
            self.transport.resumeProducing()

    def waits(self, reason: str | None) -> None:
        """Nothing can be said here; the queue in front of the file pauses the client."""

    def failed(self, why: str) -> None:
        """Reset the client: what was not confirmed is not kept."""
        if not self._ended:
            self._end()
