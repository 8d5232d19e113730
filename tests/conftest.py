"""What ``make test`` leaves to ``make test-thorough``: the same facts on ever more subjects.

A test that is marked ``thorough`` has a like one that is not: of the same check on another
service, of the same factory on the other transport.  Of one that is marked ``sampled(n)`` every
n-th of its parameters' combinations is run, always the same ones.
"""

from __future__ import annotations

from collections import Counter

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--thorough``."""
    parser.addoption("--thorough", action="store_true", help="run all, and not a part of them")


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known."""
    config.addinivalue_line("markers", "thorough: only with --thorough; a like test runs always")
    config.addinivalue_line("markers", "sampled(n): without --thorough one of n combinations")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is not asked for; with ``--thorough`` nothing."""
    if config.getoption("--thorough"):
        return
    seen: Counter[object] = Counter()
    kept: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for item in items:
        sampled = item.get_closest_marker("sampled")
        place = 0
        if sampled is not None:
            test = getattr(item, "function", item)
            place = seen[test] % sampled.args[0]
            seen[test] += 1
        (left_out if place or item.get_closest_marker("thorough") else kept).append(item)
    config.hook.pytest_deselected(items=left_out)
    items[:] = kept
