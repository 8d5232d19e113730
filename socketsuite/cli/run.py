"""The one place that touches the global reactor: runs one coroutine under it, then ends.

This module must not know what the coroutine does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from socketsuite.cli.output import Output
from socketsuite.cli.stopping import Stopped, catch
from socketsuite.loading import without_collections

Work = Callable[[Any], Coroutine["Deferred[Any]", Any, None]]


def run(work: Work, output: Output, *, on_asyncio: bool = False) -> None:
    """Run ``work(reactor)`` to its end; what it raises is raised here.

    On SIGINT and SIGTERM, and when *output* cannot be written, the work is cancelled, so
    that it can put the terminal right.

    :param on_asyncio: whether the reactor is to run an asyncio loop, which *work* then may use.
    :raises Stopped: after a signal.
    :raises OutputBroken: after a failed write.
    """
    if on_asyncio:
        import asyncio

        from twisted.internet import asyncioreactor

        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        asyncioreactor.install(loop)
    with without_collections():
        from twisted.internet import reactor

    _Run(reactor, work, output).to_its_end()


class _Run:
    def __init__(self, reactor: Any, work: Work, output: Output) -> None:
        self._reactor = reactor
        self._work = work
        self._output = output
        self._running: Deferred[None] | None = None
        self._signal: int | None = None
        self._result: Any = None

    def to_its_end(self) -> None:
        # The wall clock may be set while we wait; Twisted's timers would follow it.
        self._reactor.seconds = time.monotonic
        catch(self._signalled)
        self._output.on_broken = lambda: self._reactor.callLater(0, self._cancel)
        self._reactor.callWhenRunning(self._begin)
        self._reactor.run(installSignalHandlers=False)
        self._output.on_broken = None
        if self._signal is not None:
            raise Stopped(self._signal)
        catch()
        if self._output.broken is not None:
            raise self._output.broken
        if isinstance(self._result, Failure):
            self._result.raiseException()

    def _begin(self) -> None:
        if self._signal is not None:
            self._reactor.stop()
            return
        self._running = Deferred.fromCoroutine(self._work(self._reactor))
        self._running.addBoth(self._finish)

    def _signalled(self, number: int) -> None:
        self._signal = number
        self._reactor.callFromThread(self._cancel)

    def _cancel(self) -> None:
        if self._running is not None:
            self._running.cancel()

    def _finish(self, result: Any) -> None:
        self._result = result
        self._reactor.stop()
