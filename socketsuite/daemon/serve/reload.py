"""What a reload may change, and what needs a restart.

Compares two configurations; opens and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

from socketsuite.daemon.config.configuration import Configuration
from socketsuite.daemon.config.process_settings import ProcessSettings

# These are looked at anew for every connection, or swept over; everything else has been
# built into sockets and factories by the time a reload comes.
RELOADABLE = frozenset(
    {
        "allow",
        "deny",
        "drain_timeout",
        "first_byte_timeout",
        "half_close_timeout",
        "handshake_timeout",
        "idle_timeout",
        "max_connections",
        "max_connections_per_host",
        "max_rate_per_host",
        "proxy_from",
        "rate_window",
        "send_queue_seconds",
        "send_queue_soft",
        "tls_cert",
        "tls_client_ca",
        "tls_key",
        "udp_rate",
        "udp_source_ports",
        "write_timeout",
    }
)


_GROUPS = ("listen", "transports", "udp", "tls", "admission", "limits", "udp_limits", "log")


def needs_restart(before: Configuration, after: Configuration) -> list[str]:
    """Return the keys of the settings that changed and cannot take effect by a reload."""
    if before.plugin.target != after.plugin.target:
        return ["service"]
    changed = []
    for group in _GROUPS:
        changed += _changed(getattr(before, group), getattr(after, group))
    changed += [name for name in before.own if before.own[name] != after.own.get(name)]
    return [name.replace("_", "-") for name in changed if name not in RELOADABLE]


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
