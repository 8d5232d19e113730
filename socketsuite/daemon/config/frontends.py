"""Frontends as settings: the flags that say where each one listens, and its own settings.

The first frontend's flags have no prefix; those of the others begin with their names.  Opens
and builds nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from socketsuite.daemon.listen.settings import ListenSettings
from socketsuite.service import Frontend, ServiceSpecification
from socketsuite.settings import Setting, settings_of, with_files

WHERE = ("port", "tls_port", "unix", "listen")
"""The settings of each frontend that say where it listens; UDP has the first one only."""


@dataclass(eq=False)
class FrontendConfiguration:
    """Where one frontend listens, and what makes its factory.

    :ivar target: where its factory is, for errors.
    :ivar build: makes its factory, given what the daemon offers and the service's object;
        ``None`` where that object is the factory.
    :ivar own: the settings that its target declares.
    :ivar prefix: what its flags begin with: ``irc-``; nothing for the first one.
    :ivar by_default: nobody has said where it listens: inherited sockets take the place of its
        default port.
    """

    frontend: Frontend
    target: str
    build: Callable[..., Any] | None
    listen: ListenSettings
    own: dict[str, Any]
    prefix: str = ""
    by_default: bool = False

    @property
    def name(self) -> str:
        """The frontend's name."""
        return self.frontend.name

    @property
    def listens(self) -> bool:
        """Whether it was said to listen anywhere."""
        return any(getattr(self.listen, name) for name in WHERE)


def prefix_of(plugin: ServiceSpecification, frontend: Frontend) -> str:
    """Return what the flags of *frontend* begin with: nothing for the first one's."""
    return "" if frontend is plugin.frontends[0] else f"{frontend.name}-"


def where_settings(frontend: Frontend) -> tuple[Setting, ...]:
    """Return the settings that say where *frontend*, which is not the first one, listens."""
    names = WHERE if frontend.kind == "stream" else WHERE[:1]
    found = {item.name: item for item in settings_of(ListenSettings)}
    return tuple(_renamed(_worded(found[name], frontend), f"{frontend.name}-") for name in names)


def own_settings(plugin: ServiceSpecification, frontend: Frontend) -> tuple[Setting, ...]:
    """Return the settings that the target of *frontend* declares, by their flags' names.

    :raises DeclarationError: when it declares one that cannot be one.
    """
    if frontend.target is None:
        return ()
    declared = with_files(settings_of(plugin.load_frontend(frontend)))
    prefix = prefix_of(plugin, frontend)
    return tuple(_renamed(item, prefix) for item in declared)


def configured(
    plugin: ServiceSpecification,
    frontend: Frontend,
    listen: ListenSettings,
    values: Mapping[str, Any],
    builder: Callable[[Callable[..., Any], dict[str, Any]], Callable[..., Any]],
) -> FrontendConfiguration:
    """Return the configuration of *frontend*, from the resolved *values* by flags' names.

    :param listen: what holds for all frontends, and where the first one listens.
    :param builder: makes what builds a target with its own settings.
    """
    prefix = prefix_of(plugin, frontend)
    if prefix:
        names = [item.name for item in where_settings(frontend)]
        said = {name.removeprefix(_slug(prefix)): values[name] for name in names}
        listen = replace(listen, **{**dict.fromkeys(WHERE, ()), **said})
    own = {
        item.name.removeprefix(_slug(prefix)): values[item.name]
        for item in own_settings(plugin, frontend)
        if not item.file_of
    }
    build = builder(plugin.load_frontend(frontend), own) if frontend.target else None
    target = frontend.target or plugin.target
    made = FrontendConfiguration(frontend, target, build, listen, own, prefix)
    if not made.listens and (not prefix or frontend.enabled):
        made.by_default = True
        listen.port = (frontend.port,)
    return made


def _slug(prefix: str) -> str:
    return prefix.replace("-", "_")


def _renamed(item: Setting, prefix: str) -> Setting:
    slug = _slug(prefix)
    table, file_of = (slug + name if name else name for name in (item.table, item.file_of))
    return replace(item, name=slug + item.name, table=table, file_of=file_of)


def _worded(item: Setting, frontend: Frontend) -> Setting:
    """Return *item* with its help in the words of *frontend*."""
    words = item.help.partition("; needs ")[0]
    if frontend.kind == "datagram":
        words = words.replace("TCP port", "UDP port")
    usual = frontend.tls_port if item.name == "tls_port" else frontend.port
    if item.name == "port" and frontend.enabled:
        return replace(
            item, help=f"{frontend.description or frontend.name}: {words}", show=str(usual)
        )
    if item.name in ("port", "tls_port") and usual:
        words = f"{words}; {usual} is usual"
    return replace(item, help=f"{frontend.description or frontend.name}: {words}")
