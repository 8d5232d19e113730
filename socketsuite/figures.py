"""Figures that a service keeps of itself: counters, gauges and histograms, typed and with labels.

A service makes one :class:`Figures`, counts with what it hands out, and returns it from
``metrics()``; or it returns :class:`Counter` and :class:`Gauge` objects that it makes when asked.
Pure.  This module must not know who reads the figures.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

MOST_FIGURES = 64
"""How many figures a service may have."""

MOST_SAMPLES = 1000
"""How many numbers they may come to together, and how many sets of label values one may have."""

SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0)
"""Bounds of buckets for how long something took."""

_MOST_BUCKETS = 50
_MOST_LABELS = 8
# Of a label's value, in characters: the rest is cut off, wherever it comes from.
_LONGEST_VALUE = 100
_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_]{0,99}")
_LABEL = re.compile(r"[a-z][a-z0-9_]{0,39}")
# What the daemon, the format and Prometheus itself put beside a service's own.
_TAKEN_LABELS = {"service", "le", "quantile", "instance", "job"}

# A number, or numbers by the values of the labels: a text, or a tuple of texts for several.
Value = float | Mapping[Any, float]


@dataclass(frozen=True)
class Counter:
    """A number that only grows, from the start of the process.

    :param name: letters, digits and ``_``; it is shown as
        ``socketsuite_service_NAME_total``, whether or not it ends in ``_total``.
    :param help: a few words of what is counted.
    :param value: the number, 0 or more; with *labels*, the numbers by the labels' values (a text,
        or a tuple of them where there are several labels).
    :param labels: their names.
    :raises ValueError: for a name that cannot be one.
    """

    name: str
    help: str
    value: Value
    labels: Sequence[str] = ()

    def __post_init__(self) -> None:
        _check(self.name, self.labels)


@dataclass(frozen=True)
class Gauge:
    """A number that rises and falls; see :class:`Counter`, of which all else is true here."""

    name: str
    help: str
    value: Value
    labels: Sequence[str] = ()

    def __post_init__(self) -> None:
        _check(self.name, self.labels, counter=False)


class Histogram:
    """How many observed values fell below each of some bounds, and their sum.

    :param buckets: the bounds, in rising order, at most 50; one without a bound follows.
    :ivar counts: how many fell into each bucket alone.
    :ivar total: the sum of the values.
    :raises ValueError: for a name or bounds that cannot be such.
    """

    __slots__ = ("buckets", "counts", "help", "name", "total")

    def __init__(self, name: str, help: str, buckets: Sequence[float] = SECONDS) -> None:
        _check(name, (), counter=False)
        self.name = name
        self.help = help
        self.buckets = tuple(float(bound) for bound in buckets)
        if not 1 <= len(self.buckets) <= _MOST_BUCKETS:
            raise ValueError(f"{name}: a histogram has from 1 to {_MOST_BUCKETS} buckets")
        # OwnEvent from each other by what is shown of them, and none of them endless.
        rising = all(low < high for low, high in pairwise(self.buckets))
        if not rising or not abs(self.buckets[0]) < float("inf") > self.buckets[-1]:
            raise ValueError(f"{name}: the bounds of the buckets are finite, and rise")
        self.counts = [0] * (len(self.buckets) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count *value*.

        :raises ValueError: when it is not a number (NaN).
        """
        if value != value:
            raise ValueError(f"{self.name}: NaN is in no bucket")
        self.counts[bisect_left(self.buckets, value)] += 1
        self.total += value


Figure = Counter | Gauge | Histogram


class _Kept:
    """A number that is kept, or one for each set of label values.

    :ivar left_out: how often a set of label values was one too many.
    """

    def __init__(self, name: str, help: str, labels: Sequence[str]) -> None:
        _check(name, labels, counter=isinstance(self, KeptCounter))
        self.name = name
        self.help = help
        self.labels = tuple(labels)
        self.left_out = 0
        self._numbers: dict[tuple[str, ...], float] = {} if labels else {(): 0.0}

    def _key(self, labels: Mapping[str, object]) -> tuple[str, ...]:
        try:
            key = tuple([str(labels[name])[:_LONGEST_VALUE] for name in self.labels])
        except KeyError:
            key = None
        if key is None or len(key) != len(labels):
            raise TypeError(f"{self.name} has the labels {self.labels}, and not {tuple(labels)}")
        return key

    def _set(self, key: tuple[str, ...], value: float) -> None:
        if key in self._numbers or len(self._numbers) < MOST_SAMPLES:
            self._numbers[key] = value
        else:
            self.left_out += 1

    def _add(self, amount: float, labels: Mapping[str, object]) -> None:
        key = self._key(labels)
        self._set(key, self._numbers.get(key, 0.0) + amount)

    def _value(self) -> Value:
        return dict(self._numbers) if self.labels else self._numbers[()]


