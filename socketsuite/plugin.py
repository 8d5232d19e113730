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

from socketsuite.loading import without_collections
from socketsuite.service import Frontend, ServiceSpecification, services_named

__all__ = ["Frontend", "ServicePlugin", "SuitePlugin"]


@implementer(IPlugin, IServiceMaker)
class ServicePlugin(ServiceSpecification):
    """A twistd command that serves one factory.

    Takes what :class:`~socketsuite.service.ServiceSpecification` takes: a name, a target, and
    by name ``port`` or ``frontends``, ``description``, ``udp`` and ``defaults``.
    """

    def options(self) -> Any:
        """Return the command's options, for twistd to parse the command line with."""
        with without_collections():
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
        with without_collections():
            from socketsuite.daemon.config.command_line import SuiteOptions

            return SuiteOptions(self.tapname)

    def makeService(self, options: Any) -> IService:
        """Return the service that twistd will start, assembled from *options*."""
        return _assemble(options)


def _assemble(options: Any) -> IService:
    with without_collections():
        from socketsuite.daemon.process.assemble import make_service

        return make_service(options)
