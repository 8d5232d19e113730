"""The one place that puts a process together: reactor, clock, log, services.

The only module of the daemon that imports the reactor; everybody else is handed it.
"""

from __future__ import annotations

import atexit
import os
import sys
from typing import Any, NoReturn

from twisted.application.service import IService
from twisted.internet import tcp

from socketsuite.daemon.config.configuration import Configuration
from socketsuite.daemon.config.process_settings import ProcessSettings
from socketsuite.daemon.config.twistd import TwistdOptions
from socketsuite.daemon.errors import StartError, cause_text
from socketsuite.daemon.listen.inherited import (
    InheritedSocket,
    assign,
    inherited_sockets,
    start_environment,
)
from socketsuite.daemon.process.notify import Notifier, watchdog_interval
from socketsuite.daemon.process.process import DaemonProcess, use_monotonic_clock
from socketsuite.daemon.serve.check import check_process
from socketsuite.daemon.serve.service import ServiceDaemon
from socketsuite.observe.destination import Destination
from socketsuite.policies.slow_consumers import TotalQueue


def make_service(options: TwistdOptions) -> IService:
    """Return the service that twistd starts: every configured daemon in one process."""
    from twisted.internet import reactor

    if options.check_only:
        _check(options, reactor)
    use_monotonic_clock(reactor)
    atexit.register(_close_reserved_descriptor)

    def reread() -> tuple[list[Configuration], ProcessSettings]:
        options.reread()
        return options.configurations, options.process

    log = _log(options)
    process = DaemonProcess(
        options.name,
        reactor,
        refuse=options.fail_startup,
        hold_startup=options.hold_startup,
        settings=options.process,
        reread=reread,
        log=log,
        notifier=Notifier.from_environment(os.environ),
        watchdog=watchdog_interval(os.environ, os.getpid()),
    )
    try:
        shares = _inherited(options.configurations)
        total = TotalQueue(options.process.total_send_queue)
        for configuration in options.configurations:
            inherited = shares.get(configuration.name, ())
            ServiceDaemon(configuration, reactor, inherited, total).setServiceParent(process)
    except StartError as error:
        options.fail_startup(str(error))
    _add_admin(process, options, reactor, log)
    return process


def _close_reserved_descriptor() -> None:
    """Close what Twisted keeps for when there are no more descriptors; at exit Python complains."""
    kept: Any = getattr(tcp, "_reservedFD", None)
    descriptor = getattr(kept, "_fileDescriptor", None)
    if descriptor is not None:
        descriptor.close()


def _log(options: TwistdOptions) -> Destination | None:
    """Return our own log, unless it is to be as one of twistd's options says."""
    where = options.log_to()
    if where is None:
        return None
    try:
        log = Destination(where, options.process.log_format or "text", os.environ)
    except OSError as error:
        options.fail_startup(f"cannot write the log to {where}: {cause_text(error)}")
    atexit.register(log.close)
    options.hand_to_twist(log)
    return log


def _add_admin(
    process: DaemonProcess, options: TwistdOptions, reactor: Any, log: Destination | None
) -> None:
    """Add the admin socket and the metrics page, if they are asked for."""
    admin, port = options.process.admin, options.process.metrics_port
    if admin is None and port is None:
        return
    # Only now: twisted.web and the metrics cost a daemon without them nothing.
    from socketsuite.daemon.admin.http_page import MetricsPage
    from socketsuite.daemon.admin.own import OwnHooks
    from socketsuite.daemon.admin.report import Report
    from socketsuite.daemon.admin.socket import AdminSocket
    from socketsuite.observe.counters import ServiceMetrics
    from socketsuite.observe.lag import LoopDelay
    from socketsuite.observe.metrics import Metrics

    delay = LoopDelay(reactor)
    reactor.callWhenRunning(delay.start)
    services = [ServiceMetrics(one, OwnHooks(one)) for one in process.daemons]
    report = Report(process, services, delay, reactor)
    if admin is not None:
        AdminSocket(admin, report, reactor).setServiceParent(process)
    if port is not None:
        # Of a log that is not ours nothing is known to be lost.
        dropped = (lambda: log.dropped) if log is not None else int
        metrics = Metrics(services, delay, dropped, options.process.total_send_queue)
        made = MetricsPage(port, reactor, page=metrics.page, health=report.health)
        made.setServiceParent(process)


def _inherited(configurations: list[Configuration]) -> dict[str, list[InheritedSocket]]:
    """Return what each service was started with; nothing where Twisted's endpoints take it."""
    frontends = [frontend for one in configurations for frontend in one.frontends]
    endpoints = [text for one in frontends for text in one.listen.listen]
    if any(text.startswith("systemd:") for text in endpoints):
        return {}
    taken = inherited_sockets(start_environment(os.environ), os.getpid())
    names = {one.name: [frontend.name for frontend in one.frontends] for one in configurations}
    return assign(taken, names)


def _check(options: TwistdOptions, reactor: Any) -> NoReturn:
    """Look at what the settings name without serving anybody, say so, and exit."""
    try:
        check_process(options.process)
    except StartError as error:
        options.fail_startup(str(error))
    single_service = len(options.configurations) == 1
    for configuration in options.configurations:
        try:
            ServiceDaemon(configuration, reactor).check()
        except StartError as error:
            options.fail_startup(str(error) if single_service else f"{configuration.name}: {error}")
    names = ", ".join(one.name for one in options.configurations)
    os.write(1, f"{options.name}: the configuration is valid ({names})\n".encode())
    sys.exit(0)
