"""The figures that a service keeps of itself: what they count, and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest

from socketsuite.figures import (
    MOST_FIGURES,
    MOST_SAMPLES,
    Counter,
    Figures,
    Gauge,
    Histogram,
)


def test_what_was_counted_is_what_the_figures_say() -> None:
    figures = Figures()
    lines = figures.counter("lines_total", "Lines")
    members = figures.gauge("members", "Members", labels=["room"])
    waited = figures.histogram("waited_seconds", "Waited", buckets=[1, 5])
    figures.read("age", "Age", lambda: 9.0)
    lines.add()
    lines.add(2)
    members.set(float("inf"), room="lobby")
    members.set(3, room="lobby")
    members.add(-1, room="lobby")
    members.add(room=7)
    members.set(1, room="gone")
    members.forget(room="gone")
    for value in (0.5, 1.0, 4.0, 99.0):
        waited.observe(value)
    counter, gauge, histogram, age = figures
    assert counter == Counter("lines", "Lines", 3.0)
    assert gauge == Gauge("members", "Members", {("lobby",): 2.0, ("7",): 1.0}, ("room",))
    assert histogram is waited
    assert (waited.counts, waited.total) == ([2, 1, 1], 104.5)
    assert age == Gauge("age", "Age", 9.0)


@pytest.mark.parametrize(
    "make",
    [
        lambda f: f.counter("no good", ""),
        lambda f: f.counter("", ""),
        lambda f: f.gauge(7, ""),
        lambda f: f.counter("_total", ""),
        lambda f: f.gauge("lines_total", ""),
        lambda f: f.read("lines_total", "", float),
        lambda f: f.counter("there_total", ""),
        lambda f: f.gauge("there", ""),
        lambda f: f.gauge("x", "", labels="room"),
        lambda f: f.gauge("x", "", labels=["Room"]),
        lambda f: f.gauge("x", "", labels=["service"]),
        lambda f: f.gauge("x", "", labels=["le"]),
        lambda f: f.gauge("x", "", labels=["a", "a"]),
        lambda f: f.gauge("x", "", labels=[f"label_{n}" for n in range(9)]),
        lambda f: f.histogram("x", "", buckets=[]),
        lambda f: f.histogram("x", "", buckets=[1, 1]),
        lambda f: f.histogram("x", "", buckets=[2, 1]),
        lambda f: f.histogram("x", "", buckets=[1, float("inf")]),
        lambda f: f.histogram("x", "", buckets=[float("nan")]),
        lambda f: f.histogram("x", "", buckets=[float("nan"), 1.0]),
        lambda f: f.histogram("x", "", buckets=[float("-inf"), 1.0]),
        lambda f: f.histogram("x", "", buckets=range(51)),
    ],
)
def test_what_cannot_be_a_figure_is_refused_where_it_is_made(make: Any) -> None:
    figures = Figures()
    figures.counter("there", "")
    with pytest.raises(ValueError, match=r"\w"):
        make(figures)
    assert len(list(figures)) == 1


def test_wrong_use_is_refused_and_counts_nothing() -> None:
    figures = Figures()
    rooms = figures.gauge("rooms", "", labels=["room"])
    lines = figures.counter("lines", "")
    waited = figures.histogram("waited", "")
    for wrong in ({}, {"rom": 1}, {"room": 1, "x": 2}):
        with pytest.raises(TypeError):
            rooms.set(1, **wrong)
    with pytest.raises(TypeError):
        lines.add(room="x")
    for less in (-1, float("nan")):
        with pytest.raises(ValueError, match="does not fall"):
            lines.add(less)
    with pytest.raises(ValueError, match="NaN"):
        waited.observe(float("nan"))
    assert [one.value for one in figures if not isinstance(one, Histogram)] == [{}, 0.0]
    assert sum(waited.counts) == 0


def test_neither_figures_nor_label_values_grow_without_bound() -> None:
    figures = Figures()
    peers = figures.counter("peers", "", labels=["peer"])
    for number in range(MOST_SAMPLES + 5):
        peers.add(peer=number)
    peers.add(peer=0)
    peers.add(peer="0" * 5000)
    (told,) = figures
    assert not isinstance(told, Histogram)
    assert isinstance(told.value, dict)
    assert (len(told.value), told.value[("0",)], figures.left_out) == (MOST_SAMPLES, 2.0, 6)
    rooms = figures.gauge("rooms", "", labels=["room"])
    rooms.set(1, room="x" * 5000)
    assert next(iter(list(figures)[1].value)) == ("x" * 100,)  # type: ignore[union-attr, arg-type]
    for number in range(MOST_FIGURES - 2):
        figures.gauge(f"g{number}", "")
    with pytest.raises(ValueError, match="at most 64"):
        figures.gauge("one_more", "")
