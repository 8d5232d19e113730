"""The way in: one line makes a Twisted factory a twistd command.

::

    # twisted/plugins/acme_rot13.py
    from socketsuite.plugin import ServicePlugin

    rot13 = ServicePlugin(
        "acme-rot13", "acme.rot13:Rot13Factory", port=9100, description="ROT13, line by line"
    )

twistd imports every plugin file to list the commands, so this module must not import the
reactor, a service, or the daemon: a plugin names its factory, and the name is looked up
when the command is really used.
"""

from __future__ import annotations

from typing import Any

from twisted.application.service import IService, IServiceMaker
from twisted.plugin import IPlugin
from zope.interface import implementer

from socketsuite.service import ServiceSpecification, services_named


@implementer(IPlugin, IServiceMaker)
class ServicePlugin(ServiceSpecification):
    """A twistd command that serves one factory.

    :param name: the command, as in ``twistd NAME``; it also names the environment
        variables (``acme-rot13`` → ``ACME_ROT13_PORT``).
    :param target: where the factory is, ``package.module:Name``: a class (or any callable)
        that returns an ``IProtocolFactory``.  Fields it declares with
        :func:`socketsuite.settings.setting` become its settings; a parameter named
        ``reactor`` receives the reactor.  A factory that has ``buildDatagramProtocol()``
        is also served over UDP, on the same port number.
    :param port: the default port, 0–65535; 0 lets the kernel choose.
    :param description: one line for ``twistd --help``.
    :param udp: whether it is served over UDP.  ``None`` looks for ``buildDatagramProtocol`` at
        the target: a class, or what a function is declared to return (``->``).  A function that
        declares nothing is called before any socket is bound, and what it returns is looked at.
    :param defaults: other defaults for the daemon around it, by the keys of a TOML file, as
        ``{"send-queue": "4M", "transport": "twisted"}``.  Flags, variables and files still
        come first.
    """

    def options(self) -> Any:
        """Return the command's options, for twistd to parse the command line with."""
        from socketsuite.daemon.config.command_line import DaemonOptions

        rivals = services_named(self.tapname)
        return DaemonOptions(rivals[0] if self in rivals else self, rivals)

    def makeService(self, options: Any) -> IService:
        """Return the service that twistd will start, assembled from *options*."""
        return _assemble(options)


@implementer(IPlugin, IServiceMaker)
class SuitePlugin:
    """The twistd command that runs several services in one process, from one TOML file."""

    def __init__(self, name: str, *, description: str) -> None:
        self.tapname = name
        self.description = description

    def options(self) -> Any:
        """Return the command's options, for twistd to parse the command line with."""
        from socketsuite.daemon.config.command_line import SuiteOptions

        return SuiteOptions(self.tapname)

    def makeService(self, options: Any) -> IService:
        """Return the service that twistd will start, assembled from *options*."""
        return _assemble(options)


def _assemble(options: Any) -> IService:
    from socketsuite.daemon.process.assemble import make_service

    return make_service(options)
