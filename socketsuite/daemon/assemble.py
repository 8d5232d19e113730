"""The one place that puts a process together: reactor, clock, services.

The only module of the daemon that imports the reactor; everybody else is handed it.
"""

from __future__ import annotations

import sys

from twisted.application.service import IService

from socketsuite.daemon.options import DaemonOptions, SuiteOptions
from socketsuite.daemon.process import DaemonProcess, use_monotonic_clock
from socketsuite.daemon.serve import ServiceDaemon
from socketsuite.observe.text_log import TextLog


def make_service(options: DaemonOptions | SuiteOptions) -> IService:
    """Return the service that twistd starts: every configured daemon in one process."""
    from twisted.internet import reactor

    use_monotonic_clock(reactor)
    log = TextLog(sys.stdout) if options.logs_to_stdout else None
    process = DaemonProcess(options.name, reactor, refuse=options.refuse_start, log=log)
    for configuration in options.configurations:
        ServiceDaemon(configuration, reactor).setServiceParent(process)
    return process
