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

import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from twisted.application.service import IServiceMaker
from twisted.plugin import IPlugin
from zope.interface import implementer

if TYPE_CHECKING:
    from twisted.application.service import IService

    from socketsuite.daemon.options import DaemonOptions, SuiteOptions


@implementer(IPlugin, IServiceMaker)
class ServicePlugin:
    """A twistd command that puts one factory on the air.

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

    def __init__(
        self,
        name: str,
        target: str,
        *,
        port: int,
        description: str,
        udp: bool | None = None,
        defaults: Mapping[str, Any] | None = None,
    ) -> None:
        self.tapname = name
        self.target = target
        self.port = port
        self.description = description
        self.udp = udp
        self.defaults = dict(defaults or {})

    def load(self) -> Callable[..., Any]:
        """Import and return the factory's class, or what else makes it.

        :raises ImportError: naming the plugin and its target, when there is no such thing.
        """
        module, _, name = self.target.partition(":")
        try:
            found: Any = importlib.import_module(module)
            for part in name.split("."):
                found = getattr(found, part)
        except (ImportError, AttributeError, ValueError) as error:
            raise ImportError(self._unloadable(str(error))) from error
        except Exception as error:
            raised = f"{type(error).__name__}: {error}; python -c 'import {module}' shows where"
            raise ImportError(self._unloadable(raised)) from error
        if not callable(found):
            raise ImportError(self._unloadable("it is neither a class nor a function"))
        return found  # type: ignore[no-any-return]

    def _unloadable(self, why: str) -> str:
        return f"plugin {self.tapname} cannot load {self.target}: {why}"

    def options(self) -> DaemonOptions:
        """Return the command's options, for twistd to parse the command line with."""
        from socketsuite.daemon.options import DaemonOptions

        rivals = plugins_named(self.tapname)
        return DaemonOptions(rivals[0] if self in rivals else self, rivals)

    def makeService(self, options: DaemonOptions) -> IService:
        """Return the service that twistd will start, assembled from *options*."""
        return _assemble(options)


@implementer(IPlugin, IServiceMaker)
class SuitePlugin:
    """The twistd command that runs several services in one process, from one TOML file."""

    def __init__(self, name: str, *, description: str) -> None:
        self.tapname = name
        self.description = description

    def options(self) -> SuiteOptions:
        """Return the command's options, for twistd to parse the command line with."""
        from socketsuite.daemon.options import SuiteOptions

        return SuiteOptions(self.tapname)

    def makeService(self, options: SuiteOptions) -> IService:
        """Return the service that twistd will start, assembled from *options*."""
        return _assemble(options)


def _assemble(options: DaemonOptions | SuiteOptions) -> IService:
    from socketsuite.daemon.assemble import make_service

    return make_service(options)


def installed_plugins() -> dict[str, ServicePlugin]:
    """Return every installed :class:`ServicePlugin` by its name, third parties' among them.

    Of several with one name, that whose target comes first in the alphabet: which of them was
    found first depends on the cache of plugins.
    """
    return {plugin.tapname: plugin for plugin in reversed(_all_plugins())}


def plugins_named(name: str) -> list[ServicePlugin]:
    """Return the installed plugins of one name, the one that wins first."""
    return [plugin for plugin in _all_plugins() if plugin.tapname == name]


def _all_plugins() -> list[ServicePlugin]:
    from twisted.plugin import getPlugins

    found = (one for one in getPlugins(IServiceMaker) if isinstance(one, ServicePlugin))
    return sorted(found, key=lambda plugin: (plugin.tapname, plugin.target))
