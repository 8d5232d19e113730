"""The process around the services: signals, exit status, the clock.

One for each process, however many services run in it.  Knows when to start, drain and
stop them, and nothing of what they do.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any, NoReturn

from twisted.application.service import MultiService
from twisted.internet import defer
from twisted.logger import ILogObserver, Logger
from twisted.python.failure import Failure

from socketsuite.daemon.config.configuration import Configuration
from socketsuite.daemon.config.process_settings import ProcessSettings
from socketsuite.daemon.errors import StartError, cause_text
from socketsuite.daemon.process.notify import Notifier, StatusReporter
from socketsuite.daemon.process.stall import StallWatch
from socketsuite.daemon.serve.reload import process_needs_restart, services_need_restart
from socketsuite.daemon.serve.service import ServiceDaemon
from socketsuite.settings import SettingsError

_log = Logger(namespace="socketsuite")
# What starting and closing everything may take beyond the longest time-out.
_MARGIN = 10.0


def use_monotonic_clock(reactor: Any) -> None:
    """Make *reactor* time its calls by a clock that nobody can set.

    Twisted's timers use the wall clock: a step of an hour would fire or freeze all of
    them.  This one says what the wall clock said at the start, and goes on by itself, since
    others take it for the time of day (the access log of ``twisted.web`` does).  To be called
    before the first ``callLater``.
    """
    began = time.time() - time.monotonic()

    def seconds() -> float:
        return began + monotonic()

    monotonic = time.monotonic
    reactor.seconds = seconds


class DaemonProcess(MultiService):
    """Starts its services all or none, drains them on SIGTERM and SIGINT, then exits 0.

    A second signal stops the draining.  A start that fails leaves nothing behind.

    :param refuse: ends the process when it cannot start, and says why in one line.
    :param hold_startup: keeps whoever started the process waiting, until what it returns is
        called; for services that take their time to start.
    :param settings: the process's own.
    :param reread: returns the configurations and the process's settings anew, on reload.
    :param log: the log observer to use; ``None`` leaves that to twistd's own options.
    """

    def __init__(
        self,
        name: str,
        reactor: Any,
        *,
        refuse: Callable[[str], NoReturn],
        hold_startup: Callable[[], Callable[[], None]],
        settings: ProcessSettings,
        reread: Callable[[], tuple[list[Configuration], ProcessSettings]],
        log: Any = None,
        notifier: Notifier,
        watchdog: float | None = None,
    ) -> None:
        super().__init__()
        self._own_log = log
        self.command = name
        self.reactor = reactor
        self._refuse = refuse
        self._hold_startup = hold_startup
        self._let_go: Callable[[], None] = lambda: None
        self._settings = settings
        self._reread = reread
        self.starting = True
        self.draining = False
        self._privileged_start_was_called = False
        self._notifier = notifier
        self._reporter = StatusReporter(reactor, notifier, self._status, watchdog=watchdog)
        # Twisted's log takes lines from any thread, and this one must not wait for the reactor.
        self._stalls = StallWatch(reactor, lambda line: _log.warn("{line}", line=line))

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
        self._privileged_start_was_called = True
        if self._own_log is not None:
            self._own_log.start()
        signal.signal(signal.SIGTERM, self._leave_early)
        try:
            super().privilegedStartService()
        except StartError as error:
            self._give_up(error)

    def startService(self) -> None:
        """Start every service, then listen for signals."""
        if not self._privileged_start_was_called:  # ``twist`` knows of no privilege
            self.privilegedStartService()
        try:
            super().startService()
        except StartError as error:
            self._give_up(error)
        if not all(one.started.called for one in self.daemons):
            self._let_go = self._hold_startup()
        self.reactor.callWhenRunning(self._begin)

    def _give_up(self, error: Exception) -> NoReturn:
        for one in self.services:
            one.close()
        self._refuse(str(error))

    def _begin(self) -> None:
        """Take signals over from the reactor, which would end the process by them."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._signalled)
        self._stalls.start()
        self.reactor.addSystemEventTrigger("before", "shutdown", self._fall_silent)
        limits = [one.configuration.limits.start_timeout for one in self.daemons]
        if not all(one.started.called for one in self.daemons):
            self._notifier.extend_timeout(max(limits) + _MARGIN)
        started: Any = defer.gatherResults(
            [one.started for one in self.daemons], consumeErrors=True
        )
        started.addCallbacks(self._ready, self._start_failed)

    def _ready(self, _: Any) -> None:
        self._let_go()
        self.starting = False
        if not self.draining:
            _log.info("ready, pid {pid}", pid=os.getpid())
            self._notifier.ready(self._status())
            self._reporter.start()

    def _start_failed(self, failure: Failure) -> None:
        """One service could not start after all: stop the others, and end with status 1."""
        if self.draining:
            return
        self.draining = True
        stopped: Any = defer.DeferredList([one.drain() for one in self.daemons])
        for one in self.daemons:
            one.force_stop()
        error: Any = failure.value
        stopped.addCallback(lambda _: self._leave(error.subFailure.value))

    def _leave(self, error: Exception) -> None:
        if self._own_log is not None:
            self._own_log.close()
        try:
            self._give_up(error)
        except SystemExit as leaving:
            os._exit(int(leaving.code or 0))  # the reactor would keep the exception to itself

    def _fall_silent(self) -> None:
        self._reporter.stop()
        self._stalls.stop()

    def _status(self) -> str:
        doing = "draining" if self.draining else "serving"
        counts = ", ".join(
            f"{one.configuration.name} {len(one.connections)}" for one in self.daemons
        )
        return f"{doing}; connections: {counts}"

    def _signalled(self, number: int, _frame: Any) -> None:
        self.reactor.callFromThread(self._obey, number)

    def _obey(self, number: int) -> None:
        name = signal.Signals(number).name
        if number == signal.SIGHUP:
            self.reload()
        elif self.draining:
            _log.info("{name} again: stopping now", name=name)
            for one in self.daemons:
                one.force_stop()
        else:
            _log.info("{name}: draining; once more to stop now", name=name)
            self.drain()

    def reload(self) -> None:
        """Take new settings over, if they are right; else keep the old ones, and say why."""
        if self.starting:
            _log.warn("not reloaded: the services are starting")
            return
        self._notifier.reloading()
        try:
            self._reload()
        finally:
            self._notifier.ready(self._status())

    def _reload(self) -> None:
        try:
            configurations, settings = self._reread()
            by_name = {one.name: one for one in configurations}
            running = [one for one in self.daemons if one.configuration.name in by_name]
            ready = [one.prepare(by_name[one.configuration.name]) for one in running]
        except (SettingsError, StartError) as error:
            _log.error("reload refused, the old settings stay: {error}", error=error)
            return
        names = [one.configuration.name for one in self.daemons]
        late = process_needs_restart(self._settings, settings)
        late += services_need_restart(names, by_name)
        if late:
            _log.warn("needs a restart to take effect: {late}", late=", ".join(late))
        for apply in ready:
            apply()
        trouble = None if self._own_log is None else self._own_log.reopen()
        if trouble is not None:
            text = "cannot open the log {path} anew, the old file is still written: {why}"
            _log.error(text, path=trouble.filename, why=cause_text(trouble))
        _log.info("reloaded")

    def drain(self) -> None:
        """Drain every service, then stop the reactor."""
        self.draining = True
        self._notifier.stopping(self._status())
        limits = [one.configuration.limits for one in self.daemons]
        seconds = max((one.drain_timeout + one.stop_timeout for one in limits), default=0.0)
        self._notifier.extend_timeout(seconds + _MARGIN)
        drained = defer.DeferredList([one.drain() for one in self.daemons])
        drained.addCallback(lambda _: self.reactor.stop())

    def _leave_early(self, _number: int, _frame: Any) -> None:
        """SIGTERM before the reactor runs: nobody has been served yet, so just go."""
        if self._own_log is not None:
            self._own_log.close()
        os._exit(0)
