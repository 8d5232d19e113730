"""What a service is, before it is served: its name, where its factory is, its defaults.

The ground that every room may stand on.  This module must not know of twistd's command line,
of the reactor, nor of any service; a target is imported only when it is asked for.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
from collections.abc import Callable, Mapping
from typing import Any

from twisted.application.service import IServiceMaker
from twisted.plugin import getPlugins

DATAGRAMS = "buildDatagramProtocol"
"""The method that makes a factory a datagram factory too."""


class ServiceSpecification:
    """One service, as its plugin file describes it.

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


def installed_services() -> dict[str, ServiceSpecification]:
    """Return every installed service by its name, third parties' among them.

    Of several with one name, that whose target comes first in the alphabet: which of them was
    found first depends on the cache of plugins.
    """
    return {service.tapname: service for service in reversed(_all_services())}


def services_named(name: str) -> list[ServiceSpecification]:
    """Return the installed services of one name, the one that wins first."""
    return [service for service in _all_services() if service.tapname == name]


def _all_services() -> list[ServiceSpecification]:
    found = (one for one in getPlugins(IServiceMaker) if isinstance(one, ServiceSpecification))
    return sorted(found, key=lambda service: (service.tapname, service.target))


def speaks_datagrams(plugin: ServiceSpecification) -> bool | None:
    """Whether the service also answers over UDP, as told before any factory is built.

    What the plugin says counts; else the class that its target is, or is declared to return.
    ``None``: a function that does not say what it returns; only its factory can tell.
    """
    if plugin.udp is not None:
        return plugin.udp
    made = _returned(plugin.load())
    return None if made is None else hasattr(made, DATAGRAMS)


def accepts_reactor(target: Callable[..., Any]) -> bool:
    """Whether *target* has a parameter named ``reactor``."""
    try:
        return "reactor" in inspect.signature(target).parameters
    except (TypeError, ValueError):  # a callable written in C may not tell
        return False


def _returned(target: Any) -> type | None:
    """Return the class whose objects *target* makes, if that can be known."""
    while isinstance(target, functools.partial):
        target = target.func
    if isinstance(target, type):
        return target
    function = inspect.unwrap(target if inspect.isroutine(target) else target.__call__)
    function = getattr(function, "__func__", function)
    declared = getattr(function, "__annotations__", {}).get("return")
    if isinstance(declared, str):
        module = sys.modules.get(getattr(function, "__module__", None) or "")
        try:
            declared = eval(declared, vars(module) if module else {})  # the package's own text
        except Exception:  # noqa: BLE001 - a name that is there for type checkers only
            return None
    return declared if isinstance(declared, type) else None
