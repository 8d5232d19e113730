"""The burst transport and Twisted's own do the same with the same random scenarios.

How that is compared is in compare.py.  ``make campaign-differential`` runs more of them.
"""

from __future__ import annotations

import pytest

from tests.differential.campaign import failure
from tests.differential.compare import mismatches
from tests.differential.generate import scenario
from tests.differential.known import KNOWN
from tests.differential.not_compared import why_not_compared
from tests.differential.scenario import script

_CHUNK = 50
_SEEDS = 250


@pytest.mark.parametrize("first", range(0, _SEEDS, _CHUNK))
def test_what_happens_on_stock_happens_on_the_burst_transport(first: int) -> None:
    assert [found for seed in range(first, first + _CHUNK) if (found := failure(seed))] == []


@pytest.mark.parametrize("name", KNOWN)
def test_a_fault_of_old_stays_mended(name: str) -> None:
    assert mismatches(KNOWN[name]) == [], script(KNOWN[name])


def test_most_scenarios_are_compared_with_stock() -> None:
    compared = sum(not why_not_compared(scenario(seed)) for seed in range(_SEEDS))
    assert compared > 0.8 * _SEEDS


def test_a_seed_is_one_scenario() -> None:
    assert scenario(7) == scenario(7)
    assert scenario(7) != scenario(8)
