"""The process around the services: signals, exit status, the clock.

One for each process, however many services run in it.  Knows when to start, drain and
stop them, and nothing of what they do.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Any

from twisted.application.service import MultiService
from twisted.internet import defer
from twisted.logger import ILogObserver, Logger

from socketsuite.daemon.errors import StartError
from socketsuite.daemon.serve import ServiceDaemon

_log = Logger(namespace="socketsuite")


def use_monotonic_clock(reactor: Any) -> None:
    """Make *reactor* time its calls by a clock that nobody can set.

    Twisted's timers use the wall clock: a step of an hour would fire or freeze all of
    them.  To be called before the first ``callLater``.
    """
    reactor.seconds = time.monotonic


class DaemonProcess(MultiService):
    """Starts its services all or none, drains them on SIGTERM and SIGINT, then exits 0.

    A second signal stops the draining.  A start that fails is one line on standard error
    and exit status 1.

    :param no_daemon: whether standard error is still somebody's to read.
    :param log: the log observer to use; ``None`` leaves that to twistd's own options.
    """

    def __init__(
        self,
        name: str,
        reactor: Any,
        *,
        no_daemon: bool,
        log: ILogObserver | None = None,
    ) -> None:
        super().__init__()
        self._own_log = log
        self.command = name
        self.reactor = reactor
        self._no_daemon = no_daemon
        self._stopping = False

    @property
    def daemons(self) -> list[ServiceDaemon]:
        """The services of this process."""
        return [one for one in self.services if isinstance(one, ServiceDaemon)]

    def setServiceParent(self, parent: Any) -> None:
        """Belong to twistd's application, and bring our own log, if there is one."""
        if self._own_log is not None:
            parent.setComponent(ILogObserver, self._own_log)
        super().setServiceParent(parent)

    def privilegedStartService(self) -> None:
        """Bind every service's sockets, with whatever privilege the process began."""
        signal.signal(signal.SIGTERM, _leave_early)
        try:
            super().privilegedStartService()
        except StartError as error:
            self._give_up(error)

    def startService(self) -> None:
        """Start every service, then listen for signals."""
        try:
            super().startService()
        except StartError as error:
            self._give_up(error)
        self.reactor.callWhenRunning(self._begin)

    def _give_up(self, error: StartError) -> None:
        for one in self.daemons:
            one.close()
        if not self._no_daemon:
            # twistd tells the waiting parent, which prints this and exits 1.
            _log.error("{error}", error=error)
            raise error
        # Not sys.stderr, which twistd has given to its log by now.
        os.write(2, f"{self.command}: {error}\n".encode())
        sys.exit(1)

    def _begin(self) -> None:
        """Take signals over from the reactor, which would end the process by them."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._signalled)
        _log.info("ready, pid {pid}", pid=os.getpid())

    def _signalled(self, number: int, _frame: Any) -> None:
        self.reactor.callFromThread(self._obey, number)

    def _obey(self, number: int) -> None:
        name = signal.Signals(number).name
        if number == signal.SIGHUP:
            _log.info("{name}: nothing to reload", name=name)
        elif self._stopping:
            _log.info("{name} again: stopping now", name=name)
            for one in self.daemons:
                one.hurry()
        else:
            _log.info("{name}: draining; once more to stop now", name=name)
            self.drain()

    def drain(self) -> None:
        """Drain every service, then stop the reactor."""
        self._stopping = True
        drained = defer.DeferredList([one.drain() for one in self.daemons])
        drained.addCallback(lambda _: self.reactor.stop())


def _leave_early(_number: int, _frame: Any) -> None:
    """SIGTERM before the reactor runs: nobody has been served yet, so just go."""
    os._exit(0)
