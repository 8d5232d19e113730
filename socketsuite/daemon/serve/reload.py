"""What a reload may change, and what needs a restart.

Compares two configurations; opens nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import fields
from typing import Any, Protocol

from twisted.logger import Logger

from socketsuite.daemon.config.configuration import Configuration
from socketsuite.daemon.config.frontends import WHERE, FrontendConfiguration
from socketsuite.daemon.config.process_settings import ProcessSettings
from socketsuite.daemon.errors import cause_text
from socketsuite.daemon.serve.factories import Factories
from socketsuite.daemon.serve.hooks import hook_of
from socketsuite.settings import SettingsError, assign, settings_of

_log = Logger(namespace="socketsuite")

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
    for old_one, new_one in zip(before.frontends, after.frontends, strict=True):
        slug = old_one.prefix.replace("-", "_")
        kept = _reloadable_of(before, old_one)
        late = [name for name in own_changes(old_one, new_one) if name not in kept]
        if slug:  # where the first one listens is among the groups
            old, new = old_one.listen, new_one.listen
            late += [name for name in WHERE if getattr(old, name) != getattr(new, name)]
        changed += [f"{slug}{name}" for name in late]
    return list(dict.fromkeys(name.replace("_", "-") for name in changed))


class _WithOwn(Protocol):
    """A service's or a frontend's configuration."""

    own: dict[str, Any]


def own_changes(before: _WithOwn, after: _WithOwn) -> dict[str, Any]:
    """Return the settings of a service's or frontend's own that changed, with their new values."""
    return {name: after.own.get(name) for name in before.own if before.own[name] != after.own[name]}


def _reloadable_of(configuration: Configuration, frontend: FrontendConfiguration) -> frozenset[str]:
    if frontend.build is None:
        return frozenset()
    return reloadable(configuration.plugin.load_frontend(frontend.frontend))


def reloadable(group: Any) -> frozenset[str]:
    """Return the names of the settings of *group* that a reload changes."""
    return frozenset(item.name for item in settings_of(group) if item.reload)


def take_over_limits(before: Configuration, after: Configuration) -> None:
    """Give *before* what *after* says of admission, TLS and limits."""
    for name in reloadable(type(before.limits)):
        setattr(before.limits, name, getattr(after.limits, name))
    before.admission, before.tls = after.admission, after.tls
    before.udp_limits = after.udp_limits


def take_over_own(before: Configuration, after: Configuration, factories: Factories) -> None:
    """Give the service's object, and its frontends' factories, what of their own has changed."""
    if before.plugin.target != after.plugin.target:
        return
    kept = reloadable(before.plugin.load())
    _reload_own(before, after, kept, factories.service, before.name)
    for old_one, new_one in zip(before.frontends, after.frontends, strict=True):
        factory = factories.by_frontend.get(old_one.name)
        kept = _reloadable_of(before, old_one)
        if factory is not None and kept:
            _reload_own(old_one, new_one, kept, factory, before.name)
    for one in factories.all:
        _reread_files(one, before.name)


def _reload_own(
    before: _WithOwn, after: _WithOwn, kept: frozenset[str], factory: Any, service: str
) -> None:
    changes = own_changes(before, after)
    changed = {name: value for name, value in changes.items() if name in kept}
    before.own.update(changed)
    try:
        tell_factory(factory, changed)
    except Exception:  # noqa: BLE001 - a stranger's code: it costs its own settings alone
        _log.failure("{service}: settings_reloaded() raised", service=service)


def tell_factory(factory: Any, changed: dict[str, Any]) -> None:
    """Set what has *changed* on *factory*, and tell it, if it wants to be told.

    :param changed: the service's own settings that a reload changes, by name.
    """
    for name, value in changed.items():
        assign(factory, name, value)
    reloaded = hook_of(factory, "settings_reloaded")
    if changed and reloaded is not None:
        reloaded(changed)


def _reread_files(factory: Any, service: str) -> None:
    """Have *factory* read again what its settings name, if it wants to."""
    reread = hook_of(factory, "reload_service")
    if reread is None:
        return
    try:
        reread()
    except SettingsError as error:
        _keeps(service, " ".join(str(error).split()))
    except OSError as error:
        name = f"{os.fsdecode(error.filename)}: " if error.filename else ""
        _keeps(service, name + cause_text(error))
    except Exception:  # noqa: BLE001 - a stranger's code: it costs what it would have read
        _log.failure("{service}: reload_service() raised", service=service)


def _keeps(service: str, why: str) -> None:
    text = "{service}: {why}; what was read before stays"
    _log.error(text, service=service, why=why)


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
