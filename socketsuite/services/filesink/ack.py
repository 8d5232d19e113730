"""The file sink's frontend ``ack``: streams with running receipts.

docs/protocol-ack.md has the protocol.  A receipt is sent when what it is for is kept as ``--sync``
says, and never before.  This module must not know how files are written.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from twisted.internet.interfaces import IAddress, IHalfCloseableProtocol
from twisted.internet.protocol import Protocol, ServerFactory, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from socketsuite.addresses import host_text
from socketsuite.services.filesink.holds import Holds, Reminders
from socketsuite.services.filesink.registry import RefusedError
from socketsuite.services.filesink.sending import Sending
from socketsuite.services.filesink.sink import FileSink
from socketsuite.services.stream import LingeringClose
from socketsuite.settings import byte_size, setting
from socketsuite.storage.batches import Receipt
from socketsuite.storage.destination import Destination
from socketsuite.wire.acks import (
    Ack,
    Data,
    Done,
    End,
    Error,
    Go,
    Held,
    Payload,
    Ping,
    Pong,
    ProtocolError,
    Ready,
    Request,
    RequestParser,
    Stream,
    Wait,
    signed_text,
)
from socketsuite.wire.merkle import EMPTY, LEAF


@dataclass(eq=False)
class AckFactory(ServerFactory):
    """The frontend ``ack``.

    :param reactor: the clock of the wait after the last words.
    """

    sink: FileSink
    reactor: Any
    max_data: int = setting(
        1 << 20, "bytes of the longest DATA", parse=byte_size, metavar="BYTES", show="1M"
    )
    takeover: float = setting(
        5.0,
        "after so long a silence of its sender, another may send a stream",
        minimum=0,
        unit="seconds",
    )

    def __post_init__(self) -> None:
        self.sink.acknowledges = True
        self.reminders = Reminders(self.reactor)

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """Return a protocol for one sender."""
        return AckSender(self)


@implementer(IHalfCloseableProtocol)
class AckSender(LingeringClose):
    """One sender."""

    factory: AckFactory

    def __init__(self, factory: AckFactory) -> None:
        super().__init__(factory.reactor)
        self.factory = factory
        self._keeper = factory.sink.keeper
        self._parser = RequestParser(factory.max_data)
        self._sending: Sending | None = None
        self._heard = 0.0
        self._obeying = self._fin = False
        self._ending_at: int | None = None

    def connectionMade(self) -> None:
        """Say what the sink is like."""
        self._peer = host_text(getattr(self.transport.getPeer(), "host", "unix"))
        self._heard = self.factory.reactor.seconds()
        self._holds = Holds(
            self.transport, self.factory.reminders, self._say_that_it_waits, self._go_on
        )
        sink = self.factory.sink
        key = sink.signer.public if sink.signer is not None else None
        self.transport.write(
            Ready(sink.sync, sink.framing, self.factory.max_data, LEAF, key).encode()
        )
        if self._keeper.failed is not None:
            self.failed(f"the journal: {self._keeper.failed}")

    # ── what the sender says ────────────────────────────────────────────────────────

    def dataReceived(self, data: bytes) -> None:
        """Obey what is whole."""
        self._heard = self.factory.reactor.seconds()
        if not self.closing:
            self._parser.feed(data)
            self._go_on()

    def _go_on(self) -> None:
        if self._obeying:
            return
        self._obeying = True
        try:
            while not self._holds and not self.closing:
                event = self._parser.next_event()
                if event is None:
                    break
                self._obey(event)
            if self._fin and not self._holds and not self.closing:
                self._end_by_fin()
        except ProtocolError as error:
            self._refuse(error.code, error.text)
        except RefusedError as error:
            self._refuse(error.code, str(error))
        finally:
            self._obeying = False

    def _obey(self, event: Request) -> None:
        match event:
            case Payload(data):
                assert self._sending is not None
                self._sending.take(data)
            case Data(offset, _):
                assert self._sending is not None
                self._sending.begin(offset)
            case Stream(name):
                self._choose(name)
            case End(offset):
                self._end(offset)
            case Ping():
                self.transport.write(Pong().encode())

    def _choose(self, name: str) -> None:
        self._leave()
        if self._keeper.failed is not None:
            raise RefusedError("failed", f"the journal: {self._keeper.failed}")
        stream = self._keeper.registry.claim(name, self)
        self._sending = sending = Sending(self.factory.sink, stream, self, self._peer)

        def say() -> None:
            if self._sending is sending:
                offset, root = stream.receipt
                self.transport.write(Held(name, offset, root).encode())
                self._holds.remove("stream")

        if sending.settled:
            say()
        else:
            # What another connection left is on its way to the disk, and to another file perhaps.
            self._holds.add("stream")
            self._keeper.store.flush(stream.destination, say, sync=True, failed=self.failed)

    def _end(self, offset: int) -> None:
        sending = self._sending
        if sending is None:
            raise ProtocolError("no-stream", "STREAM ID has to come first")
        destination = sending.finish(offset)
        self._ending_at = offset
        self._holds.add("end")

        def done() -> None:
            self._ending_at = None
            if self._sending is sending and not self.closing:
                self.transport.write(self._stamped(Done, sending))
                self._holds.remove("end")

        self._keeper.store.flush(destination, done, sync=True)

    def _end_by_fin(self) -> None:
        """The sender has closed its half: that is END, of what was received."""
        if self._parser.torn:
            raise ProtocolError("syntax", "the connection ended in the middle of a message")
        if self._sending is None or self._sending.ended:
            self.transport.loseConnection()
        else:
            self._end(self._sending.received)

    def _stamped(self, kind: type[Ack | Done], sending: Sending) -> bytes:
        offset, root = sending.stream.receipt
        now = int(time.time() * 1000)
        signer = self.factory.sink.signer
        signature = None
        if signer is not None:
            signature = signer.sign(signed_text(sending.stream.name, offset, root, now))
        return kind(offset, root or EMPTY, now, signature).encode()

    # ── what the store and the keeper say ───────────────────────────────────────────

    def pause(self) -> None:
        """Too much waits for the disk."""
        self._holds.add("queue")

    def resume(self) -> None:
        """The disk has caught up."""
        self._holds.remove("queue")

    def waits(self, reason: str | None) -> None:
        """Tell the sender that nothing can be written, or that it can again."""
        if not self.closing:
            self.transport.write(Go().encode() if reason is None else Wait(reason).encode())

    def _say_that_it_waits(self, waits: bool) -> None:
        destination = self._sending.destination if self._sending is not None else None
        reason = destination.waiting_for if destination is not None else None
        self.waits((reason or "slow-disk") if waits else None)

    def settle(self, destination: Destination) -> None:
        """Read no more until all that was sent is on disk: then another file is begun."""
        if "settle" not in self._holds:
            self._holds.add("settle")
            self._keeper.store.flush(destination, lambda: self._holds.remove("settle"), sync=True)

    def failed(self, why: str) -> None:
        """Tell the sender that nothing more will be acknowledged."""
        self._refuse("failed", f"the file cannot be written: {why}")

    def receipt(self, receipt: Receipt) -> None:
        """The stream is kept up to there."""
        sending = self._sending
        if sending is None or sending.stream is not receipt.stream or self.closing:
            return
        # One before the answer to STREAM would be for nothing that was sent here.
        if receipt.offset != self._ending_at and "stream" not in self._holds:
            self.transport.write(self._stamped(Ack, sending))

    def is_silent(self) -> bool:
        """Whether nothing was heard for so long that another may take over."""
        silence = self.factory.reactor.seconds() - self._heard
        return not self._holds and silence >= self.factory.takeover

    def replaced(self) -> None:
        """Another connection sends the stream from now on."""
        self._refuse("replaced", "another sender took the stream over")

    def unfinished(self) -> bool:
        """Whether it is the sink that the sender waits for."""
        sending = self._sending
        destination = sending.destination if sending is not None else None
        return bool(self._holds) or (destination is not None and destination.queued > 0)

    # ── the end ─────────────────────────────────────────────────────────────────────

    def drain(self) -> None:
        """Confirm what was received, and close: the sender goes on when the sink is back."""
        sending = self._sending
        if sending is None or sending.destination is None:
            self._refuse("busy", "the sink is shutting down")
            return
        self._holds.add("drain")
        self._keeper.store.flush(
            sending.destination, lambda: self._refuse("busy", "the sink is shutting down")
        )

    def _refuse(self, code: str, text: str) -> None:
        if not self.closing:
            self._leave()
            self._holds.end()
            self.close_with(Error(code, text).encode())

    def _leave(self) -> None:
        sending, self._sending = self._sending, None
        self._ending_at = None
        if sending is not None:
            sending.leave()
            self._keeper.registry.release(sending.stream, self)

    def readConnectionLost(self) -> None:
        """The sender's FIN: it is done, and waits for the last receipt."""
        self._fin = True
        if self.closing:
            super().readConnectionLost()
        else:
            self._go_on()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Let the stream go; it can be gone on with."""
        super().connectionLost(reason)
        self._holds.end(connected=False)
        self.closing = True
        self._leave()
