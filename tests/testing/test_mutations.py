"""Wrong inputs: the same from the same seed, bounded, and made shorter without a mistake."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as some

from socketsuite.testing.mutations import LONGEST, mutations, shortest

SEEDS = [b"hello\n", b"", b"x" * 10_000]


def test_the_same_seed_gives_the_same_inputs_and_another_others() -> None:
    first, again, other = (list(mutations(SEEDS, seed, 200)) for seed in (1, 1, 2))
    assert first == again
    assert first[:3] == other[:3] == SEEDS
    assert first[3:] != other[3:]


def test_inputs_are_bounded_and_so_is_the_memory_that_making_them_takes() -> None:
    tracemalloc.start()
    lengths, different = [], set()
    for data in mutations(SEEDS, 1, 2000):
        lengths.append(len(data))
        different.add(hash(data))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(lengths) == 2003
    assert max(lengths) <= LONGEST
    assert peak < 64 * LONGEST
    # Nearly all of them are something else than what they were made from.
    assert len(different) > 1500


def test_where_there_is_nothing_to_begin_with_inputs_are_made_all_the_same() -> None:
    assert len(set(mutations([], 1, 100))) > 20


@given(some.binary(max_size=300), some.binary(min_size=1, max_size=3), some.binary(max_size=300))
def test_the_shortest_failing_input_is_what_makes_it_fail(
    head: bytes, culprit: bytes, tail: bytes
) -> None:
    found = shortest(head + culprit + tail, lambda data: culprit in data, tries=10_000)
    assert found == culprit


@given(some.binary(min_size=1, max_size=300), some.integers(0, 20))
def test_it_is_looked_for_within_the_tries_given(data: bytes, tries: int) -> None:
    asked = []

    def fails(shorter: bytes) -> bool:
        asked.append(shorter)
        return True

    shortest(data, fails, tries)
    assert len(asked) <= tries
