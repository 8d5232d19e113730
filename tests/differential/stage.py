"""Runs a scenario on one transport: a reactor turned by hand, a port, its callers.

Time stands still, and is set forward only to the next timer of the scenario.  Nothing is
waited for but the kernel, and only where it owes an event: bytes wait to be written, and
their reader has made room.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import tempfile
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet import _producer_helpers
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.protocol import Factory
from twisted.internet.task import Cooperator
from twisted.python import log

from socketsuite.transport.burst import burst_of
from tests.differential.callers import Caller, SecureCaller
from tests.differential.outcome import End, Outcome
from tests.differential.poller import Poller
from tests.differential.ports import CLIENT_CONTEXTS, open_port
from tests.differential.scenario import Op, Scenario, Step
from tests.differential.scripted import HalfCloseable, Scripted, text

_TURNS_WITHOUT_PROGRESS = 200
_TURNS = 6_000
_KERNEL_SECONDS = 1.0
_SMALL_BUFFER = 8192


class ScriptedError(Exception):
    """What a protocol raises because the scenario says so."""


class Stage:
    """One run of *scenario*; *burst* and *pure* tell which transport it is on."""

    def __init__(
        self,
        scenario: Scenario,
        *,
        burst: bool,
        pure: bool = False,
        buffer: int = 0,
        order: str = "natural",
        slow: int = 1,
        late: int = 0,
    ) -> None:
        self.scenario = scenario
        self.burst, self.pure = burst, pure
        self.buffer = buffer or (_SMALL_BUFFER if scenario.tight else 0)
        self.slow = slow
        self.late = late
        self.now = 0.0
        self.reactor: Any = EPollReactor()
        self.reactor.seconds = lambda: self.now
        self.poller = self.reactor._poller = Poller(self.reactor._poller, order)
        self.progress = self.turns = 0
        self.timers: list[Any] = []
        self.callers: dict[int, Caller] = {}
        self.order: list[int] = []
        self.protocols: dict[int, Scripted] = {}
        self.raws: dict[int, Any] = {}
        self.outcome = Outcome()
        self.spun = False

    # ── the server's side ───────────────────────────────────────────────────────────

    def build(self) -> Scripted:
        number = self.order[len(self.protocols)]
        plan = self.scenario.connections[number]
        made = (HalfCloseable if plan.half_closeable else Scripted)(self, number, plan)
        self.protocols[number] = made
        return made

    def perform(self, ops: tuple[Op, ...], by: Scripted) -> None:
        for op in ops:
            if op.name == "raise":
                raise ScriptedError
            if op.name == "timer":
                self.later(op.value, partial(self.perform, op.ops, by))
                continue
            on = self.protocols.get(op.on)
            if on is None:
                continue
            if on.transport is not None and on.live:
                on.do(op)
            elif "lost" in on.events:
                self._do_too_late(on, op)
            elif op.name in ("lose", "abort") and on.number in self.raws:
                self._end_handshake(on, op)

    def _do_too_late(self, on: Scripted, op: Op) -> None:
        """What is done to a connection that is over does nothing; with TLS it may not be done."""
        if not self.scenario.secure and op.name in ("write", "lose", "abort", "pause", "resume"):
            on.do(op)

    def _end_handshake(self, on: Scripted, op: Op) -> None:
        on.closing = on.aborted = True
        transport = self.raws[on.number]
        if not self.burst:
            transport = transport.protocol
        (transport.loseConnection if op.name == "lose" else transport.abortConnection)()

    def later(self, milliseconds: int, call: Callable[[], None]) -> None:
        self.timers.append(self.reactor.callLater((milliseconds + self.late) / 1000, call))

    def fail_send(self, number: int) -> None:
        """Let the next send of a connection fail, as for want of memory."""
        raw: Any = self.raws[number]
        name = "send" if self.burst else "writeSomeData"
        own = getattr(raw, name)

        def send(data: bytes) -> Any:
            setattr(raw, name, own)
            if not data:
                return own(data)
            raise MemoryError

        setattr(raw, name, send)

    # ── turning ─────────────────────────────────────────────────────────────────────

    def turn(self) -> bool:
        """Let everybody do what there is to do just now; tell whether anything happened."""
        self.turns += 1
        before, told = self.progress, self.poller.told
        if self.turns % self.slow == 0:
            for caller in self.callers.values():
                self.progress += caller.move()
        due = any(call.getTime() <= self.now for call in self.reactor.getDelayedCalls())
        self.reactor.runUntilCurrent()
        self.reactor.doIteration(0)
        self.outcome.turns += 1
        if self.progress == before:
            self._fruitless += 1
        else:
            self._fruitless = 0
        return due or self.progress != before or self.poller.told != told

    _fruitless = 0
    _calling = False

    def settle(self) -> None:
        """Go on until nothing moves any more."""
        self._fruitless = idle = 0
        while idle < 1 + self.slow and not self.spun:
            idle = 0 if self.turn() else idle + 1
            if self._fruitless > _TURNS_WITHOUT_PROGRESS or self.turns > _TURNS:
                self.spun = True
                if "spins" not in self.outcome.faults:
                    self.outcome.faults.append("spins")
            elif idle == 1 + self.slow and self._kernel_owes() and self._wait():
                idle = 0

    def _armed(self) -> set[int]:
        if self.burst:
            members = burst_of(self.reactor, pure=self.pure).members
            return {fd for fd, transport in members.items() if transport.mask & select.EPOLLOUT}
        return {writer.fileno() for writer in self.reactor.getWriters()}

    def _kernel_owes(self) -> bool:
        armed = self._armed()
        for number, caller in self.callers.items():
            raw = self.raws.get(number)
            if raw is None or not raw.connected or caller.closed:
                continue
            if caller.reading and caller.ended == "open" and raw.fileno() in armed:
                return True
        return False

    def _wait(self) -> bool:
        both = select.poll()
        both.register(self.poller.fileno(), select.POLLIN)
        for caller in self.callers.values():
            if caller.reading and not caller.closed and caller.ended == "open":
                both.register(caller.socket, select.POLLIN)
        return bool(both.poll(_KERNEL_SECONDS * 1000))

    def tick(self) -> bool:
        """Set the clock to the scenario's next timer; tell whether there was one."""
        self.timers = [timer for timer in self.timers if timer.active()]
        if not self.timers:
            return False
        self.now = max(self.now, min(timer.getTime() for timer in self.timers))
        return True

    # ── the callers' side ───────────────────────────────────────────────────────────

    def connect(self, step: Step, address: Any) -> None:
        family = socket.AF_UNIX if self.scenario.local else socket.AF_INET
        own = socket.socket(family)
        if self.buffer:
            for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                own.setsockopt(socket.SOL_SOCKET, option, self.buffer)
        own.connect(address)
        own.setblocking(False)
        if not self.scenario.local:
            own.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        caller: Caller
        if self.scenario.secure:
            caller = SecureCaller(own, CLIENT_CONTEXTS[self.scenario.old_tls])
        else:
            caller = Caller(own)
        caller.rate = step.rate
        if step.value:
            caller.send(text(100 + step.caller, 0, step.value))
        if step.name == "silent connect":
            caller.outbox.clear()
        self.order.append(step.caller)
        self.callers[step.caller] = caller

    def take(self, step: Step, address: Any) -> None:
        calls = step.name in ("connect", "silent connect")
        if self._calling and not calls:
            # How many are accepted in one turn is no matter of ours.
            self.settle()
        elif step.name in ("server", "tick"):
            # Nor whether what was sent is read before or after what a timer does.
            self.settle()
        self._calling = calls
        if calls:
            if step.caller not in self.callers:
                self.connect(step, address)
        elif step.name == "tick":
            self.tick()
        elif step.name == "server":
            by = self.protocols.get(step.caller)
            if by is not None:
                self.reactor.callLater(0, self.perform, step.ops, by)
        elif step.caller in self.callers:
            caller: Any = self.callers[step.caller]
            caller.rate = step.rate
            if step.name == "send":
                if not caller.closed and not caller.finishing:
                    caller.send(text(100 + step.caller, len(caller.sent), step.value))
            elif step.name == "stall":
                caller.reading = False
            elif step.name == "read":
                if not caller.closed:
                    caller.receive(step.value)
            elif step.name == "go on":
                caller.reading = True
            elif step.name == "notify":
                if not caller.closed and caller.shaken:
                    caller.notify()
            else:  # finish, close, reset
                getattr(caller, step.name)()
        if step.settle or step.name in ("server", "tick"):
            self.settle()
        elif not step.rate:
            for caller in self.callers.values():
                self.progress += caller._push() if not caller.closed else 0

    # ── from beginning to end ───────────────────────────────────────────────────────

    def run(self) -> Outcome:
        log.addObserver(self._log)
        helpers: Any = _producer_helpers
        own = helpers.cooperate
        scheduler = Cooperator(scheduler=lambda call: self.reactor.callLater(0, call))
        helpers.cooperate = scheduler.cooperate
        try:
            with tempfile.TemporaryDirectory(prefix="stage") as folder:
                self._run(folder)
                self.port.stopListening()
                self.settle()
        finally:
            helpers.cooperate = own
            log.removeObserver(self._log)
            self._put_away()
        return self.outcome

    def _run(self, folder: str) -> None:
        port, address = open_port(self, _Made(self), os.path.join(folder, "s"))
        if self.buffer:
            port.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.buffer)
        if not self.scenario.local:
            # Or the kernel would wait for the reader's acknowledgement, which comes late.
            port.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port = port
        for step in self.scenario.steps:
            self.take(step, address)
            if self.spun:
                break
        for caller in self.callers.values():
            caller.reading = True
            caller.rate = 0
        self.settle()
        while not self.spun and self.tick():
            self.settle()
        self._keep()
        self._end()

    def _keep(self) -> None:
        """Keep how it all stands, before the end that everybody is brought to."""
        for number in range(len(self.scenario.connections)):
            end = End()
            caller, made = self.callers.get(number), self.protocols.get(number)
            if caller is not None:
                end.got, end.ended = bytes(caller.got), caller.ended
                end.sent = bytes(caller.sent)
                end.notified = bool(getattr(caller, "notified", False))
                if caller.closed:
                    end.ended = "closed"
            if made is not None:
                end.events, end.received = tuple(made.events), bytes(made.received)
                end.reason = getattr(made, "reason", "")
                end.aborted, end.closing = made.aborted, made.closing
                end.cut, end.half_closings = made.cut, made.half_closings
            self.outcome.ends.append(end)

    def _end(self) -> None:
        """Bring every connection to its end, and look for what is left of it."""
        self.outcome.logged = list(self.outcome.logged)
        for caller in self.callers.values():
            caller.close()
        self.settle()
        for raw in self.raws.values():
            if raw.connected:
                raw.abortConnection()
        self.spun = False
        self.turns = 0
        self.settle()
        while not self.spun and self.tick():
            self.settle()
        self._look_for_leftovers()

    def _look_for_leftovers(self) -> None:
        faults = self.outcome.faults
        for number, made in self.protocols.items():
            faults += [f"connection {number}: {fault}" for fault in dict.fromkeys(made.faults)]
            lost = made.events.count("lost")
            if made.events and lost != 1:
                faults.append(f"connection {number}: connectionLost {lost} times")
        burst = burst_of(self.reactor, pure=self.pure) if self.burst else None
        if burst is not None:
            if burst.active or burst.dirty or burst.current is not None:
                faults.append("a burst is still active")
            if burst.members or burst.reading:
                faults.append("members are left in the burst")
        ours = {self.port, *self.reactor._internalReaders}
        if set(self.reactor.getReaders()) - ours or self.reactor.getWriters():
            faults.append("readers or writers are left in the reactor")
        if self.reactor.getDelayedCalls():
            faults.append("timers are left in the reactor")

    def _log(self, event: dict[str, Any]) -> None:
        if event.get("isError"):
            failure = event.get("failure")
            name = "message" if failure is None else type(failure.value).__name__
            if name not in ("ScriptedError", "MemoryError"):
                words = event.get("why") or event.get("log_text") or event.get("message")
                frames = [] if failure is None else failure.frames
                where = [f"{path}:{line} {call}" for call, path, line, *_ in frames[-3:]]
                self.outcome.logged.append("\n    ".join([f"{name}: {words}", *where]))

    def _put_away(self) -> None:
        for caller in self.callers.values():
            caller.close()
        for raw in self.raws.values():
            with contextlib.suppress(Exception):
                raw.socket.close()
        if self.burst:
            burst_of(self.reactor, pure=self.pure)._close()
        for reader in list(self.reactor._internalReaders):
            self.reactor.removeReader(reader)
            reader.connectionLost(None)
        self.poller.close()


class _Made(Factory):
    noisy = False

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def buildProtocol(self, addr: Any) -> Any:
        return self.stage.build()


def run(scenario: Scenario, **how: Any) -> Outcome:
    """Return what comes of *scenario*."""
    return Stage(scenario, **how).run()


VARIANTS: tuple[dict[str, Any], ...] = (
    {"buffer": 2 * _SMALL_BUFFER},
    {"buffer": 6 * _SMALL_BUFFER},
    {"order": "backwards"},
    {"order": "writes first"},
    {"order": "reads first"},
    {"slow": 3},
    {"late": 1},
    {"slow": 3, "buffer": 6 * _SMALL_BUFFER},
)
"""Ways of running a scenario that only change its timing."""