class KeptCounter(_Kept):
    """A counter that the service counts with; from :meth:`Figures.counter`."""

    def add(self, amount: float = 1, **labels: object) -> None:
        """Count *amount* more, 0 or more; of a set of label values that is one too many, nothing.

        :raises ValueError: for less than 0.
        :raises TypeError: for other labels than it has.
        """
        if not amount >= 0:
            raise ValueError(f"{self.name}: a counter does not fall")
        self._add(amount, labels)

    def figure(self) -> Counter:
        """Return it as it is now."""
        return Counter(self.name, self.help, self._value(), self.labels)


class KeptGauge(_Kept):
    """A gauge that the service sets; from :meth:`Figures.gauge`."""

    def set(self, value: float, **labels: object) -> None:
        """Have it say *value*.

        :raises TypeError: for other labels than it has.
        """
        self._set(self._key(labels), value)

    def add(self, amount: float = 1, **labels: object) -> None:
        """Have it say *amount* more, or less.

        :raises TypeError: for other labels than it has.
        """
        self._add(amount, labels)

    def forget(self, **labels: object) -> None:
        """Say nothing more of these label values, so that they take no place.

        :raises TypeError: for other labels than it has.
        """
        key = self._key(labels)
        if key:  # without labels there is one number, which stays
            self._numbers.pop(key, None)

    def figure(self) -> Gauge:
        """Return it as it is now."""
        return Gauge(self.name, self.help, self._value(), self.labels)


class Figures:
    """A service's own figures: made once, returned by ``metrics()``.

    ::

        self.figures = Figures()
        self.lines = self.figures.counter("lines", "Lines relayed", labels=["room"])
        self.lines.add(room="lobby")

    Every method raises ``ValueError`` for a name that cannot be one or is there already, and for
    the 65th figure.
    """

    def __init__(self) -> None:
        self._made: dict[str, Callable[[], Figure]] = {}
        self._kept: list[_Kept] = []

    @property
    def left_out(self) -> int:
        """How often a set of label values was one too many, and was not counted."""
        return sum(one.left_out for one in self._kept)

    def counter(self, name: str, help: str, *, labels: Sequence[str] = ()) -> KeptCounter:
        """Return a new counter; see :class:`Counter`."""
        made = KeptCounter(name.removesuffix("_total"), help, labels)
        self._add(made.name, made.figure)
        self._kept.append(made)
        return made

    def gauge(self, name: str, help: str, *, labels: Sequence[str] = ()) -> KeptGauge:
        """Return a new gauge; see :class:`Gauge`."""
        made = KeptGauge(name, help, labels)
        self._add(name, made.figure)
        self._kept.append(made)
        return made

    def read(self, name: str, help: str, value: Callable[[], float]) -> None:
        """Have a gauge whose number is *value()*, asked each time the figures are read."""
        _check(name, (), counter=False)
        self._add(name, lambda: Gauge(name, help, value()))

    def histogram(self, name: str, help: str, *, buckets: Sequence[float] = SECONDS) -> Histogram:
        """Return a new histogram; see :class:`Histogram`."""
        made = Histogram(name, help, buckets)
        self._add(name, lambda: made)
        return made

    def _add(self, name: str, figure: Callable[[], Figure]) -> None:
        if name in self._made:
            raise ValueError(f"there is a figure called {name!r} already")
        if len(self._made) >= MOST_FIGURES:
            raise ValueError(f"{name}: a service has at most {MOST_FIGURES} figures")
        self._made[name] = figure

    def __iter__(self) -> Iterator[Figure]:
        """Yield each figure as it is now."""
        for figure in self._made.values():
            yield figure()


def _check(name: str, labels: Sequence[str], *, counter: bool = True) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"a figure cannot be called {name!r}; say letters, digits and _")
    if not counter and name.endswith("_total"):
        raise ValueError(f"{name}: only a counter ends in _total")
    if isinstance(labels, str) or len(labels) > _MOST_LABELS or len(set(labels)) < len(labels):
        raise ValueError(f"{name}: labels are a list of up to {_MOST_LABELS} different names")
    for label in labels:
        if not isinstance(label, str) or not _LABEL.fullmatch(label) or label in _TAKEN_LABELS:
            raise ValueError(f"{name}: a label cannot be called {label!r}")
