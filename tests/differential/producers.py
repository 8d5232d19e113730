"""Producers that keep what they are told, and find what nobody may tell them.

What stock Twisted may tell, and so is no fault: to pause once more from within a write that
was made in spite of the pause; and to resume a producer that has just come, if the one
before it left while it was paused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet import _producer_helpers

from tests.differential.scenario import Op

if TYPE_CHECKING:
    from tests.differential.scripted import Scripted


class _Producer:
    """*value* of its operation: bytes in all, bytes in each piece, whether by a timer."""

    def __init__(self, owner: Scripted, op: Op) -> None:
        self.owner = owner
        self.left, self.piece, self.by_timer = op.value
        self.scripts = {nested.name: nested.ops for nested in op.ops}
        self.registered = self.paused = self.told = self.stopped = False
        self.writes_before = 0

    def begin(self) -> None:
        """Called once it is registered."""

    def fault(self, what: str) -> None:
        self.owner.faults.append(what)

    def notice(self, what: str) -> None:
        if not self.registered:
            self.fault(f"a producer that has left is told to {what}")
        self.owner.stage.progress += 1

    def script(self, when: str) -> None:
        ops = self.scripts.pop(when, None)
        if ops is not None:
            pressed = self.owner.stage.outcome.pressed
            pressed.append(f"{self.owner.number} {when} {self.told}")
            self.owner.stage.perform(ops, self.owner)

    def leave(self) -> None:
        self.registered = False

    def produce(self) -> None:
        size = min(self.piece, self.left)
        self.left -= size
        self.owner.write(self.owner.text(size))

    def finish(self) -> None:
        if self.registered:
            self.leave()
            self.owner.transport.unregisterProducer()
            self.script("when done")

    def stopProducing(self) -> None:
        if self.stopped:
            self.fault("a producer is stopped twice")
        self.notice("stop")
        self.stopped = True
        self.leave()
        self.script("when stopped")


class Push(_Producer):
    """Writes piece after piece until it is paused."""

    _due = False

    def begin(self) -> None:
        self._go_on()

    def pauseProducing(self) -> None:
        self.notice("pause")
        if self.paused and self.owner.writes == self.writes_before:
            self.fault("a producer is paused twice")
        self.told = self.paused = True
        self.writes_before = self.owner.writes
        self.script("when paused")

    def resumeProducing(self) -> None:
        self.notice("resume")
        if not self.paused and self.told:
            self.fault("a producer is resumed twice")
        self.told = True
        self.paused = False
        self.script("when resumed")
        self._go_on()

    def _go_on(self) -> None:
        if self.by_timer:
            self._wait()
            return
        while self.registered and not self.paused and self.left:
            self.produce()
        self._perhaps_finish()

    def _wait(self) -> None:
        if not self._due:
            self._due = True
            self.owner.stage.later(1, self._piece)

    def _piece(self) -> None:
        self._due = False
        if self.registered and not self.paused:
            self.produce()
            if not self.paused and self.left:
                self._wait()
            self._perhaps_finish()

    def _perhaps_finish(self) -> None:
        if not self.left and not self.paused:
            self.finish()


class Pull(_Producer):
    """Writes one piece each time it is asked."""

    def resumeProducing(self) -> None:
        self.notice("resume")
        self.script("when resumed")
        if not self.registered:
            return
        self.produce()
        if not self.left:
            self.finish()


class PullMadePush(Pull):
    """The same, made a push producer as twisted.web and Twisted's TLS make one.

    It counts: paused twice and resumed once, it never goes on.
    """

    _started = False

    def __init__(self, owner: Scripted, op: Op) -> None:
        super().__init__(owner, op)
        self._streaming: Any = _producer_helpers._PullToPush(_Inner(self), owner.transport)

    def startStreaming(self) -> None:
        self._started = True
        self._streaming.startStreaming()

    def pauseProducing(self) -> None:
        self.notice("pause")
        if self.paused:
            self.fault("a producer is paused twice")
        self.paused = True
        self._streaming.pauseProducing()
        self.script("when paused")

    def resumeProducing(self) -> None:
        self.notice("resume")
        if not self.paused:
            if self.told:
                self.fault("a producer is resumed twice")
            return
        self.told = True
        self.paused = False
        self._streaming.resumeProducing()

    def leave(self) -> None:
        if self.registered and self._started:
            self._streaming.stopStreaming()
        super().leave()

    def ask(self) -> None:
        super().resumeProducing()


class _Inner:
    """What the wrapper asks for the next piece."""

    def __init__(self, pull: PullMadePush) -> None:
        self.pull = pull

    def resumeProducing(self) -> None:
        self.pull.ask()
