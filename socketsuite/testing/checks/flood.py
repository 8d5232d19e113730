"""Resource exhaustion: one who sends without end and never reads costs a bounded amount.

Must not know what is said.
"""

from __future__ import annotations

import select
import socket

from socketsuite.testing.checks.base import Check
from socketsuite.testing.daemon import Daemon
from socketsuite.testing.readings import Stopwatch
from socketsuite.testing.replies import NonConformance

_QUEUE = 1 << 20
_MOST = 48 << 20
_CHUNK = 1 << 18
_SECONDS = 0.8
_STUCK_SECONDS = 0.3
_BETWEEN = 8 << 20


class Flood(Check):
    """A peer floods the service, and never reads: the others are served, and memory is bounded.

    First with the requests of ``talk``, then with bytes that never end a request, up to 48 MiB
    or 0.8 s each, or until the service closes the connection or reads no more.  The process
    grows by no more than ``memory`` and the daemon's ``--send-queue``, here 1 MiB.
    """

    name = "flood"
    arguments = ("--send-queue", "1M")

    def examine(self, daemon: Daemon) -> None:
        """Flood it, and look at the others meanwhile."""
        self.kit.prove_alive(daemon)
        before = daemon.memory()
        unit = self.kit.flooding()
        for block in (unit * (1 + _CHUNK // len(unit)), b"x" * _CHUNK):
            with self.kit.connect_narrow(daemon) as flooder:
                self._flood(daemon, flooder, block)
        grown = daemon.memory("VmHWM") - before
        most = self.kit.memory + _QUEUE
        if grown > most:
            raise NonConformance(f"a flood costs {grown} bytes of memory, more than {most}")

    def _flood(self, daemon: Daemon, flooder: socket.socket, block: bytes) -> None:
        watch, sent, proven, rest = Stopwatch([daemon.process.pid]), 0, 0, memoryview(block)
        flooder.setblocking(False)
        while sent < _MOST and watch.seconds() < _SECONDS:
            if not select.select([], [flooder], [], _STUCK_SECONDS)[1]:
                break
            try:
                count = flooder.send(rest)
            except ConnectionError:
                break  # dropped, which is the service's right
            sent += count
            rest = rest[count:] or memoryview(block)
            if sent - proven >= _BETWEEN:
                self._prove_others(daemon, sent)
                proven = sent
        self._prove_others(daemon, sent)

    def _prove_others(self, daemon: Daemon, sent: int) -> None:
        try:
            self.kit.prove_alive(daemon)
        except NonConformance as error:
            text = f"another connection, during a flood of {sent} bytes: {error}"
            raise NonConformance(text) from None
