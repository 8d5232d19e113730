"""The outcome as a picture: a bar for each workload and peer, as an SVG of plain shapes.

A bar is our cost divided by the peer's: shorter is better, the line at 1 is a draw.
Readable on light and dark backgrounds, so nothing in it is black, white, or a background.
This module must not measure anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

from bench.contestants import OURS
from bench.report import Line, lines
from bench.session import Outcome

_LEFT, _PLOT, _RIGHT = 190, 480, 70
_ROW, _GAP, _TOP = 18, 34, 56
_LONGEST = 1.5
_TEXT = "#808890"
_TARGET = "#e5484d"
_COLOURS = {"node": "#3f9142", "uvloop": "#b08800", "asyncio": "#c9641e", "c": "#7d6fd0"}
_OTHER = "#2f81c9"


def draw(outcomes: Sequence[Outcome], labels: Mapping[str, str]) -> str:
    """Return the SVG."""
    shapes: list[str] = []
    y = _TOP
    for outcome in outcomes:
        compared = [line for line in lines(outcome, labels) if line.name != OURS and line.ratio]
        if not compared:
            continue
        shapes.append(
            _text(8, y, f"{outcome.workload.title} — {outcome.workload.figure}", bold=True)
        )
        y += 8
        for line in compared:
            shapes += _bar(line, y)
            y += _ROW
        y += _GAP
    width, height = _LEFT + _PLOT + _RIGHT, y
    draw_line = _line(1.0, _TOP - 14, height - _GAP + 4, _TEXT, dashes="5 3")
    caption = "Our cost divided by each peer's: shorter is better. Dashed: a draw. Red: to reach."
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
        f' viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12"'
        f' role="img" aria-label="{escape(caption)}">'
    )
    return "\n".join([head, _text(8, 22, caption, bold=True), draw_line, *shapes, "</svg>", ""])


def _x(value: float) -> float:
    return _LEFT + _PLOT * min(value, _LONGEST) / _LONGEST


def _text(x: float, y: float, text: str, *, bold: bool = False, anchor: str = "start") -> str:
    weight = ' font-weight="bold"' if bold else ""
    place = f'x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}"'
    return f'<text {place} fill="{_TEXT}"{weight}>{escape(text)}</text>'


def _line(value: float, top: float, bottom: float, colour: str, dashes: str = "none") -> str:
    x = f"{_x(value):.1f}"
    return (
        f'<line x1="{x}" x2="{x}" y1="{top}" y2="{bottom}" stroke="{colour}"'
        f' stroke-width="2" stroke-dasharray="{dashes}"/>'
    )


def _bar(line: Line, y: float) -> list[str]:
    if line.ratio is None:
        return []
    value, end = line.ratio.median, _x(line.ratio.median)
    colour = _COLOURS.get(line.name, _OTHER)
    label = f"{value:.2f}×" + (" …" if value > _LONGEST else "")
    size = f'width="{end - _LEFT:.1f}" height="{_ROW - 5}"'
    shapes = [
        _text(_LEFT - 8, y + 12, f"vs {line.label}", anchor="end"),
        f'<rect x="{_LEFT}" y="{y + 2}" {size} rx="2" fill="{colour}"/>',
        _text(_LEFT + _PLOT + 8, y + 12, label),
    ]
    if line.target is not None:
        shapes.append(_line(line.target, y, y + _ROW - 1, _TARGET))
    return shapes
