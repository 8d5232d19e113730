"""What a reload may change, and what needs a restart.

Compares two configurations; opens and changes nothing.
"""

from __future__ import annotations

from dataclasses import fields

from socketsuite.daemon.configuration import Configuration

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


def needs_restart(before: Configuration, after: Configuration) -> list[str]:
    """Return the keys of the settings that changed and cannot take effect by a reload."""
    changed = []
    for group in ("listen", "transports", "udp", "tls", "admission", "limits", "log", "process"):
        old, new = getattr(before, group), getattr(after, group)
        names = [field.name for field in fields(old)]
        changed += [name for name in names if getattr(old, name) != getattr(new, name)]
    changed += [name for name in before.own if before.own[name] != after.own.get(name)]
    return [name.replace("_", "-") for name in changed if name not in RELOADABLE]
