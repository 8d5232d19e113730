"""A daemon's status as columns for a pipe, and as lines that fit a person's terminal.

This module must not know where a status comes from; a value in it is never trusted to be
fit for a terminal.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from socketsuite.cli.columns import Column, table
from socketsuite.cli.status_connections import (
    Rates,
    Status,
    connections,
    has_frontends,
    plain_rows,
    queue,
    traffic,
)
from socketsuite.cli.units import duration, safe
from socketsuite.service import MAIN

_SERVICE_COLUMNS = (
    Column("SERVICE", 0, cut=True),
    Column("OPEN", 1, right=True),
    Column("TOTAL", 4, right=True),
    Column("REFUSED", 3, right=True),
    Column("IN", 5, right=True),
    Column("OUT", 5, right=True),
    Column("QUEUED", 6, right=True),
    Column("LISTENERS", 2),
)
_PROCESS_KEYS = ("pid", "state", "uptime", "version")
_SLOW_LOOP = 0.1


def plain(status: Status) -> str:
    """Return *status* for a pipe: exact numbers, aligned columns, no colour."""
    process = status["process"]
    numbers = " ".join(f"{name}={safe(process[name])}" for name in _PROCESS_KEYS)
    head = [f"process {safe(process['command'])} {numbers}"]
    several = has_frontends(status)
    for service in status["services"]:
        numbers = " ".join(
            f"{name}={service[name]}"
            for name in ("open", "opened", "bytes_in", "bytes_out", "queued")
        )
        refused = sum(service["refused"].values())
        head.append(f"service {safe(service['name'])} {numbers} refused={refused}")
        head += _frontends(service) if several else []
        head += [f"listener {_listener(one)}" for one in service["listeners"]]
        head += _reasons(service)
        head += _failing(service)
    return "\n".join([*head, *plain_rows(status)])


def _frontends(service: Mapping[str, Any]) -> list[str]:
    """Return how much each frontend of *service* has to do."""
    return [
        f"frontend {safe(service['name'])} {safe(name)} "
        + " ".join(f"{key}={counts[key]}" for key in ("open", "opened", "bytes_in", "bytes_out"))
        for name, counts in service["frontends"].items()
    ]


def _reasons(service: Mapping[str, Any]) -> list[str]:
    """Return why connections of *service* were refused and closed, and how often."""
    counted = ((event, service[event]) for event in ("refused", "closed"))
    return [
        f"{event} {safe(service['name'])} "
        + " ".join(f"{safe(label)}={count}" for label, count in counts.items())
        for event, counts in counted
        if counts
    ]


def _failing(service: Mapping[str, Any]) -> list[str]:
    """Return what the health checks of *service* find wrong."""
    checks = service.get("checks", {})
    return [
        f"failing {safe(service['name'])} {safe(name)}: {safe(text)}"
        for name, text in checks.items()
        if text != "ok"
    ]


def head(status: Status, rates: Rates, width: int) -> list[Text]:
    """Return the process and its services, as lines of at most *width* cells."""
    rows = [row for one in status["services"] for row in _service_rows(one, rates)]
    headings, lines = table(_SERVICE_COLUMNS, rows, width)
    summary = _summary(status["process"])
    summary.truncate(width, overflow="ellipsis")
    reasons = [Text(line, style="dim") for one in status["services"] for line in _reasons(one)]
    failing = [Text(line, style="red") for one in status["services"] for line in _failing(one)]
    for line in (*failing, *reasons):
        line.truncate(width, overflow="ellipsis")
    return [summary, Text(), headings, *lines, *failing, *reasons]


def whole(status: Status, width: int) -> list[Text]:
    """Return everything in *status* as lines of at most *width* cells."""
    headings, lines = connections(status, {}, width)
    return [*head(status, {}, width), Text(), headings, *lines]


def _summary(process: Mapping[str, Any]) -> Text:
    serving = process["state"] == "serving"
    recent = process["loop_delay"]["recent"]
    return Text.assemble(
        ("● ", "green" if serving else "yellow"),
        (safe(process["command"]), "bold"),
        " ",
        (safe(process["state"]), "bold green" if serving else "bold yellow"),
        f"  up {duration(process['uptime'])}  loop delay ",
        (f"{recent * 1000:.1f} ms", "red" if recent >= _SLOW_LOOP else ""),
        (f"  pid {process['pid']}  version {safe(process['version'])}", "dim"),
    )


def _service_rows(one: Mapping[str, Any], rates: Rates) -> list[list[Text]]:
    refused = sum(one["refused"].values())
    numbers = [
        Text(str(one["open"])),
        Text(str(one["opened"])),
        Text(str(refused), style="yellow" if refused else "dim"),
        *traffic(one, rates.get(one["name"])),
        queue(one["queued"]),
    ]
    listeners = [Text(_listener(each), style="cyan") for each in one["listeners"]]
    first, *others = listeners or [Text("none", style="dim")]
    blank = [Text() for _ in (None, *numbers)]
    rows = [[Text(safe(one["name"]), style="bold"), *numbers, first]]
    return rows + [[*blank, each] for each in others]


def rates_of(before: Status | None, now: Status) -> dict[Any, tuple[float, float]]:
    """Return bytes in and out a second, by connection id and by service name."""
    if before is None:
        return {}
    seconds = now["process"]["uptime"] - before["process"]["uptime"]
    if seconds <= 0:
        return {}
    old = _by_key(before)
    return {
        key: (
            max(0.0, row["bytes_in"] - old[key]["bytes_in"]) / seconds,
            max(0.0, row["bytes_out"] - old[key]["bytes_out"]) / seconds,
        )
        for key, row in _by_key(now).items()
        if key in old
    }


def _by_key(status: Status) -> dict[Any, Mapping[str, Any]]:
    services = {one["name"]: one for one in status["services"]}
    return {**services, **{one["id"]: one for one in status["connections"]}}


def _listener(one: Mapping[str, Any]) -> str:
    frontend = one.get("frontend", MAIN)
    io = f" io={safe(one['io'])}" if one.get("io") else ""
    return _where(one) + io + ("" if frontend == MAIN else f" frontend={safe(frontend)}")


def _where(one: Mapping[str, Any]) -> str:
    address, port = safe(one["address"]), one["port"]
    if port is None:  # a Unix socket's address has the word in it
        kind = safe(one["transport"])
        return address if address.startswith(f"{kind}:") else f"{kind} {address}"
    return (
        f"{safe(one['transport'])} " + (f"[{address}]" if ":" in address else address) + f":{port}"
    )
