"""A daemon's status as columns for a pipe, and as tables for a person.

This module must not know where a status comes from; a value in it is never trusted to be
fit for a terminal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from socketsuite.framing.printable import printable

Status = Mapping[str, Any]

_HEADINGS = ("ID", "SERVICE", "TRANSPORT", "PEER", "AGE", "IN", "OUT", "QUEUED", "IDLE")
_KEYS = ("id", "service", "transport", "peer", "age", "bytes_in", "bytes_out", "queued", "idle")
_PROCESS_KEYS = ("pid", "state", "uptime", "version")
_BUSY_QUEUE = 64 << 10
_SLOW_LOOP = 0.1
_FRAME_LINES = 12


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


def tables(status: Status, before: Status | None = None, height: int = 0) -> RenderableType:
    """Return *status* for a terminal.

    :param before: the status before it; rates are shown if there is one.
    :param height: lines there are room for; 0 is no limit.
    """
    rates = _rates(before, status)
    reasons = [line for one in status["services"] for line in _reasons(one)]
    parts = [
        _services(status, rates),
        *(Text(line, style="dim", overflow="ellipsis", no_wrap=True) for line in reasons),
        _connections(status, rates, height - len(reasons) if height else 0),
    ]
    process = status["process"]
    title = Text.assemble(
        (f" {_safe(process['command'])} ", "bold"),
        (f"pid {process['pid']} ", "dim"),
    )
    return Panel(Group(_summary(process), *parts), title=title, title_align="left", box=box.ROUNDED)


def _summary(process: Mapping[str, Any]) -> Text:
    serving = process["state"] == "serving"
    recent = process["loop_delay"]["recent"]
    return Text.assemble(
        ("● ", "green" if serving else "yellow"),
        (_safe(process["state"]), "bold green" if serving else "bold yellow"),
        f"   up {duration(process['uptime'])}   loop delay ",
        (f"{recent * 1000:.1f} ms", "red" if recent >= _SLOW_LOOP else ""),
        (f"   version {_safe(process['version'])}", "dim"),
    )


def _services(status: Status, rates: Mapping[Any, tuple[float, float]]) -> Table:
    table = _table(("SERVICE", "LISTENERS"), ("OPEN", "TOTAL", "REFUSED", "IN", "OUT", "QUEUED"))
    for one in status["services"]:
        listeners = "\n".join(_listener(each) for each in one["listeners"])
        refused = sum(one["refused"].values())
        table.add_row(
            Text(_safe(one["name"]), style="bold"),
            Text(listeners or "none", style="cyan" if listeners else "dim"),
            str(one["open"]),
            str(one["opened"]),
            Text(str(refused), style="yellow" if refused else "dim"),
            *_traffic(one, rates.get(one["name"])),
            _queue(one["queued"]),
        )
    return table


def _connections(
    status: Status, rates: Mapping[Any, tuple[float, float]], height: int
) -> RenderableType:
    rows: Sequence[Mapping[str, Any]] = status["connections"]
    if height:
        listeners = sum(max(1, len(one["listeners"])) for one in status["services"])
        rows = rows[: max(1, height - listeners - _FRAME_LINES)]
    if not status["total"]:
        return Text("nobody is connected", style="dim")
    table = _table(_HEADINGS[:4], _HEADINGS[4:])
    for row in rows:
        idle = row["idle"]
        table.add_row(
            Text(str(row["id"]), style="bold"),
            *(Text(_safe(row[key])) for key in ("service", "transport", "peer")),
            duration(row["age"]),
            *_traffic(row, rates.get(row["id"])),
            _queue(row["queued"]),
            Text("-" if idle is None else duration(idle), style="dim"),
        )
    left_out = status["total"] - len(rows)
    more = Text(f"and {left_out} more", style="dim")
    return Group(table, *([more] if left_out else []))


def _table(words: Iterable[str], numbers: Iterable[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", expand=True)
    for word in words:
        table.add_column(word, overflow="fold")
    for number in numbers:
        table.add_column(number, justify="right", no_wrap=True)
    return table


def _traffic(row: Mapping[str, Any], rate: tuple[float, float] | None) -> list[Text]:
    """Return the cells for bytes in and out: so many in all, or so many a second."""
    if rate is None:
        return [Text(size(row["bytes_in"])), Text(size(row["bytes_out"]))]
    return [Text(f"{size(each)}/s", style="green" if each else "dim") for each in rate]


def _rates(before: Status | None, now: Status) -> dict[Any, tuple[float, float]]:
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
    if port is None:
        return f"{_safe(one['transport'])} {address}"
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
