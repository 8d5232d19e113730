"""The connections of a status as a table: for a pipe, and for a person's terminal.

There is a column for the frontend where some service has several, and one for each that services
tell of their own.  This module must not know of the process, nor of its services.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.text import Text

from socketsuite.cli.columns import Column, table
from socketsuite.cli.units import cell, duration, safe, size
from socketsuite.service import MAIN

Status = Mapping[str, Any]
Row = Mapping[str, Any]
Rates = Mapping[Any, tuple[float, float]]

_BUSY_QUEUE = 64 << 10
_MOST_OWN = 16

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


@dataclass(frozen=True)
class _Field:
    """A column, its exact value in a row, and how a person reads that."""

    column: Column
    value: Callable[[Row], Any]
    text: Callable[[Row, Rates], Text]


def _word(heading: str, key: str, rank: int, *, cut: bool = True, style: str = "") -> _Field:
    return _Field(
        Column(heading, rank, cut=cut),
        lambda row: row.get(key),
        lambda row, _: Text(safe(row[key]), style=style),
    )


def _bytes(heading: str, key: str, rank: int) -> _Field:
    return _Field(
        Column(heading, rank, right=True),
        lambda row: row[key],
        lambda row, rates: traffic(row, rates.get(row["id"]))[key == "bytes_out"],
    )


def _idle(row: Row, _: Rates) -> Text:
    idle = row["idle"]
    return Text("-" if idle is None else duration(idle), style="dim")


_ID = _Field(
    Column("ID", 2, right=True), lambda row: row["id"], lambda r, _: Text(str(r["id"]), "bold")
)
_SERVICE = _word("SERVICE", "service", 6)
_FRONTEND = _Field(
    Column("FRONTEND", 3, cut=True),
    lambda row: row.get("frontend"),
    lambda row, _: Text(cell(row.get("frontend"))),
)
_REST = (
    _word("TRANSPORT", "transport", 7),
    _word("PEER", "peer", 0, cut=False),
    _Field(
        Column("AGE", 4, right=True), lambda row: row["age"], lambda r, _: Text(duration(r["age"]))
    ),
    _bytes("IN", "bytes_in", 3),
    _bytes("OUT", "bytes_out", 3),
    _Field(
        Column("QUEUED", 1, right=True), lambda row: row["queued"], lambda r, _: queue(r["queued"])
    ),
    _Field(Column("IDLE", 5, right=True), lambda row: row["idle"], _idle),
)


def _own(name: str) -> _Field:
    def value(row: Row) -> Any:
        return row.get("own", {}).get(name)

    heading = safe(name).upper()
    return _Field(Column(heading, 2, cut=True), value, lambda row, _: Text(cell(value(row))))


def has_frontends(status: Status) -> bool:
    """Whether some service has another frontend than the only one of a simple service."""
    rows: list[Row] = [*status["connections"]]
    rows += [one for service in status["services"] for one in service["listeners"]]
    return any(row.get("frontend", MAIN) != MAIN for row in rows)


def _fields(status: Status) -> list[_Field]:
    own = dict.fromkeys(name for row in status["connections"] for name in row.get("own", {}))
    frontend = [_FRONTEND] if has_frontends(status) else []
    return [_ID, _SERVICE, *frontend, *_REST, *(_own(name) for name in list(own)[:_MOST_OWN])]


def plain_rows(status: Status) -> list[str]:
    """Return the headings and a line for each connection, with exact numbers, aligned."""
    fields = _fields(status)
    rows = [[cell(one.value(row)) for one in fields] for row in status["connections"]]
    rows.insert(0, [one.column.heading for one in fields])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return [*lines, *_left_out(status)]


def _left_out(status: Status) -> Iterator[str]:
    count = status["total"] - len(status["connections"])
    if count:
        yield f"and {count} more"


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
    fields = _fields(status)
    cells: Sequence[list[Text]] = [[one.text(row, rates) for one in fields] for row in known]
    headings, lines = table([one.column for one in fields], cells, width)
    headings.highlight_words([heading], "reverse")
    if not status["total"]:
        return Text("nobody is connected", style="dim"), []
    for text in _left_out(status):
        more = Text(text, style="dim")
        more.truncate(width, overflow="ellipsis")
        lines.append(more)
    return headings, lines


def _sort_key(row: Row, key: str, rates: Rates) -> Any:
    if key == "peer":
        return str(row["peer"])
    rate = rates.get(row["id"])
    if rate is not None and key in ("bytes_in", "bytes_out"):
        return rate[key == "bytes_out"]
    return row[key] if row[key] is not None else -1


def queue(count: int) -> Text:
    """Return the cell for bytes that peers have not taken."""
    return Text(size(count), style="red" if count >= _BUSY_QUEUE else "" if count else "dim")


def traffic(row: Mapping[str, Any], rate: tuple[float, float] | None) -> list[Text]:
    """Return the cells for bytes in and out: so many in all, or so many a second."""
    if rate is None:
        return [Text(size(row["bytes_in"])), Text(size(row["bytes_out"]))]
    return [Text(f"{size(each)}/s", style="green" if each else "dim") for each in rate]
