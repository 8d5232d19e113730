"""The table, the data and the picture, of an outcome that is made up."""

import json
from xml.etree import ElementTree

import pytest

from bench.figures import Round
from bench.picture import draw
from bench.report import data, summary, table
from bench.session import Outcome
from bench.workloads import Workload

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
    assert "0.68× (0.60–0.75) ≤ 0.75 met" in " ".join(node.split())
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


def test_the_picture_has_a_bar_for_each_peer_as_long_as_its_ratio(outcome: Outcome) -> None:
    svg = ElementTree.fromstring(draw([outcome], LABELS))
    space = "{http://www.w3.org/2000/svg}"
    lengths = [float(bar.attrib["width"]) for bar in svg.iter(f"{space}rect")]
    texts = [text.text for text in svg.iter(f"{space}text")]
    assert lengths == [216.0, 480.0]  # 0.675 of 320, and 2.0 cut at the plot's end
    assert "0.68×" in texts
    assert "2.00× …" in texts
    assert "vs Node <20>" in texts


def test_the_picture_needs_nothing_from_elsewhere(outcome: Outcome) -> None:
    shown = draw([outcome], LABELS)
    assert shown.count("http") == 1  # the namespace
    assert "<script" not in shown
