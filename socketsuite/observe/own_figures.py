"""What a service says of itself, read with care: typed, named, and no more than there may be.

Nothing in it is trusted: not the kinds of things, not their number, not what a text holds.  This
module must not know how a service is asked.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

from socketsuite.figures import MOST_FIGURES, MOST_SAMPLES, Counter, Figures, Gauge
from socketsuite.figures import Histogram as OwnHistogram
from socketsuite.observe.families import family, histogram
from socketsuite.wire.printable import printable

_LONGEST_HELP = 200
_LONGEST_VALUE = 100
_NO_HELP = "The service's own"


class Unreadable(ValueError):
    """What a service said cannot be shown; says why, in one line."""


@dataclass(frozen=True)
class OwnFigure:
    """One figure, fit to be shown.

    :ivar kind: ``counter``, ``gauge`` or ``histogram``.
    :ivar name: of a counter without ``_total``.
    :ivar samples: numbers by the values of *labels*; none of a histogram, which has *bounds*, the
        *counts* of its buckets, and the *total*.
    """

    kind: str
    name: str
    help: str
    labels: tuple[str, ...]
    samples: tuple[tuple[tuple[str, ...], float], ...] = ()
    bounds: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()
    total: float = 0.0

    @property
    def size(self) -> int:
        """How many numbers it comes to."""
        return len(self.counts) + 2 if self.counts else len(self.samples)

    @property
    def names(self) -> set[str]:
        """Every name that it takes on the page."""
        endings = {"counter": ("_total", "_created"), "histogram": ("_bucket", "_count", "_sum")}
        return {self.name, *(self.name + end for end in endings.get(self.kind, ()))}


@dataclass(frozen=True)
class Read:
    """What could be read, and the first reason why something could not."""

    figures: tuple[OwnFigure, ...] = ()
    complaint: str | None = None


class Hooks(Protocol):
    """Whoever asks a service for what it says of itself."""

    def figures(self) -> Sequence[OwnFigure]:
        """Return its figures of this moment."""
        ...

    def checks(self) -> Mapping[str, str | None]:
        """Return what is wrong by the name of each check; ``None`` is nothing."""
        ...

    def columns(self, protocols: Mapping[int, Any]) -> Mapping[int, Any]:
        """Return what to show of each connection, by id and heading; of some perhaps nothing."""
        ...

    def commands(self) -> Mapping[str, Any]:
        """Return what an operator may have it do, by name."""
        ...


class NoHooks:
    """A service that says nothing of itself."""

    def figures(self) -> Sequence[OwnFigure]:
        """Return none."""
        return ()

    def checks(self) -> Mapping[str, str | None]:
        """Return none."""
        return {}

    def columns(self, protocols: Mapping[int, Any]) -> Mapping[int, Any]:
        """Return none."""
        return {}

    def commands(self) -> Mapping[str, Any]:
        """Return none."""
        return {}


def read_figures(said: Any) -> Read:
    """Return what ``metrics()`` said, as far as it can be shown.

    :param said: numbers by name, or an iterable of what :mod:`socketsuite.figures` has.
    :raises Unreadable: when it is neither.
    """
    if not isinstance(said, Iterable) or isinstance(said, (str, bytes)):
        raise Unreadable(f"it returned {_noun(said)}, neither numbers by name nor figures")
    complaint: str | None = None
    if isinstance(said, Figures) and said.left_out:
        complaint = f"a figure has more than {MOST_SAMPLES} sets of label values"
    found: list[OwnFigure] = []
    names: set[str] = set()
    room = MOST_SAMPLES
    every = iter(said.items() if isinstance(said, Mapping) else said)
    for one in islice(every, MOST_FIGURES):
        try:
            figure = _figure(one)
            if names & figure.names:
                raise Unreadable(f"two figures are called {figure.name}")
            if figure.size > room:
                raise Unreadable(f"its figures come to more than {MOST_SAMPLES} numbers")
        except Unreadable as error:
            complaint = complaint or str(error)
            continue
        names |= figure.names
        room -= figure.size
        found.append(figure)
    if next(every, None) is not None:
        complaint = complaint or f"it has more than {MOST_FIGURES} figures"
    return Read(tuple(found), complaint)


def _figure(one: Any) -> OwnFigure:
    if isinstance(one, tuple) and len(one) == 2:
        name, value = one
        make = Counter if str(name).endswith("_total") else Gauge
        try:
            one = make(name, _NO_HELP, value)
        except ValueError as error:
            raise Unreadable(str(error)) from None
    if isinstance(one, OwnHistogram):
        counts = tuple(one.counts)
        words = shown(one.help, _LONGEST_HELP)
        return OwnFigure(
            "histogram", one.name, words, (), bounds=one.buckets, counts=counts, total=one.total
        )
    if not isinstance(one, (Counter, Gauge)):
        raise Unreadable(f"{_noun(one)} is no figure")
    counter = isinstance(one, Counter)
    labels = tuple(one.labels)
    samples = {
        values: _number(one.name, value, counter=counter) for values, value in _samples(one, labels)
    }
    return OwnFigure(
        "counter" if counter else "gauge",
        one.name.removesuffix("_total") if counter else one.name,
        shown(one.help, _LONGEST_HELP) or _NO_HELP,
        labels,
        tuple(samples.items()),
    )


def _samples(one: Any, labels: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if not labels:
        yield (), one.value
        return
    if not isinstance(one.value, Mapping):
        raise Unreadable(f"{one.name} has labels, and no numbers by their values")
    for key, value in islice(one.value.items(), MOST_SAMPLES + 1):
        values = key if isinstance(key, tuple) else (key,)
        if len(values) != len(labels):
            raise Unreadable(f"{one.name} has {len(labels)} labels, and {key!r:.100} is for others")
        yield tuple(shown(each, _LONGEST_VALUE) for each in values), value


def _number(name: str, value: Any, *, counter: bool) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise Unreadable(f"{name} is {_noun(value)}, which is no number") from None
    if counter and not number >= 0:
        raise Unreadable(f"the counter {name} is {number:g}")
    return number


def shown(value: Any, longest: int) -> str:
    """Return *value* as text without anything that is not to be shown, of bounded length."""
    text = str(value)[: longest + 1]
    safe = printable(text.encode("utf-8", "replace")).decode().replace("\t", " ")
    return safe if len(safe) <= longest else safe[: longest - 1] + "…"


def _noun(thing: Any) -> str:
    return "nothing (None)" if thing is None else f"an object of {type(thing).__qualname__}"


def own_families(services: Mapping[str, Sequence[OwnFigure]]) -> Iterator[Any]:
    """Yield what services say of themselves, by service and name.

    Of two services whose figures of one name are not alike, that of the first is shown.
    """
    alike: dict[str, list[tuple[str, OwnFigure]]] = {}
    taken: set[str] = set()
    for service, figures in services.items():
        for one in figures:
            known = alike.get(one.name)
            if known is None and not taken & one.names:
                taken |= one.names
                alike[one.name] = [(service, one)]
            elif known is not None and _shape(known[0][1]) == _shape(one):
                known.append((service, one))
    for name, known in alike.items():
        first = known[0][1]
        labels = ("service", *first.labels)
        if first.kind == "histogram":
            told = [((service,), one.counts, one.total) for service, one in known]
            yield histogram(f"service_{name}", first.help, labels, first.bounds, told)
            continue
        samples = [
            ((service, *values), value) for service, one in known for values, value in one.samples
        ]
        yield family(first.kind, f"service_{name}", first.help, labels, samples)


def _shape(figure: OwnFigure) -> tuple[Any, ...]:
    return figure.kind, figure.labels, figure.bounds


def flat(figures: Sequence[OwnFigure]) -> dict[str, float | None]:
    """Return *figures* as numbers by name and labels, for a status; ``None`` is no number."""
    found: dict[str, float | None] = {}
    for one in figures:
        name = f"{one.name}_total" if one.kind == "counter" else one.name
        if one.kind == "histogram":
            found[f"{name}_count"] = sum(one.counts)
            found[f"{name}_sum"] = one.total if math.isfinite(one.total) else None
        for values, number in one.samples:
            pairs = zip(one.labels, values, strict=True)
            labels = ",".join(f'{label}="{value}"' for label, value in pairs)
            key = f"{name}{{{labels}}}" if labels else name
            found[key] = number if math.isfinite(number) else None
    return found
