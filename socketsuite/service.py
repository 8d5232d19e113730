"""What a service is, before it is served: its name, where its factory is, its defaults.

The ground that every room may stand on.  This module must not know of twistd's command line,
of the reactor, nor of any service; a target is imported only when it is asked for.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import re
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from twisted.application.service import IServiceMaker
from twisted.plugin import getPlugins

DATAGRAMS = "buildDatagramProtocol"
"""The method that makes a factory a datagram factory too."""

MAIN = "main"
"""What the only frontend of a service is called that declares none."""

_FRONTEND_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@dataclass(frozen=True)
class Frontend:
    """One way into a service: a protocol of its own, on ports of its own.

    All frontends of a service share its limits, registry of connections, drain and figures.

    :param name: in lower case, such as ``irc``: it begins the flags (``--irc-port``,
        ``--irc-tls-port``, ``--irc-unix``, ``--irc-listen``), variables and TOML keys of every
        frontend but the first, and is the label ``frontend`` in log, metrics and status.
    :param target: where its factory is, ``package.module:Name``: a callable that takes the
        service's object, returns an ``IProtocolFactory`` (with ``buildDatagramProtocol()`` for
        datagrams), and may declare settings as the service does; their names begin with the
        frontend's.  ``None``: the service's object is the factory.
    :param port: its default port, 0–65535; 0 lets the kernel choose.
    :param tls_port: the port that is usual for TLS; for the help text only.
    :param kind: ``stream`` or ``datagram`` (UDP).
    :param enabled: whether it listens on its default port without being asked.  The first one
        always does.
    :param description: a few words for its help text; its name is used without.
    :param http: its callers speak HTTP, in which a proxy may name the client, too: a proxy of
        ``--proxy-from`` that sends no PROXY header is served all the same, and the factory asks
        :meth:`socketsuite.contract.Daemon.is_proxy` whom to believe.
    :raises ValueError: for a name that cannot begin a flag, or a port out of range.
    """

    name: str
    target: str | None = None
    port: int = 0
    tls_port: int | None = None
    kind: Literal["stream", "datagram"] = "stream"
    enabled: bool = False
    description: str = ""
    http: bool = False

    def __post_init__(self) -> None:
        if not _FRONTEND_NAME.fullmatch(self.name):
            raise ValueError(
                f"a frontend cannot be called {self.name!r}; say lower-case letters and digits,"
                " with single hyphens between, such as 'irc'"
            )
        for port in (self.port, self.tls_port or 0):
            if not 0 <= port <= 65535:
                raise ValueError(f"frontend {self.name}: {port} is not a port from 0 to 65535")
        if self.kind not in ("stream", "datagram"):
            raise ValueError(f"frontend {self.name}: its kind is 'stream' or 'datagram'")


class ServiceSpecification:
    """One service, as its plugin file describes it.

    :param name: the command, as in ``twistd NAME``; it also names the environment
        variables (``acme-rot13`` → ``ACME_ROT13_PORT``).
    :param target: where the factory is, ``package.module:Name``: a class (or any callable)
        that returns an ``IProtocolFactory``.  Fields it declares with
        :func:`socketsuite.settings.setting` become its settings; a parameter named
        ``reactor`` receives the reactor, one named ``emit`` what logs the service's own events
        (:class:`socketsuite.contract.LogEvents`).  A factory that has ``buildDatagramProtocol()``
        is also served over UDP, on the same port number.
    :param port: the default port, 0–65535; 0 lets the kernel choose.
    :param description: one line for ``twistd --help``.
    :param udp: whether it is served over UDP.  ``None`` looks for ``buildDatagramProtocol`` at
        the target: a class, or what a function is declared to return (``->``).  A function that
        declares nothing is called before any socket is bound, and what it returns is looked at.
    :param defaults: other defaults for the daemon around it, by the keys of a TOML file, as
        ``{"send-queue": "4M", "transport": "twisted"}``.  Flags, variables and files still
        come first.
    :param frontends: the ways into a service that has several, the first one first; *port* is
        left out then.
    :raises ValueError: when neither *port* nor frontends are given, or two of one name.
    """

    def __init__(
        self,
        name: str,
        target: str,
        *,
        port: int | None = None,
        description: str,
        udp: bool | None = None,
        defaults: Mapping[str, Any] | None = None,
        frontends: Sequence[Frontend] = (),
    ) -> None:
        self.tapname = name
        self.target = target
        self.frontends = _checked(name, port, frontends)
        self.port = self.frontends[0].port
        self.description = description
        self.udp = udp
        self.defaults = dict(defaults or {})

    def load(self) -> Callable[..., Any]:
        """Import and return the factory's class, or what else makes it.

        :raises ImportError: naming the plugin and its target, when there is no such thing.
        """
        return load_target(self.target, f"plugin {self.tapname}")

    def load_frontend(self, frontend: Frontend) -> Callable[..., Any]:
        """Import and return what makes the factory of *frontend*.

        :raises ImportError: naming the plugin, its frontend and the target.
        """
        if frontend.target is None:
            return self.load()
        return load_target(frontend.target, f"frontend {frontend.name} of plugin {self.tapname}")


def load_target(target: str, whose: str) -> Callable[..., Any]:
    """Import and return what *target*, ``package.module:Name``, names.

    :param whose: who names it, for the error.
    :raises ImportError: naming *whose* and the target, when there is no such thing.
    """

    def unloadable(why: str) -> ImportError:
        return ImportError(f"{whose} cannot load {target}: {why}")

    module, _, name = target.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as error:
        raise unloadable(str(error)) from error
    except Exception as error:
        raised = f"{type(error).__name__}: {error}; python -c 'import {module}' shows where"
        raise unloadable(raised) from error
    if not callable(found):
        raise unloadable("it is neither a class nor a function")
    return found  # type: ignore[no-any-return]


def _checked(service: str, port: int | None, frontends: Sequence[Frontend]) -> tuple[Frontend, ...]:
    if (port is None) == (not frontends):
        raise ValueError(f"plugin {service}: say either port=… or frontends=[…]")
    names = [one.name for one in frontends]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"plugin {service}: two frontends are called {name!r}")
    return tuple(frontends) or (Frontend(MAIN, port=port or 0),)


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
    """Whether the first frontend also answers over UDP, as told before any factory is built.

    What the plugin says counts; else the class that its target is, or is declared to return.
    ``None``: a function that does not say what it returns; only its factory can tell.
    """
    if plugin.frontends[0].kind == "datagram":
        return True
    if plugin.udp is not None:
        return plugin.udp
    made = _returned(plugin.load_frontend(plugin.frontends[0]))
    return None if made is None else hasattr(made, DATAGRAMS)


def parameters_of(target: Callable[..., Any]) -> Collection[str]:
    """Return the names of the parameters of *target*."""
    try:
        return inspect.signature(target).parameters.keys()
    except (TypeError, ValueError):  # a callable written in C may not tell
        return ()


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
