"""The table, the data and the picture, of an outcome that is made up."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from bench.figures import Round
from bench.picture import PEERS, Bars, bars, draw
from bench.report import data, summary, table
from bench.session import Outcome
from bench.tables import tables
from bench.workloads import Workload

DOCS = Path(__file__).parents[2] / "docs"
LABELS = {"ours": "socketsuite", "node": "Node <20>", "c": "C epoll", "uvloop": "uvloop"}


def rounds(*cpu: float, load: float = 0.5) -> list[Round]:
    return [Round(100_000, 1, one, load, 0, 0, 0) for one in cpu]


@pytest.fixture
def outcome() -> Outcome:
    targets = {"node": 0.75, "c": 1.25}
    workload = Workload(
        "echo", "Echo & all", "tcp-echo", "tcp", {"connections": 1}, rate=5000, targets=targets
    )
    return Outcome(
        workload,
        rounds={"ours": rounds(0.6, 0.6), "node": rounds(0.8, 1.0), "c": rounds(0.3, 0.3, load=1)},
        latency={"ours": Round(100, 1, 0, 0, p50_us=20, p99_us=50, lost=0)},
        failed={"uvloop": "did not start"},
    )


def test_the_table_holds_figures_ratios_verdicts_and_excuses(outcome: Outcome) -> None:
    shown = table([outcome], LABELS)
    title, head, ours, node, c, *notes = shown.splitlines()
    assert title == "Echo & all"
    assert "CPU µs per message" in head
    assert "p50 / p99 µs at 5,000 messages/s" in head
    assert ours.split() == ["socketsuite", "6", "100,000/s", "(", "60%)", "20", "/", "50"]
    assert "0.68× (0.64–0.71) ≤ 0.75 met" in " ".join(node.split())
    assert "2.00× (2.00–2.00) ≤ 1.25 NOT MET" in " ".join(c.split())
    assert notes == [
        "  generator-bound, could do more than shown: C epoll",
        "  not saturated, neither core was busy (other work on them?): socketsuite",
        "  uvloop: left out, did not start",
    ]
    assert summary([outcome], LABELS) == "targets met: 1 of 2"


def test_without_ours_there_is_nothing_to_compare(outcome: Outcome) -> None:
    del outcome.rounds["ours"]
    assert "×" not in table([outcome], LABELS)
    assert summary([outcome], LABELS) == "targets met: 0 of 0"


def test_the_data_is_json_and_holds_every_round(outcome: Outcome) -> None:
    (read,) = json.loads(json.dumps(data([outcome], LABELS)))
    assert [one["name"] for one in read["servers"]] == ["ours", "node", "c"]
    assert [one["met"] for one in read["servers"]] == [None, True, False]
    assert [one["server_cpu"] for one in read["servers"][1]["rounds"]] == [0.8, 1.0]
    assert read["failed"] == {"uvloop": "did not start"}


SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def stored(outcome: Outcome) -> list[dict[str, Any]]:
    """What a run stores, of a workload that is in the picture and of one that is not."""
    left_out = Outcome(replace(outcome.workload, name="other"), rounds=outcome.rounds)
    shown = Outcome(replace(outcome.workload, name="tcp-echo-64"), rounds=outcome.rounds)
    made: list[dict[str, Any]] = json.loads(json.dumps(data([left_out, shown], LABELS)))
    return made


def test_the_picture_has_a_bar_for_each_peer_as_long_as_its_ratio(
    stored: list[dict[str, Any]],
) -> None:
    svg = ElementTree.fromstring(draw(bars(stored)))
    (group,) = svg.iter(f"{SVG}g")
    lengths = [float(bar.attrib["width"]) for bar in group.iter(f"{SVG}rect")]
    assert lengths[0] / lengths[1] == pytest.approx(0.675 / 2.0, abs=0.001)
    assert [text.text for text in group.iter(f"{SVG}text")] == [
        "TCP echo, 64 B",
        "CPU µs per message",
        "0.68×",
        "2.00×",
    ]


def test_the_table_of_a_document_has_the_ratios_and_their_quartiles(
    stored: list[dict[str, Any]],
) -> None:
    head, _, *rows = tables(stored).splitlines()
    assert head == "| workload | ours | to stock Twisted | to uvloop | to Node | to bare C |"
    assert rows == [
        "| Echo & all | 6 µs per message | – | – | 0.68× (0.64–0.71) | 2.00× (2.00–2.00) |",
        "| TCP echo, 64 B | 6 µs per message | – | – | 0.68× (0.64–0.71) | 2.00× (2.00–2.00) |",
    ]


def test_a_peer_has_its_own_colour_which_the_legend_shows(stored: list[dict[str, Any]]) -> None:
    svg = ElementTree.fromstring(draw(bars(stored)))
    (group,) = svg.iter(f"{SVG}g")
    used = [bar.attrib["fill"] for bar in group.iter(f"{SVG}rect")]
    legend = [bar.attrib["fill"] for bar in svg.findall(f"{SVG}rect")]
    assert len(set(legend)) == len(legend) == 8
    assert used == [PEERS["node"][1], PEERS["c"][1]]
    assert set(used) < set(legend)


def test_nothing_in_the_picture_reaches_beyond_its_edge() -> None:
    drawn = draw([Bars("TCP echo, 64 B", "CPU µs per message", dict.fromkeys(PEERS, 7.5))])
    svg = ElementTree.fromstring(drawn)
    width, height = float(svg.attrib["width"]), float(svg.attrib["height"])
    for bar in svg.iter(f"{SVG}rect"):
        assert float(bar.attrib["x"]) + float(bar.attrib["width"]) < width
        assert float(bar.attrib["y"]) + float(bar.attrib["height"]) < height


def test_the_picture_needs_nothing_from_elsewhere(stored: list[dict[str, Any]]) -> None:
    shown = draw(bars(stored))
    assert shown.count("http") == 1  # the namespace
    assert "<script" not in shown


def test_the_documents_picture_shows_the_figures_of_the_documents_table() -> None:
    table: dict[str, list[str]] = {}
    for row in (DOCS / "performance.md").read_text().splitlines():
        if row.startswith("|"):  # a later table may have more on a workload
            table.setdefault(row.split("|")[1].strip(), re.findall(r"\d+\.\d\d×", row))
    svg = ElementTree.fromstring((DOCS / "bench.svg").read_text())
    groups = [[text.text for text in group.iter(f"{SVG}text")] for group in svg.iter(f"{SVG}g")]
    assert len(groups) == 8
    for title, _, *ratios in groups:
        assert title is not None
        assert ratios == table[title]
