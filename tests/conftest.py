"""What ``make test`` leaves to ``make test-thorough``: the same facts on ever more subjects.

A test that is marked ``thorough`` has a like one that is not: of the same check on another
service, of the same factory on the other transport.  Of one that is marked ``sampled(n)`` every
n-th of its parameters' combinations is run, always the same ones; so it is with tests that start
a process for each of many combinations.  Where there are two, such as both transports, half of the
tests have the one, and half the other.

Each worker of pytest-xdist collects everything, and most of that is the rewriting of assertions,
which pytest keeps in files.  So each begins with another module and finds what others have written.
"""

from __future__ import annotations

import sys
import zlib
from collections import Counter
from collections.abc import Generator

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--thorough``."""
    parser.addoption("--thorough", action="store_true", help="run all, and not a part of them")


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known."""
    config.addinivalue_line("markers", "thorough: only with --thorough; a like test runs always")
    config.addinivalue_line("markers", "sampled(n): without --thorough one of n combinations")


STARTS_PROCESSES = {"client", "launch", "on_terminal", "serve", "start", "stranger"}
"""Fixtures whose tests have processes of their own, at half a second of the processor each."""

TWO, MANY, VERY_MANY = 2, 3, 7
"""Combinations from which on one of two is run, one of four, and one of eight."""


def _every(item: pytest.Item, combinations: int) -> int:
    """Return of how many combinations of a test one is run."""
    sampled = item.get_closest_marker("sampled")
    if sampled is not None:
        return int(sampled.args[0])
    if not STARTS_PROCESSES & set(getattr(item, "fixturenames", ())):
        return 1
    return 8 if combinations >= VERY_MANY else 4 if combinations >= MANY else combinations


def _first(item: pytest.Item, combinations: int) -> int:
    """Return the first combination that is run: of two either, by the test's name."""
    return zlib.crc32(item.name.partition("[")[0].encode()) % 2 if combinations == TWO else 0


def _worker(config: pytest.Config) -> tuple[int, int]:
    """Return which worker this is, and of how many; the first of one without pytest-xdist."""
    told = getattr(config, "workerinput", None)
    return (int(told["workerid"].removeprefix("gw")), told["workercount"]) if told else (0, 1)


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Have rewritten assertions kept, though nothing else that is compiled may be."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, False
    try:
        return (yield)
    finally:
        sys.dont_write_bytecode = before


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Begin in each folder where no other worker does."""
    report = yield
    worker, workers = _worker(collector.config)
    if report.passed and isinstance(collector, pytest.Directory):
        first = len(report.result) * worker // workers
        report.result = report.result[first:] + report.result[:first]
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put modules in order, and leave out what is not asked for; with ``--thorough`` nothing."""
    items.sort(key=lambda item: item.path.parts)
    if config.getoption("--thorough"):
        return
    usual = [item for item in items if not item.get_closest_marker("thorough")]
    combinations = Counter(_test_of(item) for item in usual)
    seen: Counter[object] = Counter()
    kept: list[pytest.Item] = []
    for item in usual:
        test = _test_of(item)
        first = _first(item, combinations[test])
        if (seen[test] - first) % _every(item, combinations[test]) == 0:
            kept.append(item)
        seen[test] += 1
    left_out = list(set(items) - set(kept))
    config.hook.pytest_deselected(items=left_out)
    items[:] = kept


def _test_of(item: pytest.Item) -> object:
    return getattr(item, "function", item)
