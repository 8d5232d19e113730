"""What a reload may change, and what needs a restart.

Compares two configurations; opens and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from socketsuite.daemon.config.configuration import Configuration
from socketsuite.daemon.config.process_settings import ProcessSettings
from socketsuite.settings import settings_of

_GROUPS = ("listen", "transports", "udp", "tls", "admission", "limits", "udp_limits", "log")


def needs_restart(before: Configuration, after: Configuration) -> list[str]:
    """Return the keys of the settings that changed and cannot take effect by a reload."""
    if before.plugin.target != after.plugin.target:
        return ["service"]
    changed = []
    for name in _GROUPS:
        old, new = getattr(before, name), getattr(after, name)
        changed += [one for one in _changed(old, new) if one not in reloadable(type(old))]
    kept = reloadable(before.plugin.load())
    changed += [name for name in own_changes(before, after) if name not in kept]
    return [name.replace("_", "-") for name in changed]


def own_changes(before: Configuration, after: Configuration) -> dict[str, Any]:
    """Return the service's own settings that changed, with their new values."""
    return {name: after.own.get(name) for name in before.own if before.own[name] != after.own[name]}


def reloadable(group: Any) -> frozenset[str]:
    """Return the names of the settings of *group* that a reload changes."""
    return frozenset(item.name for item in settings_of(group) if item.reload)


def take_over(old: Any, new: Any) -> None:
    """Give *old*, a group of settings, what *new* says of those that a reload changes."""
    for name in reloadable(type(old)):
        setattr(old, name, getattr(new, name))


def tell_factory(factory: Any, changed: dict[str, Any]) -> None:
    """Set what has *changed* on *factory*, and tell it, if it wants to be told.

    :param changed: the service's own settings that a reload changes, by name.
    """
    for name, value in changed.items():
        setattr(factory, name, value)
    told = getattr(factory, "settings_reloaded", None)
    if changed and callable(told):
        told(changed)


def process_needs_restart(before: ProcessSettings, after: ProcessSettings) -> list[str]:
    """Return the keys of the process's settings that changed; none takes effect by a reload."""
    return [name.replace("_", "-") for name in _changed(before, after)]


def services_need_restart(before: Iterable[str], after: Iterable[str]) -> list[str]:
    """Return, in words, which services a file has that do not run, and the other way round."""
    running, wanted = list(before), list(after)
    return [f"{name} (new)" for name in wanted if name not in running] + [
        f"{name} (removed)" for name in running if name not in wanted
    ]


def _changed(old: Any, new: Any) -> list[str]:
    names = [field.name for field in fields(old)]
    return [name for name in names if getattr(old, name) != getattr(new, name)]
