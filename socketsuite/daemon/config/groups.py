"""The settings of a service's daemon by groups, as help and documentation show them.

What the service declares itself, what its frontends do, and what every daemon has.  Must not
know what a setting's value comes to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from socketsuite.daemon.config.frontends import own_settings, where_settings
from socketsuite.daemon.config.process_settings import ProcessSettings
from socketsuite.daemon.listen.certificates import TLSSettings
from socketsuite.daemon.listen.datagram_options import DatagramSettings
from socketsuite.daemon.listen.settings import ListenSettings, TransportSettings
from socketsuite.observe.log import LogSettings
from socketsuite.policies.settings import AdmissionSettings, DatagramLimits, LimitSettings
from socketsuite.service import ServiceSpecification, speaks_datagrams
from socketsuite.settings import (
    DeclarationError,
    Setting,
    SettingsError,
    nearest,
    settings_of,
    with_files,
)

_DAEMON_GROUPS = (ListenSettings, TLSSettings, AdmissionSettings, LimitSettings, LogSettings)
# What a factory is handed, what a table of the suite's file says, and flags of every command.
_RESERVED = {
    "reactor": "what a factory is handed",
    "daemon": "what a factory is handed",
    "emit": "what a factory is handed",
    "service": "what a table of the suite's file says of itself",
    "config": "the flag --config",
    "check_config": "the flag --check-config",
    "version": "the flag --version",
    "help": "the flag --help",
    "help_all": "the flag --help-all",
}


@dataclass(frozen=True)
class SettingsGroup:
    """The settings under one heading of ``--help`` and the documentation."""

    title: str
    group: Any
    settings: tuple[Setting, ...]
    # Whether the service itself declares them, and not the daemon around it.
    of_service: bool = False


def groups_of(plugin: ServiceSpecification, *, single_service: bool = True) -> list[SettingsGroup]:
    """Return every group of settings that *plugin*'s daemon takes, the service's own first.

    :param single_service: whether the process is this service's alone, and its settings are too.
    :raises DeclarationError: when the service declares a setting that cannot be one.
    """
    target = plugin.load()
    try:
        own = with_files(settings_of(target))
    except DeclarationError as error:
        raise DeclarationError(f"plugin {plugin.tapname}: {error}") from None
    groups = [*_DAEMON_GROUPS]
    first, *others = plugin.frontends
    if speaks_datagrams(plugin) is not False and first.kind == "stream":
        groups.append(TransportSettings)
    if speaks_datagrams(plugin) is not False or any(one.kind == "datagram" for one in others):
        groups += [DatagramSettings, DatagramLimits]
    groups.append(ProcessSettings)
    found = [SettingsGroup(_title(group), group, settings_of(group)) for group in groups]
    own += own_settings(plugin, first)
    of_frontends = [
        SettingsGroup(
            f"Frontend {one.name}",
            one,
            where_settings(one) + own_settings(plugin, one),
            of_service=True,
        )
        for one in others
    ]
    _refuse_taken_names(plugin, [own, *(each.settings for each in of_frontends)], found)
    found = _with_defaults(plugin, found)
    if not single_service:
        found.pop()
    if own:
        of_frontends.insert(0, SettingsGroup("This service", target, own, of_service=True))
    return of_frontends + found


def _with_defaults(
    plugin: ServiceSpecification, groups: list[SettingsGroup]
) -> list[SettingsGroup]:
    """Return *groups* with the defaults that *plugin* brings for its daemon.

    :raises DeclarationError: when it names none of their settings, or a wrong value.
    """
    wanted = {key.replace("-", "_"): value for key, value in plugin.defaults.items()}
    known = {item.name: item for group in groups for item in group.settings}
    known.pop("port")  # which ServiceSpecification says by itself
    for name in wanted:
        if name not in known:
            hint = nearest(name.replace("_", "-"), [item.key for item in known.values()])
            raise DeclarationError(
                f"plugin {plugin.tapname}: defaults names {name!r}, which is no setting of every"
                f" daemon{hint}"
            )

    def changed(item: Setting) -> Setting:
        if item.name not in wanted:
            return item
        raw = wanted[item.name]
        try:
            default = item.read(raw, f"defaults of plugin {plugin.tapname}", "file")
        except SettingsError as error:
            raise DeclarationError(f"plugin {plugin.tapname}: {error}") from None
        return replace(item, default=default, show=raw if item.show else "")

    return [
        replace(group, settings=tuple(changed(item) for item in group.settings)) for group in groups
    ]


def _title(group: Any) -> str:
    return (group.__doc__ or "").strip().rstrip(".")


def _refuse_taken_names(
    plugin: ServiceSpecification,
    own: Sequence[Sequence[Setting]],
    groups: Sequence[SettingsGroup],
) -> None:
    """Refuse settings of a service that could not be told from what the daemon has."""
    taken = dict(_RESERVED)
    for group in groups:
        for item in group.settings:
            for name in _flag_names(item):
                taken[name] = f"a setting of every daemon, under {group.title!r}"
    every = [item for group in own for item in group]
    for table in {item.table for item in every if item.table in taken}:
        raise DeclarationError(
            f"plugin {plugin.tapname}: {plugin.target} declares the nested table {table!r}, but"
            f" {table!r} is {taken[table]}; call it otherwise"
        )
    for item in every:
        for name in _flag_names(item):
            if name in taken:
                raise DeclarationError(
                    f"plugin {plugin.tapname}: {plugin.target} declares the setting {item.name!r},"
                    f" but {name!r} is {taken[name]}; call it otherwise"
                )
            taken[name] = f"already the setting {item.name!r}"


def _flag_names(item: Setting) -> list[str]:
    """Return the names of its flags: a switch has two."""
    return [item.name, f"no_{item.name}"] if item.switch else [item.name]
