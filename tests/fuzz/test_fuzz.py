"""Hostile input against every target of ``make fuzz``: a few hundred inputs each, by seeds."""

from __future__ import annotations

from random import Random

import pytest

from tests.fuzz.mutate import mutated
from tests.fuzz.targets import TARGETS

_INPUTS = 600
_INPUTS_OF_CHATS = 40


@pytest.mark.parametrize("name", TARGETS)
def test_what_is_valid_and_what_is_nearly_so_raise_nothing(name: str) -> None:
    target = TARGETS[name]
    seeds, words, dice = target.seeds(), target.words(), Random(name)
    for seed in seeds:
        target.run(seed)
    for _ in range(_INPUTS if target.share > 0.03 else _INPUTS_OF_CHATS):
        data = mutated(dice.choice(seeds), words, dice, dice.choice(seeds))
        try:
            target.run(data)
        except Exception as error:
            error.add_note(f"target {name}, input {data!r}")
            raise
