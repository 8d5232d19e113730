"""Isolation: one slow reader costs the others no time, and the process no memory.

Must not know what is said.
"""

from __future__ import annotations

import contextlib
import select
import statistics

from socketsuite.testing.checks.base import QUEUES, Check
from socketsuite.testing.daemon import Daemon
from socketsuite.testing.readings import Stopwatch
from socketsuite.testing.replies import NonConformance

_SIZE = 8 << 20
_EXCHANGES = 40
_TIMES, _SECONDS = 4.0, 0.05
_SIP = 512


class SlowReader(Check):
    """Beside one who takes 512 bytes at a time of 8 MiB, the others are answered as before.

    The median of 40 exchanges, each on a connection of its own, is at most four times that of
    40 before, and 50 ms; time for which the machine had no CPU to give is not counted.  The
    process grows by no more than ``memory`` and twice the reply.
    """

    name = "slow-reader"
    arguments = QUEUES

    @property
    def lacks(self) -> str:
        """Something to read slowly."""
        return "" if self.kit.big else "no big="

    def examine(self, daemon: Daemon) -> None:
        """Measure before and beside."""
        assert self.kit.big is not None
        request, reply = self.kit.big(_SIZE)
        self._latency(daemon)
        before, memory = self._latency(daemon), daemon.memory()
        with self.kit.converse(daemon, lambda: daemon.connect(narrow=True)) as slow:
            rest = memoryview(request)

            def sip() -> None:
                nonlocal rest
                with contextlib.suppress(OSError):
                    if rest and select.select([], [slow.socket], [], 0)[1]:
                        rest = rest[slow.socket.send(rest[: 1 << 18]) :]
                    if select.select([slow.ear], [], [], 0)[0]:
                        slow.ear.recv(_SIP)

            try:
                beside = self._latency(daemon, sip)
            except NonConformance as error:
                raise NonConformance(f"another connection, beside a slow reader: {error}") from None
            grown = daemon.memory("VmHWM") - memory
            slow.reset()
        if beside > before * _TIMES + _SECONDS:
            text = f"beside a slow reader the others wait {beside:.3f} s instead of {before:.3f} s"
            raise NonConformance(text)
        most = self.kit.memory + 2 * len(reply)
        if grown > most:
            raise NonConformance(f"a slow reader costs {grown} bytes of memory, more than {most}")

    def _latency(self, daemon: Daemon, meanwhile: object = None) -> float:
        """Return the median of the seconds that an exchange takes."""
        took = []
        for _ in range(_EXCHANGES):
            if callable(meanwhile):
                meanwhile()
            watch = Stopwatch([daemon.process.pid])
            self.kit.prove_alive(daemon)
            took.append(watch.seconds())
        return statistics.median(took)
