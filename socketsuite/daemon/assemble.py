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

    process = DaemonProcess(
        options.name, reactor, refuse=options.refuse_start, reread=reread, log=log
    )
    for configuration in options.configurations:
        ServiceDaemon(configuration, reactor).setServiceParent(process)
    return process


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
