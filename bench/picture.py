"""The outcome as a picture: eight workloads, a bar for each peer, as an SVG of plain shapes.

A bar is our cost divided by the peer's: shorter is better, the line at 1 is a draw.  A peer
has one colour, everywhere.  Readable on light and dark backgrounds, so nothing in it is black,
white, or a background.  ``python -m bench.picture FILE.json`` draws what a run has stored.
This module must not measure anything.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

# Of all workloads, those that a service's user would ask about first, and their short titles.
SHOWN = {
    "tcp-echo-64": "TCP echo, 64 B",
    "udp-echo-64": "UDP echo, 64 B",
    "tls-echo-64": "TLS 1.3 echo, 64 B",
    "chat-50-one": "Chat, 50 readers",
    "file-sink": "File sink",
    "irc-50-one": "IRC, room of 50",
    "websocket-200": "WebSocket, 200",
    "socketio-200": "Socket.IO, 200",
}
PEERS = {
    "twisted": ("stock Twisted", "#3a82d0"),
    "uvloop": ("uvloop", "#b77a00"),
    "node": ("Node", "#3c9150"),
    "c": ("bare C", "#9161d0"),
    "ngircd": ("ngircd", "#c2553f"),
    "inspircd": ("InspIRCd", "#1f8f9c"),
    "ws": ("ws (npm)", "#6f8a12"),
    "socket.io": ("socket.io (npm)", "#c04f8f"),
}
_LEGEND_ROW = 4
_TEXT = "#737b84"
_WIDTH, _LEFT, _RIGHT = 700, 172, 64
_TOP, _BAR, _STEP, _GAP = 116, 13, 16, 16
_CAPTION = "CPU time of socketsuite, divided by that of each peer: shorter is better"


@dataclass(frozen=True)
class Bars:
    """One workload: its short title, what is counted, and our ratio to each peer."""

    title: str
    figure: str
    ratios: Mapping[str, float]


def bars(outcomes: Sequence[Mapping[str, Any]]) -> list[Bars]:
    """Return what is shown of *outcomes*, which are as :func:`bench.report.data` gives them."""
    by_name = {one["workload"]: one for one in outcomes}
    made = []
    for name, title in SHOWN.items():
        if name not in by_name:
            continue
        measured = {one["name"]: one["ratio"] for one in by_name[name]["servers"]}
        ratios = {peer: measured[peer]["median"] for peer in PEERS if measured.get(peer)}
        if ratios:
            made.append(Bars(title, by_name[name]["figure"], ratios))
    return made


def draw(groups: Sequence[Bars]) -> str:
    """Return the SVG."""
    longest = max([1.0, *(ratio for group in groups for ratio in group.ratios.values())])
    scale = (_WIDTH - _LEFT - _RIGHT) / longest
    shapes: list[str] = []
    y = _TOP
    for group in groups:
        shapes += ["<g>", *_group(group, y, scale), "</g>"]
        y += _STEP * max(2, len(group.ratios)) + _GAP
    height = y - _GAP + 12
    draw_at = _LEFT + scale
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}"'
        f' width="{_WIDTH}" height="{height}" font-family="sans-serif" font-size="13"'
        f' role="img" aria-label="{_CAPTION}">'
    )
    draw_line = (
        f'<line x1="{draw_at:.1f}" x2="{draw_at:.1f}" y1="{_TOP - 6}" y2="{height - 6}"'
        f' stroke="{_TEXT}" stroke-width="1.5" stroke-dasharray="4 3"/>'
    )
    # Drawn over the bars that pass it, so that the draw is to be seen in each of them.
    return "\n".join([head, *_legend(), *shapes, draw_line, *_axis(draw_at), "</svg>", ""])


def _legend() -> Iterator[str]:
    yield _text(12, 22, _CAPTION, bold=True)
    x, y = _LEFT, 37
    for number, (label, colour) in enumerate(PEERS.values(), 1):
        yield f'<rect x="{x}" y="{y}" width="13" height="13" rx="2" fill="{colour}"/>'
        yield _text(x + 19, y + 11, label)
        x += 52 + round(7.2 * len(label))
        if number == _LEGEND_ROW:
            x, y = _LEFT, y + 20


def _axis(draw_at: float) -> Iterator[str]:
    yield _text(draw_at - 8, _TOP - 14, "← ours costs less", anchor="end", size=12)
    yield _text(draw_at + 8, _TOP - 14, "ours costs more →", size=12)


def _group(group: Bars, y: float, scale: float) -> Iterator[str]:
    yield _text(_LEFT - 12, y + 11, group.title, bold=True, anchor="end")
    yield _text(_LEFT - 12, y + 27, group.figure, anchor="end", size=11)
    for peer, ratio in group.ratios.items():
        label, colour = PEERS[peer]
        length = ratio * scale
        yield (
            f'<rect x="{_LEFT}" y="{y}" width="{length:.1f}" height="{_BAR}" rx="2"'
            f' fill="{colour}"><title>{escape(f"{group.title}: {ratio:.2f}× {label}")}</title>'
            "</rect>"
        )
        yield _text(_WIDTH - 12, y + 11, f"{ratio:.2f}×", anchor="end")
        y += _STEP


def _text(
    x: float, y: float, text: str, *, bold: bool = False, anchor: str = "start", size: int = 0
) -> str:
    more = ' font-weight="bold"' if bold else ""
    more += f' font-size="{size}"' if size else ""
    place = f'x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}"'
    return f'<text {place} fill="{_TEXT}"{more}>{escape(text)}</text>'


if __name__ == "__main__":
    sys.stdout.write(draw(bars(json.loads(Path(sys.argv[1]).read_text())["outcomes"])))
