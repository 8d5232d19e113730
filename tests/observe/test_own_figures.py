"""What a service says of itself is read with care: nothing of it breaks a page or a status."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics import exposition
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from socketsuite.figures import MOST_FIGURES, MOST_SAMPLES, Counter, Figures, Gauge, Histogram
from socketsuite.observe.own_figures import Unreadable, flat, own_families, read_figures

HOSTILE = '\x1b[2J"\n\\\ud800\u202e' + "x" * 1000


class Page:
    """A page of what a service has said, in both formats."""

    def __init__(self, said: Any) -> None:
        self._families = list(own_families({"a": read_figures(said).figures}))
        registry = CollectorRegistry(auto_describe=False)
        registry.register(self)
        assert generate_latest(registry)
        self.text = exposition.generate_latest(registry).decode()
        self.families = list(text_string_to_metric_families(self.text))

    def collect(self) -> Iterator[Any]:
        yield from self._families


def test_a_mapping_is_counters_and_gauges_by_their_names() -> None:
    read = read_figures({"rooms": 2, "lines_total": 7})
    assert [(one.kind, one.name, one.samples) for one in read.figures] == [
        ("gauge", "rooms", (((), 2.0),)),
        ("counter", "lines", (((), 7.0),)),
    ]
    assert read.complaint is None


@pytest.mark.parametrize("said", [None, 7, "text", b"bytes", object()])
def test_what_is_no_figures_at_all_is_unreadable(said: Any) -> None:
    with pytest.raises(Unreadable, match="it returned"):
        read_figures(said)


@pytest.mark.parametrize(
    "wrong",
    [
        {"no good!": 1},
        {7: 1},
        {"x": "text"},
        {"x": None},
        {"x": 10**400},
        {"x_total": -1},
        {"x_total": float("nan")},
        [7],
        [("a", "b", "c")],
        [Gauge("x", "", {"a": 1})],
        [Gauge("x", "", 1, ["room"])],
        [Gauge("x", "", {("a", "b"): 1}, ["room"])],
        [Gauge("x", "", dict.fromkeys(map(str, range(MOST_SAMPLES + 1)), 1), ["room"])],
        [Counter("x", "", {"a": -1}, ["room"])],
        [Gauge("there", "", 1)],
        [Histogram("the", "", [1]), Gauge("the_count", "", 1)],
    ],
)
def test_one_that_cannot_be_shown_is_left_out_with_the_reason_alone(wrong: Any) -> None:
    rest = wrong.items() if isinstance(wrong, dict) else wrong
    read = read_figures([Gauge("there", "", 1), *rest])
    assert len(read.figures) == len(list(rest))
    assert read.complaint
    assert "\n" not in read.complaint


def test_figures_without_an_end_and_too_many_numbers_are_cut_off() -> None:
    endless = read_figures(Gauge(f"g{n}", "", n) for n in itertools.count())
    assert (len(endless.figures), endless.complaint) == (
        MOST_FIGURES,
        "it has more than 64 figures",
    )
    half = {str(n): 1.0 for n in range(MOST_SAMPLES // 2)}
    many = read_figures([Gauge(f"g{n}", "", half, ["room"]) for n in range(3)])
    assert len(many.figures) == 2
    assert "more than 1000 numbers" in (many.complaint or "")
    figures = Figures()
    kept = figures.gauge("g", "", labels=["peer"])
    for number in range(MOST_SAMPLES + 1):
        kept.set(1, peer=number)
    assert "sets of label values" in (read_figures(figures).complaint or "")


def test_no_text_of_a_service_breaks_a_page_or_reaches_a_terminal() -> None:
    gauge = Gauge("g", HOSTILE, {HOSTILE: 1.0, "b": float("nan")}, ["room"])
    histogram = Histogram("h", HOSTILE, [1])
    histogram.observe(float("inf"))
    page = Page([gauge, histogram, Counter("c_total", "", 3)])
    assert [one.name for one in page.families] == [
        "socketsuite_service_g",
        "socketsuite_service_h",
        "socketsuite_service_c",
    ]
    assert "\x1b" not in page.text
    assert len(max(page.text.splitlines(), key=len)) < 500
    told = flat(read_figures([gauge, histogram]).figures)
    assert json.loads(json.dumps(told, allow_nan=False))['g{room="b"}'] is None
    assert told["h_count"] == 1
