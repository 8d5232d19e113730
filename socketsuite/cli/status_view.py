"""A daemon's status as columns for a pipe, and as lines that fit a person's terminal.

This module must not know where a status comes from; a value in it is never trusted to be
fit for a terminal.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from socketsuite.cli.columns import Column, table
from socketsuite.wire.printable import printable

Status = Mapping[str, Any]
Rates = Mapping[Any, tuple[float, float]]

_HEADINGS = ("ID", "SERVICE", "TRANSPORT", "PEER", "AGE", "IN", "OUT", "QUEUED", "IDLE")
_KEYS = ("id", "service", "transport", "peer", "age", "bytes_in", "bytes_out", "queued", "idle")
_COLUMNS = (
    Column("ID", 2, right=True),
    Column("SERVICE", 6, cut=True),
    Column("TRANSPORT", 7, cut=True),
    Column("PEER", 0),
    Column("AGE", 4, right=True),
    Column("IN", 3, right=True),
    Column("OUT", 3, right=True),
    Column("QUEUED", 1, right=True),
    Column("IDLE", 5, right=True),
)
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
_BUSY_QUEUE = 64 << 10
_SLOW_LOOP = 0.1

# What --watch can sort by: the heading, the key, and whether the largest comes first.
ORDERS: tuple[tuple[str, str, bool], ...] = (
    ("QUEUED", "queued", True),
    ("IN", "bytes_in", True),
    ("OUT", "bytes_out", True),
    ("AGE", "age", True),
    ("IDLE", "idle", True),
    ("PEER", "peer", False),
    ("ID", "id", False),
)


def plain(status: Status) -> str:
    """Return *status* for a pipe: exact numbers, aligned columns, no colour."""
    process = status["process"]
    numbers = " ".join(f"{name}={_safe(process[name])}" for name in _PROCESS_KEYS)
    head = [f"process {_safe(process['command'])} {numbers}"]
    for service in status["services"]:
        numbers = " ".join(
            f"{name}={service[name]}"
            for name in ("open", "opened", "bytes_in", "bytes_out", "queued")
        )
        refused = sum(service["refused"].values())
        head.append(f"service {_safe(service['name'])} {numbers} refused={refused}")
        head += [f"listener {_listener(one)}" for one in service["listeners"]]
        head += _reasons(service)
    rows = [_HEADINGS, *(tuple(_cell(row[key]) for key in _KEYS) for row in status["connections"])]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    left_out = status["total"] - len(status["connections"])
    return "\n".join([*head, *lines, *([f"and {left_out} more"] if left_out else [])])


def _reasons(service: Mapping[str, Any]) -> list[str]:
    """Return why connections of *service* were refused and closed, and how often."""
    counted = ((event, service[event]) for event in ("refused", "closed"))
    return [
        f"{event} {_safe(service['name'])} "
        + " ".join(f"{_safe(label)}={count}" for label, count in counts.items())
        for event, counts in counted
        if counts
    ]


def head(status: Status, rates: Rates, width: int) -> list[Text]:
    """Return the process and its services, as lines of at most *width* cells."""
    rows = [row for one in status["services"] for row in _service_rows(one, rates)]
    headings, lines = table(_SERVICE_COLUMNS, rows, width)
    summary = _summary(status["process"])
    summary.truncate(width, overflow="ellipsis")
    reasons = [Text(line, style="dim") for one in status["services"] for line in _reasons(one)]
    for line in reasons:
        line.truncate(width, overflow="ellipsis")
    return [summary, Text(), headings, *lines, *reasons]


def connections(
    status: Status, rates: Rates, width: int, order: int = 0, *, backwards: bool = False
) -> tuple[Text, list[Text]]:
    """Return the headings and a line for each connection, of at most *width* cells.

    :param order: the index in :data:`ORDERS` to sort by.
    """
    heading, key, falling = ORDERS[order]
    known = sorted(
        status["connections"],
        key=lambda row: _sort_key(row, key, rates),
        reverse=falling != backwards,
    )
    headings, lines = table(_COLUMNS, [_connection_cells(row, rates) for row in known], width)
    headings.highlight_words([heading], "reverse")
    left_out = status["total"] - len(known)
    if not status["total"]:
        return Text("nobody is connected", style="dim"), []
    if left_out:
        more = Text(f"and {left_out} more", style="dim")
        more.truncate(width, overflow="ellipsis")
        lines.append(more)
    return headings, lines


def _sort_key(row: Status, key: str, rates: Rates) -> Any:
    if key == "peer":
        return str(row["peer"])
    rate = rates.get(row["id"])
    if rate is not None and key in ("bytes_in", "bytes_out"):
        return rate[key == "bytes_out"]
    return row[key] if row[key] is not None else -1


def whole(status: Status, width: int) -> list[Text]:
    """Return everything in *status* as lines of at most *width* cells."""
    headings, lines = connections(status, {}, width)
    return [*head(status, {}, width), Text(), headings, *lines]


def _summary(process: Mapping[str, Any]) -> Text:
    serving = process["state"] == "serving"
    recent = process["loop_delay"]["recent"]
    return Text.assemble(
        ("● ", "green" if serving else "yellow"),
        (_safe(process["command"]), "bold"),
        " ",
        (_safe(process["state"]), "bold green" if serving else "bold yellow"),
        f"  up {duration(process['uptime'])}  loop delay ",
        (f"{recent * 1000:.1f} ms", "red" if recent >= _SLOW_LOOP else ""),
        (f"  pid {process['pid']}  version {_safe(process['version'])}", "dim"),
    )


def _service_rows(one: Mapping[str, Any], rates: Rates) -> list[list[Text]]:
    refused = sum(one["refused"].values())
    numbers = [
        Text(str(one["open"])),
        Text(str(one["opened"])),
        Text(str(refused), style="yellow" if refused else "dim"),
        *_traffic(one, rates.get(one["name"])),
        _queue(one["queued"]),
    ]
    listeners = [Text(_listener(each), style="cyan") for each in one["listeners"]]
    first, *others = listeners or [Text("none", style="dim")]
    blank = [Text() for _ in (None, *numbers)]
    rows = [[Text(_safe(one["name"]), style="bold"), *numbers, first]]
    return rows + [[*blank, each] for each in others]


def _connection_cells(row: Mapping[str, Any], rates: Rates) -> list[Text]:
    idle = row["idle"]
    return [
        Text(str(row["id"]), style="bold"),
        *(Text(_safe(row[key])) for key in ("service", "transport", "peer")),
        Text(duration(row["age"])),
        *_traffic(row, rates.get(row["id"])),
        _queue(row["queued"]),
        Text("-" if idle is None else duration(idle), style="dim"),
    ]


def _traffic(row: Mapping[str, Any], rate: tuple[float, float] | None) -> list[Text]:
    """Return the cells for bytes in and out: so many in all, or so many a second."""
    if rate is None:
        return [Text(size(row["bytes_in"])), Text(size(row["bytes_out"]))]
    return [Text(f"{size(each)}/s", style="green" if each else "dim") for each in rate]


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


def _queue(count: int) -> Text:
    return Text(size(count), style="red" if count >= _BUSY_QUEUE else "" if count else "dim")


def _listener(one: Mapping[str, Any]) -> str:
    address, port = _safe(one["address"]), one["port"]
    if port is None:  # a Unix socket's address has the word in it
        kind = _safe(one["transport"])
        return address if address.startswith(f"{kind}:") else f"{kind} {address}"
    return (
        f"{_safe(one['transport'])} " + (f"[{address}]" if ":" in address else address) + f":{port}"
    )


def _cell(value: Any) -> str:
    return "-" if value is None or value == "" else _safe(value)


def _safe(value: Any) -> str:
    return printable(str(value).encode("utf-8", "replace")).decode()


def size(count: float) -> str:
    """Return a number of bytes as a person reads it: ``512 B``, ``1.5 KiB``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def duration(seconds: float) -> str:
    """Return a time as a person reads it: ``4.2s``, ``3m 07s``, ``2h 05m``, ``9d 04h``."""
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, whole = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes}m {whole:02}s"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours}h {minutes:02}m"
    return f"{hours // 24}d {hours % 24:02}h"
