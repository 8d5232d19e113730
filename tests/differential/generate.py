"""A scenario from a number: the same number, the same scenario."""

from __future__ import annotations

from random import Random

from tests.differential.not_compared import why_not_compared
from tests.differential.scenario import KINDS, Connection, Handler, Op, Scenario, Step

_SIZES = (0, 1, 7, 480, 3000, (1 << 16) + 1, 300 << 10)
_SIZE_WEIGHTS = (1, 3, 4, 3, 3, 3, 2)
_SENDS = (1, 5, 479, 480, 2000, 20_000, 70_000)
_MILLISECONDS = (0, 1, 2, 5)
_DEEPEST = 3

_OPS = {
    "write": 10,
    "write sequence": 2,
    "lose": 4,
    "lose write": 2,
    "abort": 1,
    "pause": 2,
    "resume": 2,
    "stop": 1,
    "push": 4,
    "pull": 3,
    "pull made push": 2,
    "file": 1,
    "produce itself": 1,
    "relay": 1,
    "unregister": 1,
    "raise": 1,
    "timer": 5,
    "fail send": 1,
}
_STEPS = {
    "send": 8,
    "stall": 2,
    "read": 2,
    "go on": 2,
    "finish": 2,
    "close": 1,
    "reset": 1,
    "notify": 1,
    "server": 4,
    "tick": 3,
}
_PRODUCER_SCRIPTS = ("when paused", "when resumed", "when stopped", "when done")


def scenario(seed: int) -> Scenario:
    """Return the scenario of *seed*."""
    maker = _Maker(seed)
    made = maker.make()
    # What cannot be compared with stock is kept for some of them only.
    while not maker.strange and why_not_compared(made):
        made = maker.make()
    return made


class _Maker:
    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.kind = self.random.choices(KINDS, (4, 2, 3, 1, 1))[0]
        self.count = self.random.choices((1, 2, 3, 4), (4, 4, 2, 1))[0]
        self.tight = self.random.random() < 0.6
        self.strange = self.random.random() < 0.15

    def make(self) -> Scenario:
        random = self.random
        connections = tuple(self._connection(number) for number in range(self.count))
        return Scenario(
            kind=self.kind,
            connections=connections,
            steps=self._steps(),
            tight=self.tight,
            old_tls=random.random() < 0.3,
        )

    @property
    def _all(self) -> bool:
        """Whether there may be what Twisted's TLS does in another way than its TCP."""
        return self.kind != "tls" or self.strange

    def _connection(self, number: int) -> Connection:
        random = self.random
        half_closeable = random.random() < (0.5 if self._all else 0)
        events = ["made", "data", "data", "lost"]
        events += ["read lost", "write lost"] * half_closeable
        handlers = tuple(
            self._handler(random.choice(events), number)
            for _ in range(random.choices((0, 1, 2, 3, 4), (1, 3, 4, 3, 1))[0])
        )
        forward = random.randrange(self.count) if random.random() < 0.1 else None
        if not self._all:
            forward = None
        return Connection(
            handlers,
            half_closeable=half_closeable,
            echo=random.random() < 0.15,
            forward=None if forward == number else forward,
            late=self.kind == "tls" and self.strange and random.random() < 0.3,
        )

    def _handler(self, event: str, number: int) -> Handler:
        at = self.random.choice((1, 2, 5, 400, 480, 1500)) if event == "data" else 0
        ops = self._ops(number, 1)
        return Handler(event, ops, at)

    def _ops(self, number: int, depth: int) -> tuple[Op, ...]:
        count = self.random.choices((1, 2, 3), (4, 3, 1))[0]
        return tuple(self._op(number, depth) for _ in range(count))

    def _op(self, number: int, depth: int) -> Op:
        random = self.random
        weights = dict(_OPS)
        if not self.strange:
            weights["fail send"] = 0
        if not self._all:
            for name in ("lose write", "pause", "resume", "stop", "relay"):
                weights[name] = 0
        if depth >= _DEEPEST:
            weights["timer"] = 0
        name = random.choices(list(weights), list(weights.values()))[0]
        on = number if random.random() < 0.7 else random.randrange(self.count)
        if name in ("write", "write sequence", "file"):
            return Op(name, on, self._size())
        if name == "timer":
            delay = random.choice(_MILLISECONDS)
            return Op(name, on, delay, self._ops(number, depth + 1))
        if name in ("push", "pull", "pull made push"):
            return self._producer(name, on, depth)
        if name == "relay":
            return Op(name, on, random.randrange(self.count))
        return Op(name, on)

    def _producer(self, name: str, on: int, depth: int) -> Op:
        random = self.random
        total = random.choice((1, 10_000, 70_000, 200_000, 400_000))
        piece = random.choice((1000, 20_000, 66_000, 140_000))
        scripts = []
        for when in _PRODUCER_SCRIPTS:
            if depth < _DEEPEST and random.random() < 0.25:
                ops = self._ops(on, depth + 1)
                scripts.append(Op(when, on, ops=ops))
        if not scripts and random.random() < 0.5:
            scripts.append(Op("when done", on, ops=(Op("lose", on),)))
        if self.tight and random.random() < 0.5:
            # Far more than the kernel takes, so that both transports press it.
            total, piece = random.choice((300_000, 400_000)), random.choice((200_000, 400_000))
        piece = max(piece, total // 40)
        return Op(name, on, (total, piece, random.random() < 0.4), tuple(scripts))

    def _size(self) -> int:
        return self.random.choices(_SIZES, _SIZE_WEIGHTS)[0]

    # ── what the callers do ─────────────────────────────────────────────────────────

    def _steps(self) -> tuple[Step, ...]:
        random = self.random
        steps = []
        for number in range(self.count):
            with_it = random.choice((None, None, 1, 2000)) if self.kind == "tls" else None
            rate = random.choice((0, 0, 1, 37, 400)) if self.kind == "tls" else 0
            connect = Step("connect", number, with_it, rate, settle=random.random() < 0.8)
            steps.append(connect)
        weights = dict(_STEPS)
        if self.kind != "tls":
            weights["notify"] = 0
        for _ in range(random.randrange(2, 11)):
            name = random.choices(list(weights), list(weights.values()))[0]
            steps.append(self._step(name, random.randrange(self.count)))
        if random.random() < 0.2:
            # The last comes later, when the others have done something already.
            last = steps.pop(self.count - 1)
            steps.insert(random.randrange(self.count - 1, len(steps) + 1), last)
        return tuple(steps)

    def _step(self, name: str, caller: int) -> Step:
        random = self.random
        settle = random.random() < 0.8
        if name == "server":
            return Step(name, caller, settle=settle, ops=self._ops(caller, 1))
        if name == "send":
            size = random.choice(_SENDS)
            rate = random.choice((0, 0, 0, 1)) if size < 1000 else 0
            return Step(name, caller, size, rate, settle)
        if name == "read":
            return Step(name, caller, random.choice((1, 1000, 70_000)), settle=settle)
        return Step(name, caller, settle=settle or name in ("stall", "tick"))
