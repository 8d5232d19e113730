"""The campaign that breaks the code in small ways: what it breaks, and what is explained."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.campaigns.mutants import mutants
from tests.campaigns.mutation import explained, key, mirror, modules

PACKAGE = Path(__file__).parents[2] / "socketsuite"
SOURCE = """\
LIMIT = 3


class Queue:
    def full(self, size: int = 0) -> bool:
        "Return whether it is."
        # Grüße: columns count bytes.
        return size >= LIMIT and not self.open

    def close(self) -> None:
        self.open = False
"""


def test_each_mutant_breaks_one_thing_inside_of_a_function() -> None:
    found = [(mutant.where, *mutant.changed()) for mutant in mutants("queue.py", SOURCE)]
    line = "return size >= LIMIT and not self.open"
    assert sorted(found) == sorted(
        [
            (
                "Queue.full",
                "def full(self, size: int = 0) -> bool:",
                "def full(self, size: int = 1) -> bool:",
            ),
            ("Queue.full", line, "return None"),
            ("Queue.full", line, "return size > LIMIT and not self.open"),
            ("Queue.full", line, "return size >= LIMIT or not self.open"),
            ("Queue.full", line, "return size >= LIMIT and self.open"),
            ("Queue.close", "self.open = False", "pass"),
            ("Queue.close", "self.open = False", "self.open = True"),
        ]
    )


def test_every_explained_mutant_is_one_that_could_still_be_made() -> None:
    known = explained()
    made = {
        key(mutant)
        for module in {entry[0] for entry in known}
        for mutant in mutants(module, (PACKAGE / module).read_text())
    }
    assert [entry for entry in known if entry not in made] == []
    assert [entry for entry, why in known.items() if not why.strip()] == []


@pytest.mark.parametrize("module", [m for m in modules(None) if not m.endswith("__init__.py")])
def test_every_module_that_is_broken_has_tests_that_are_run(module: str) -> None:
    tests = mirror(module)
    assert tests
    assert [name for name in tests if not (PACKAGE.parent / name).exists()] == []
