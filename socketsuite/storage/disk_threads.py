"""Threads that wait for the disk, so that nobody else does.

One more is started only while all others are at work, up to a bound; one that finds nothing to do
for a while ends.  None of them keeps the process from ending.  This module must not know what the
work is.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

Work = Callable[[], None]
_IDLE_SECONDS = 10.0


class DiskThreads:
    """A bounded pool of daemon threads.

    :param most: threads at a time; work that finds none waits for one.
    """

    def __init__(self, most: int, name: str = "disk") -> None:
        self._most = most
        self._name = name
        self._waiting: deque[Work] = deque()
        self._changed = threading.Condition()
        self._threads = self._idle = 0

    def call(self, work: Work) -> None:
        """Have *work* done in one of the threads; it raises nothing."""
        with self._changed:
            self._waiting.append(work)
            if self._idle >= len(self._waiting):
                self._changed.notify()
            elif self._threads < self._most:
                self._threads += 1
                threading.Thread(target=self._run, name=self._name, daemon=True).start()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._idle += 1
                there = self._changed.wait_for(lambda: bool(self._waiting), _IDLE_SECONDS)
                self._idle -= 1
                if not there:
                    self._threads -= 1
                    return
                work = self._waiting.popleft()
            work()
