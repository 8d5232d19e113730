"""What one daemon was told: every group of settings, resolved and built.

Joins flags, environment and file for one service; opens nothing and starts nothing.
"""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from socketsuite.daemon.datagram_options import DatagramSettings
from socketsuite.daemon.listen_settings import ListenSettings, TransportSettings
from socketsuite.daemon.process_settings import ProcessSettings
from socketsuite.daemon.tls import TLSSettings
from socketsuite.observe.log import LogSettings
from socketsuite.plugin import ServicePlugin
from socketsuite.policies.settings import AdmissionSettings, LimitSettings
from socketsuite.settings import (
    Setting,
    SettingsError,
    environment_prefix,
    resolve,
    settings_of,
)

_DAEMON_GROUPS = (ListenSettings, TLSSettings, AdmissionSettings, LimitSettings, LogSettings)


@dataclass(eq=False)
class Configuration:
    """One service's settings, checked.

    *own* are those that the service itself declares; *build* makes its factory of them,
    given the reactor.
    """

    name: str
    listen: ListenSettings
    transports: TransportSettings
    udp: DatagramSettings
    tls: TLSSettings
    admission: AdmissionSettings
    limits: LimitSettings
    log: LogSettings
    process: ProcessSettings
    own: dict[str, Any]
    build: Callable[[Any], Any]
    datagrams: bool
    # Nobody has said where to listen: inherited sockets take the place of the default port.
    port_by_default: bool = False


@dataclass(frozen=True)
class SettingsGroup:
    """The settings under one heading of ``--help`` and the documentation."""

    title: str
    group: Any
    settings: tuple[Setting, ...]


def speaks_datagrams(target: Any) -> bool:
    """Whether the service also answers over UDP."""
    return hasattr(target, "buildDatagramProtocol")


def _source_ports(target: Any) -> str:
    """Return what *target*, a service's factory, says of UDP source ports by an attribute.

    :raises TypeError: when it is neither ``any`` nor ``unprivileged``.
    """
    said = getattr(target, "udp_source_ports", "unprivileged")
    if said not in ("any", "unprivileged"):
        raise TypeError(f"{target!r}: udp_source_ports is {said!r}, not 'any' or 'unprivileged'")
    return str(said)


def groups_of(plugin: ServicePlugin, *, alone: bool = True) -> list[SettingsGroup]:
    """Return every group of settings that *plugin*'s daemon takes, the service's own first.

    :param alone: whether the process is this service's alone, and its settings are too.
    :raises TypeError: when the service declares a setting whose name the daemon has taken.
    """
    target = plugin.load()
    groups = [target] if settings_of(target) else []
    groups += _DAEMON_GROUPS
    if speaks_datagrams(target):
        groups += [TransportSettings, DatagramSettings]
    if alone:
        groups.append(ProcessSettings)
    found = []
    taken: dict[str, str] = {"config": "the daemon"}
    for group in groups:
        title = "This service" if group is target else (group.__doc__ or "").strip().rstrip(".")
        for item in settings_of(group):
            if item.name in taken:
                raise TypeError(
                    f"{plugin.target} declares {item.name!r}, which {taken[item.name]} has"
                )
            taken[item.name] = title
        found.append(SettingsGroup(title, group, settings_of(group)))
    return found


def configure(
    plugin: ServicePlugin,
    *,
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    table: Mapping[str, Any] | None = None,
    table_origin: str = "",
    instance: str | None = None,
    alone: bool = True,
) -> Configuration:
    """Resolve every setting of *plugin*: flag, then environment, then file, then default.

    :param instance: the name this instance goes by, where one process runs several.
    :param alone: as for :func:`groups_of`.
    :raises SettingsError: for what the user got wrong, in one line.
    """
    target = plugin.load()
    groups = groups_of(plugin, alone=alone)
    name = instance or plugin.tapname
    values = resolve(
        (item for group in groups for item in group.settings),
        flags=flags,
        environ=environ,
        prefix=environment_prefix(name),
        table=table,
        table_origin=table_origin,
        reserved=("config", "check_config"),
    )

    def built(group: Any) -> Any:
        return group(**{item.name: values[item.name] for item in settings_of(group)})

    listen = built(ListenSettings)
    port_by_default = not (listen.port or listen.unix or listen.listen)
    if port_by_default:
        listen.port = (plugin.port,)
    datagrams = speaks_datagrams(target)
    transports = built(TransportSettings) if datagrams else TransportSettings(udp=False)
    if not (transports.tcp or transports.udp):
        raise SettingsError(f"{name}: --no-tcp and --no-udp together leave nothing to serve")
    if values["proxy_from"] and listen.transport == "twisted":
        raise SettingsError(f"{name}: --proxy-from needs --transport burst")
    limits = built(LimitSettings)
    if limits.udp_source_ports is None:
        limits.udp_source_ports = _source_ports(target)
    own = {item.name: values[item.name] for item in settings_of(target)}
    return Configuration(
        name=name,
        listen=listen,
        transports=transports,
        udp=built(DatagramSettings) if datagrams else DatagramSettings(),
        tls=built(TLSSettings),
        admission=built(AdmissionSettings),
        limits=limits,
        log=built(LogSettings),
        process=built(ProcessSettings) if alone else ProcessSettings(),
        own=own,
        build=_builder(target, own),
        datagrams=datagrams,
        port_by_default=port_by_default,
    )


def _builder(target: Callable[..., Any], values: dict[str, Any]) -> Callable[[Any], Any]:
    """Return what calls *target* with its settings, and the reactor if it asks for one."""

    def build(reactor: Any) -> Any:
        if "reactor" in inspect.signature(target).parameters:
            return target(reactor=reactor, **values)
        return target(**values)

    return build


def read_toml(path: Path) -> dict[str, Any]:
    """Return the tables of a TOML file.

    :raises SettingsError: naming the file and what is wrong, with the line for bad TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read --config {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not valid TOML: {error}") from None


def table_for(plugin: ServicePlugin, document: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    """Return the part of *document* that speaks of *plugin*.

    That is the table named after it (``[chat]`` or ``[socketsuite-chat]``) where there is
    one, so that one file serves the suite and a single daemon alike; else the top level.

    :raises SettingsError: when the file holds nothing but other services' tables.
    """
    for name in (plugin.tapname, plugin.tapname.removeprefix("socketsuite-")):
        table = document.get(name)
        if isinstance(table, dict):
            return table
    if document and all(isinstance(value, dict) for value in document.values()):
        raise SettingsError(
            f"{path} has tables for other services only; write one named {name!r} in it"
        )
    return document
