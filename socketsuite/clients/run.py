"""The one place that touches the global reactor: runs one coroutine under it, then ends.

This module must not know what the coroutine does.
"""

from __future__ import annotations

import functools
import os
import signal
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

Work = Callable[[Any], Coroutine["Deferred[Any]", Any, int]]


def run(work: Work) -> int:
    """Run ``work(reactor)`` to its end; return its result, an exit status.

    On SIGINT and SIGTERM the work is cancelled, so that it can put the terminal right,
    and the status is 128 and the signal's number; a second signal ends the process at
    once.  What the work raises is raised here.
    """
    from twisted.internet import reactor

    return _Run(reactor, work).status()


class _Run:
    def __init__(self, reactor: Any, work: Work) -> None:
        self._reactor = reactor
        self._work = work
        self._signal: int | None = None
        self._result: Any = None

    def status(self) -> int:
        # The wall clock may be set while we wait; Twisted's timers would follow it.
        self._reactor.seconds = time.monotonic
        # Names are looked up in threads; daemonic ones do not hold up an exit while some
        # name server takes its time.
        threads = self._reactor.getThreadPool()
        threads.threadFactory = functools.partial(threading.Thread, daemon=True)
        self._reactor.callWhenRunning(self._begin)
        self._reactor.run()
        if self._signal is not None:
            return 128 + self._signal
        if isinstance(self._result, Failure):
            self._result.raiseException()
        if self._result is None:
            raise KeyboardInterrupt  # before the signals were ours
        return int(self._result)

    def _begin(self) -> None:
        self._running = Deferred.fromCoroutine(self._work(self._reactor))
        # Only now: when it starts, the reactor takes the signals for itself.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._signalled)
        self._running.addBoth(self._finish)

    def _signalled(self, number: int, _frame: Any) -> None:
        if self._signal is not None:
            os._exit(128 + number)
        self._signal = number
        self._reactor.callFromThread(self._running.cancel)

    def _finish(self, result: Any) -> None:
        self._result = result
        # Not stop(), which would wait for those threads; there is nothing to shut down.
        self._reactor.crash()
