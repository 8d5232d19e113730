"""Names the callback that keeps the reactor from everything else.

A protocol that computes, sleeps or waits for a disk holds up every connection of the process,
and nothing in the log would say whose fault it is.  A thread sees that the reactor no longer
ticks, and looks at what the reactor's thread is doing.  Must not know what the services are:
it goes by the names of modules.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from twisted.internet.interfaces import IDelayedCall, IReactorTime

TICK_SECONDS = 0.25
THRESHOLD_SECONDS = 1.0
# What calls callbacks, and is not one.
_MACHINERY = (
    "twisted",
    "OpenSSL",
    "socketsuite.transport",
    "socketsuite.policies",
    "socketsuite.observe",
    "socketsuite.daemon",
)
_JOIN_SECONDS = 1.0


@dataclass
class _Stall:
    """The tick that it began with, and what was told of it."""

    since: float
    culprit: str


class StallWatch:
    """Tells of a reactor that has not ticked for over *threshold* seconds, and whose fault it is.

    Once when it is noticed, and once when it is over.  A process that was stopped as a whole
    (SIGSTOP, a sleeping machine, no CPU to be had) is no stall: then this thread was held up
    too, which it sees by its own clock.  Where it was, but the process was busy all the same,
    the callback held the interpreter's lock, and that is one.

    To be started after the last fork: a thread does not survive it.

    :param tell: called with one line, in another thread; must be made for that.
    :param clock: monotonic.
    :param cpu: the CPU seconds that this process has used.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        tell: Callable[[str], None],
        *,
        threshold: float = THRESHOLD_SECONDS,
        every: float = TICK_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        cpu: Callable[[], float] = time.process_time,
    ) -> None:
        self._reactor = reactor
        self._tell = tell
        self._threshold = threshold
        self._every = every
        self._clock = clock
        self._cpu = cpu
        self._watched = 0
        self._call: IDelayedCall | None = None
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        # One attribute, set in one go: the reactor writes it and the thread reads it.
        self._ticked_at = 0.0
        # Only the thread uses these.
        self._looked_at = 0.0
        self._cpu_then = 0.0
        self._tick_seen = 0.0
        self._held_up = 0.0
        self._stall: _Stall | None = None

    def start(self) -> None:
        """Watch the thread that calls this, which is the reactor's."""
        self.begin()
        self._stopped.clear()
        self._thread = threading.Thread(target=self._run, name="stall watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        if self._call is not None:
            self._call.cancel()
            self._call = None
        self._stopped.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(_JOIN_SECONDS)

    def begin(self) -> None:
        """Begin to tick, without a thread: whoever calls this calls :meth:`look` himself."""
        self._watched = threading.get_ident()
        self._tick()
        self._tick_seen = self._ticked_at
        self._looked_at = self._clock()
        self._cpu_then = self._cpu()

    def look(self) -> None:
        """See whether the reactor still ticks; to be called each *every* seconds."""
        now, cpu, tick = self._clock(), self._cpu(), self._ticked_at
        passed, used = now - self._looked_at, cpu - self._cpu_then
        self._looked_at, self._cpu_then = now, cpu
        # Late ourselves, and nobody worked: the process as a whole was held up.
        late = max(0.0, passed - 2 * self._every) if used < passed / 2 else 0.0
        if tick != self._tick_seen:
            since_tick = min(late, now - tick)
            self._over(tick, late - since_tick)
            self._tick_seen, self._held_up = tick, since_tick
        else:
            self._held_up += late
        silent = now - tick - self._held_up
        if self._stall is None and silent > self._threshold:
            self._stall = _Stall(tick, culprit_of(sys._current_frames().get(self._watched)))
            self._tell(
                f"a callback has blocked the reactor for {silent:.1f} s: {self._stall.culprit}"
            )

    def _over(self, tick: float, late: float) -> None:
        stall, self._stall = self._stall, None
        if stall is not None:
            total = tick - stall.since - self._held_up - late
            self._tell(f"the reactor was blocked for {total:.1f} s in all: {stall.culprit}")

    def _tick(self) -> None:
        self._ticked_at = self._clock()
        self._call = self._reactor.callLater(self._every, self._tick)

    def _run(self) -> None:
        while not self._stopped.wait(self._every):
            self.look()


def culprit_of(innermost: FrameType | None) -> str:
    """Return whose callback a stack is in, and, where that is elsewhere, what it is waiting in.

    The callback is what the machinery of Twisted and the daemon called last; where it is
    itself in the machinery, the nearest caller that is not.
    """
    if innermost is None:
        return "a thread that is gone"
    frames = list(_inside_the_loop(innermost))
    callback = _callback_in(frames)
    if callback is None:
        return f"no service's callback: {_described(innermost)}"
    if callback is innermost:
        return _described(callback)
    return f"{_described(callback)}, in {_described(innermost)}"


def _callback_in(frames: list[FrameType]) -> FrameType | None:
    """Return the callback among *frames*, which begin with the innermost."""
    inner: FrameType | None = None
    for frame in frames:
        if _is_machinery(frame):
            if inner is not None:
                break
        else:
            inner = frame
    return inner


def _inside_the_loop(innermost: FrameType) -> Iterator[FrameType]:
    """Yield the frames from *innermost* outwards, up to the reactor's main loop."""
    frame: FrameType | None = innermost
    while frame is not None:
        module = _module_of(frame)
        yield frame
        if frame.f_code.co_name in ("mainLoop", "run") and module.startswith("twisted.internet."):
            return
        frame = frame.f_back


def _is_machinery(frame: FrameType) -> bool:
    module = _module_of(frame)
    return any(module == name or module.startswith(f"{name}.") for name in _MACHINERY)


def _module_of(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "?"))


def _described(frame: FrameType) -> str:
    code = frame.f_code
    file = Path(code.co_filename).name
    return f"{_module_of(frame)}.{code.co_qualname} ({file}:{frame.f_lineno})"
