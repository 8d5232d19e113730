"""One connection's sending of one stream: what is known already is skipped, the rest is written.

This module must not know how messages are read or answered.
"""

from __future__ import annotations

import time
from typing import Any

from socketsuite.services.filesink.records import headed, portions, record_header
from socketsuite.services.filesink.sink import FileSink
from socketsuite.storage.destination import Destination
from socketsuite.storage.store import TooManyFilesError
from socketsuite.storage.streams import Stream
from socketsuite.wire.acks import ProtocolError
from socketsuite.wire.records import Piece


class Sending:
    """A stream, while one connection sends it.

    :ivar received: bytes of the stream that came, those before this connection included.
    :ivar destination: of the file that is written to.
    :ivar ended: whether the sender said that nothing more comes for now.
    """

    def __init__(self, sink: FileSink, stream: Stream, sender: Any, peer: str) -> None:
        self._sink = sink
        self._keeper = sink.keeper
        self._sender = sender
        self._peer = peer
        self._framer = sink.new_framer()
        self._skip = 0
        self._date = ""
        self._connection = sink.connection_names.next()
        self.stream = stream
        self.received = stream.enqueued
        self.destination: Destination | None = None
        self.ended = False

    @property
    def settled(self) -> bool:
        """Whether all of the stream that was handed to a file is synced."""
        return self.stream.enqueued == self.stream.durable

    def begin(self, offset: int) -> None:
        """A DATA begins at *offset*.

        :raises ProtocolError: when there is a gap before it.
        """
        if offset > self.received:
            raise ProtocolError("gap", f"bytes from {self.received} on were never received")
        self._skip = self.received - offset
        self.ended = False

    def take(self, data: memoryview) -> None:
        """Take bytes of a DATA.

        :raises ProtocolError: for a record that cannot be kept.
        """
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        if data:
            self.received += len(data)
            pieces = self._framer.feed(data)
            if self._framer.dropped or self._framer.cut:
                raise ProtocolError("record", f"a record has at most {self._sink.max_record} bytes")
            self._write(pieces)

    def finish(self, offset: int) -> Destination:
        """Nothing more comes for now; the stream is *offset* bytes long, and in that file.

        :raises ProtocolError: when it is not, or ends within a record.
        """
        if offset != self.received:
            raise ProtocolError("mismatch", f"{self.received} bytes were received")
        rest = self._framer.finish()
        if self._framer.torn:
            raise ProtocolError("record", "the stream ends in the middle of a record")
        for line in rest:
            # The LF that ends it is the sink's, not the sender's.
            self._write([line[:-1], b"\n"], [True, False])
        destination = self._attached()
        if self.stream.enqueued == 0:
            self._keeper.store.write(destination, [], 0, self.stream)
        self.ended = True
        return destination

    def leave(self) -> None:
        """The connection sends it no more; a record that is not whole is forgotten."""
        self._framer.abandon()
        self._keeper.count(self._framer)
        if self.destination is not None:
            self._keeper.store.detach(self.destination, self._sender)

    def _write(self, pieces: list[Piece], own: list[bool] | None = None) -> None:
        if not pieces:
            return
        destination = self._attached()
        sink, store = self._sink, self._keeper.store
        size = sum(map(len, pieces))
        self.stream.enqueued += (
            size if own is None else sum(len(p) for p, o in zip(pieces, own, strict=True) if o)
        )
        if own is not None:
            if sink.record_header:
                pieces.insert(0, self._header())
                own.insert(0, False)
            store.write(destination, pieces, sum(map(len, pieces)), self.stream, own)
            return
        for some in portions(pieces, self._framer, sink.rotate_size):
            if sink.record_header:
                some, own_of_some = headed(some, self._framer, self._header())
                store.write(destination, some, sum(map(len, some)), self.stream, own_of_some)
            else:
                store.write(destination, some, sum(map(len, some)), self.stream)

    def _header(self) -> bytes:
        return record_header(self._peer, time.time())

    def _attached(self) -> Destination:
        """Return the destination of what comes now.

        :raises ProtocolError: when there can be none.
        """
        store, stream = self._keeper.store, self.stream
        if self.destination is not None and self.destination.ended:
            self.destination = None
        if self.destination is not None and self._date == store.date:
            return self.destination
        name = self._keeper.file_name(self._peer, self._connection, stream.name)
        if self.destination is not None and self.destination.name == name:
            self._date = store.date
            return self.destination
        if self.destination is not None and not self.settled:
            # One thread at a time feeds the stream's hash, and END syncs one file alone.
            self._sender.settle(self.destination)
            return self.destination
        if self.destination is not None:
            store.detach(self.destination, self._sender)
            self.destination = None
        try:
            found = store.attach(name, self._sender)
        except TooManyFilesError as error:
            raise ProtocolError("busy", str(error)) from None
        self.destination = found
        if found.trouble is not None:
            raise ProtocolError("failed", f"the file cannot be written: {found.trouble}")
        self._date = store.date
        stream.destination = found
        self._keeper.registry.begin_file(stream, found)
        return found
