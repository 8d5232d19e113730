"""A server's protocol that does what a scenario says, and keeps what happened to it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol
from twisted.protocols.basic import FileSender
from zope.interface import implementer

from tests.differential.producers import Pull, PullMadePush, Push
from tests.differential.scenario import Connection, Op

if TYPE_CHECKING:
    from tests.differential.stage import Stage

_PATTERN = bytes(number * 7 % 251 for number in range(251)) * 4200


def text(number: int, start: int, size: int) -> bytes:
    """Return *size* bytes, of which each place in a stream has its own."""
    start = (start + 13 * number) % 251
    return _PATTERN[start : start + size]


class Scripted(Protocol):
    """One connection; *events* are what happened to it, but for the bytes it received."""

    transport: Any

    def __init__(self, stage: Stage, number: int, plan: Connection) -> None:
        self.stage = stage
        self.number = number
        self.plan = plan
        self.events: list[str] = []
        self.received = bytearray()
        self.faults: list[str] = []
        self.done: set[int] = set()
        self.asked = 0  # bytes that were to be written
        self.writes = 0
        self.paused = False
        self.closing = False  # somebody on this side has asked for the end
        self.aborted = False
        self.cut = False  # a producer's bytes were cut off at a point that nobody chose
        self.half_closings = 0
        self.live = False
        self.producers: list[Any] = []

    def __repr__(self) -> str:
        return f"<{self.number}>"

    # ── what happens ────────────────────────────────────────────────────────────────

    def happened(self, event: str) -> None:
        self.events.append(event)
        self.stage.progress += 1
        if not self.live and event != "made" and event != "lost":
            self.faults.append(f"{event} after connectionLost")

    def handle(self, event: str) -> None:
        for place, handler in enumerate(self.plan.handlers):
            # Once: a protocol that resumes at each end of its stream is told of it for ever.
            if handler.event == event and place not in self.done:
                self.done.add(place)
                self.stage.perform(handler.ops, self)

    def connectionMade(self) -> None:
        self.live = True
        self.happened("made")
        other = self.forwards_to()
        if other is not None and other.live and other.transport.producer is None:
            other.transport.registerProducer(self.transport, True)
        self.handle("made")

    def dataReceived(self, data: bytes) -> None:
        self.stage.progress += 1
        if not self.live:
            self.faults.append("data after connectionLost")
        if self.closing:
            return  # see compare.py
        if self.paused:
            self.faults.append("data while paused")
        self.received += data
        if self.plan.echo:
            self.write(bytes(data))
        other = self.forwards_to()
        if other is not None and other.live:
            other.write(bytes(data))
        for place, handler in enumerate(self.plan.handlers):
            due = handler.event == "data" and len(self.received) >= handler.at
            if due and place not in self.done:
                self.done.add(place)
                self.stage.perform(handler.ops, self)

    def connectionLost(self, reason: Any = None) -> None:
        self.happened("lost")
        self.reason = type(reason.value).__name__
        other = self.forwards_to()
        if other is not None and other.live and other.transport.producer is self.transport:
            other.transport.unregisterProducer()
            other.lose()
        self.live = False
        self.handle("lost")

    def forwards_to(self) -> Scripted | None:
        if self.plan.forward is None:
            return None
        return self.stage.protocols.get(self.plan.forward)

    # ── what is done ────────────────────────────────────────────────────────────────

    def write(self, data: bytes) -> None:
        self.writes += 1
        self.transport.write(data)

    def text(self, size: int) -> bytes:
        start = self.asked
        self.asked += size
        return text(self.number, start, size)

    def lose(self) -> None:
        self._note_producer()
        self.closing = True
        self.transport.loseConnection()

    def do(self, op: Op) -> None:
        if self.closing and self.stage.scenario.secure and op.name not in ("abort", "unregister"):
            # Twisted's TLS drops what is written after loseConnection; on TCP it is sent.
            return
        getattr(self, "do_" + op.name.replace(" ", "_"))(op)

    def do_write(self, op: Op) -> None:
        self.write(self.text(op.value))

    def do_write_sequence(self, op: Op) -> None:
        self.writes += 1
        self.transport.writeSequence([self.text(op.value), b"", self.text(op.value // 2)])

    def do_lose(self, op: Op) -> None:
        self.lose()

    def _note_producer(self) -> None:
        held = self.stage.raws[self.number]
        if held.producer is not None and held.streamingProducer:
            self.cut = self.cut or not held.producerPaused

    def do_lose_write(self, op: Op) -> None:
        self._note_producer()
        self.half_closings += 1 if self.stage.raws[self.number].producer is None else 2
        self.transport.loseWriteConnection()

    def do_abort(self, op: Op) -> None:
        self.closing = self.aborted = True
        self.transport.abortConnection()

    def do_pause(self, op: Op) -> None:
        self.paused = True
        self.transport.pauseProducing()

    def do_resume(self, op: Op) -> None:
        self.paused = False
        self.transport.resumeProducing()

    def do_stop(self, op: Op) -> None:
        self._note_producer()
        self.closing = True
        self.transport.stopProducing()

    def do_unregister(self, op: Op) -> None:
        for producer in self.producers:
            self.cut = self.cut or producer.registered
            producer.leave()
        self.transport.unregisterProducer()

    def do_push(self, op: Op) -> None:
        self._produce(Push(self, op), streaming=True)

    def do_pull(self, op: Op) -> None:
        self._produce(Pull(self, op), streaming=False)

    def do_pull_made_push(self, op: Op) -> None:
        producer = PullMadePush(self, op)
        if self._produce(producer, streaming=True):
            producer.startStreaming()

    def _produce(self, producer: Any, *, streaming: bool) -> bool:
        if self.busy():
            return False
        self.producers.append(producer)
        producer.registered = True
        self.transport.registerProducer(producer, streaming)
        if streaming:
            producer.begin()
        return bool(producer.registered)

    def do_file(self, op: Op) -> None:
        if not self.busy():
            sent = FileSender().beginFileTransfer(io.BytesIO(self.text(op.value)), self.transport)
            sent.addErrback(lambda _: None)

    def do_produce_itself(self, op: Op) -> None:
        if not self.busy():
            self.transport.registerProducer(self.transport, True)

    def do_relay(self, op: Op) -> None:
        """Be paused and resumed by another connection, as a port forwarder's halves are."""
        other = self.stage.protocols.get(op.value)
        if other is not None and other.live and not self.busy():
            self.transport.registerProducer(other.transport, True)

    def busy(self) -> bool:
        """Tell whether a producer is registered, or there is nobody to register with."""
        held = self.stage.raws[self.number]
        # One that is registered after the end was asked for comes in time or too late.
        busy = held.producer is not None or not self.live or self.closing
        busy = busy or self.half_closings > 0
        self.stage.outcome.pressed.append(f"{self.number} {'busy' if busy else 'free'}")
        return busy

    def do_fail_send(self, op: Op) -> None:
        self.stage.fail_send(self.number)


@implementer(IHalfCloseableProtocol)
class HalfCloseable(Scripted):
    """One that knows of half-closed connections."""

    def readConnectionLost(self) -> None:
        self.happened("read lost")
        self.handle("read lost")

    def writeConnectionLost(self) -> None:
        self.happened("write lost")
        self.handle("write lost")
