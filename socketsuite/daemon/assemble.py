"""The one place that puts a process together: reactor, clock, services.

The only module of the daemon that imports the reactor; everybody else is handed it.
"""

from __future__ import annotations

import os
import sys
from typing import Any, NoReturn

from twisted.application.service import IService

from socketsuite.daemon.configuration import Configuration
from socketsuite.daemon.errors import StartError
from socketsuite.daemon.inherited import (
    InheritedSocket,
    inherited_sockets,
    share_out,
    start_environment,
)
from socketsuite.daemon.notify import Notifier, watchdog_interval
from socketsuite.daemon.process import DaemonProcess, use_monotonic_clock
from socketsuite.daemon.serve import ServiceDaemon
from socketsuite.daemon.twistd import TwistdOptions
from socketsuite.observe.text_log import TextLog


def make_service(options: TwistdOptions) -> IService:
    """Return the service that twistd starts: every configured daemon in one process."""
    from twisted.internet import reactor

    if options.check_only:
        _check(options, reactor)
    use_monotonic_clock(reactor)
    log = TextLog(sys.stdout) if options.logs_to_stdout else None

    def reread() -> list[Configuration]:
        options.reread()
        return options.configurations

    try:
        shares = _inherited(options.configurations)
    except StartError as error:
        options.refuse_start(str(error))
    process = DaemonProcess(
        options.name,
        reactor,
        refuse=options.refuse_start,
        reread=reread,
        log=log,
        notifier=Notifier.from_environment(os.environ),
        watchdog=watchdog_interval(os.environ, os.getpid()),
    )
    for configuration in options.configurations:
        daemon = ServiceDaemon(configuration, reactor, shares.get(configuration.name, ()))
        daemon.setServiceParent(process)
    return process


def _inherited(configurations: list[Configuration]) -> dict[str, list[InheritedSocket]]:
    """Return what each service was started with; nothing where Twisted's endpoints take it."""
    endpoints = [text for one in configurations for text in one.listen.listen]
    if any(text.startswith("systemd:") for text in endpoints):
        return {}
    taken = inherited_sockets(start_environment(os.environ), os.getpid())
    return share_out(taken, [one.name for one in configurations])


def _check(options: TwistdOptions, reactor: Any) -> NoReturn:
    """Look at what the settings name without opening a socket, say so, and exit."""
    for configuration in options.configurations:
        try:
            ServiceDaemon(configuration, reactor).check()
        except StartError as error:
            alone = len(options.configurations) == 1
            options.refuse_start(str(error) if alone else f"{configuration.name}: {error}")
    names = ", ".join(one.name for one in options.configurations)
    os.write(1, f"{options.name}: the configuration is valid ({names})\n".encode())
    sys.exit(0)
