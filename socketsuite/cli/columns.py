"""Rows of cells as lines of text that fit a terminal, however narrow it is.

What does not fit goes in this order: columns in which every row says the same, the rest of
long words, and columns by their rank.  Nothing is folded.

Pure.  This module must not know what the cells mean; they are shown as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

_GAP = 2
_SHORTEST = 6
_NOTHING = {"", "-", "0", "0 B", "0 B/s"}


@dataclass(frozen=True)
class Column:
    """One column.

    :ivar rank: 0 for what always stays; the highest goes first.
    :ivar right: set to the right, as numbers are.
    :ivar cut: whether long cells may lose their end.
    """

    heading: str
    rank: int
    right: bool = False
    cut: bool = False


def table(
    columns: Sequence[Column], rows: Sequence[Sequence[Text]], width: int
) -> tuple[Text, list[Text]]:
    """Return the headings and the rows as lines of at most *width* cells."""
    widths = {
        index: max(cell_len(text) for text in (column.heading, *(row[index].plain for row in rows)))
        for index, column in enumerate(columns)
    }
    _fit(columns, rows, widths, width)
    headings = [Text(column.heading, style="bold") for column in columns]
    lines = [_line(columns, row, widths, width) for row in (headings, *rows)]
    return lines[0], lines[1:]


def _fit(
    columns: Sequence[Column], rows: Sequence[Sequence[Text]], widths: dict[int, int], width: int
) -> None:
    """Take columns out of *widths*, and cells off them, until the rest fits."""
    by_rank = sorted(widths, key=lambda index: -columns[index].rank)
    for index in by_rank:
        if _total(widths) > width and columns[index].rank and _says_nothing(rows, index):
            del widths[index]
    for index in by_rank:
        if index in widths and columns[index].cut:
            wanted = widths[index] - max(0, _total(widths) - width)
            widths[index] = max(min(_SHORTEST, widths[index]), wanted)
    for index in by_rank:
        if _total(widths) > width and index in widths and columns[index].rank:
            del widths[index]


def _total(widths: dict[int, int]) -> int:
    return sum(widths.values()) + _GAP * (len(widths) - 1)


def _says_nothing(rows: Sequence[Sequence[Text]], index: int) -> bool:
    told = [row[index].plain for row in rows if row[index].plain]
    return set(told) <= _NOTHING or (len(told) > 1 and len(set(told)) == 1)


def _line(
    columns: Sequence[Column], row: Sequence[Text], widths: dict[int, int], width: int
) -> Text:
    line = Text()
    for index, cells in widths.items():
        cell = row[index].copy()
        cell.truncate(cells, overflow="ellipsis")
        blank = " " * (cells - cell.cell_len)
        if line.plain:
            line.append(" " * _GAP)
        line = Text.assemble(line, blank, cell) if columns[index].right else line + cell + blank
    line.rstrip()
    line.truncate(width, overflow="ellipsis")
    return line


def rendered(line: Text, *, colour: bool) -> str:
    """Return *line* for a terminal, with or without colour."""
    if not colour:
        return line.plain
    console = Console(
        file=StringIO(), force_terminal=True, color_system="standard", width=10_000, _environ={}
    )
    with console.capture() as capture:
        console.print(line, end="", no_wrap=True, highlight=False)
    return capture.get()
