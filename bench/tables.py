"""The outcome as tables of Markdown, for a document: ``python -m bench.tables FILE.json``.

A cell is our cost divided by the peer's, the median of the rounds' ratios, and their quartiles.
This module must not measure anything.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.picture import SHOWN

_PLAIN = {"twisted": "stock Twisted", "uvloop": "uvloop", "node": "Node", "c": "bare C"}
_OWN = {
    "ours-pure": "`--transport burst-pure`",
    "ours-without-ring": "no io_uring",
    "ours-quiet": "`--log-connections off`",
}
_OTHERS = {"ngircd": "ngircd", "inspircd": "InspIRCd", "ws": "ws", "socket.io": "socket.io"}


def tables(outcomes: Sequence[Mapping[str, Any]]) -> str:
    """Return the tables of *outcomes*, which are as :func:`bench.report.data` gives them."""
    made = [_table(outcomes, peers) for peers in (_PLAIN, _OWN, _OTHERS)]
    return "\n\n".join(one for one in made if one)


def _table(outcomes: Sequence[Mapping[str, Any]], peers: Mapping[str, str]) -> str:
    rows = [row for one in outcomes if (row := _row(one, peers))]
    if not rows:
        return ""
    heads = ["workload", "ours", *(f"to {label}" for label in peers.values())]
    return "\n".join([_line(heads), "|" + "---|" * len(heads), *rows])


def _row(outcome: Mapping[str, Any], peers: Mapping[str, str]) -> str:
    servers = {one["name"]: one for one in outcome["servers"]}
    ratios = [servers.get(name, {}).get("ratio") for name in peers]
    if "ours" not in servers or not any(ratios):
        return ""
    title = SHOWN.get(outcome["workload"], outcome["title"])
    cost = servers["ours"]["cost"]
    shown = f"{cost:,.0f}" if cost >= 100 else f"{cost:.3g}"
    return _line([title, f"{shown} {outcome['figure'].removeprefix('CPU ')}", *map(_cell, ratios)])


def _cell(ratio: Mapping[str, float] | None) -> str:
    if ratio is None:
        return "–"
    return f"{ratio['median']:.2f}× ({ratio['low']:.2f}–{ratio['high']:.2f})"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    print(tables(json.loads(Path(sys.argv[1]).read_text())["outcomes"]))
