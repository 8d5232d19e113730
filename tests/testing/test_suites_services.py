"""Every kind of service of the suite passes every conformance check that applies to it.

Without ``--thorough``: those whose outcome differs by service.  All of them are run on the rot13 of
the examples, by its own tests.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from socketsuite.service import installed_services
from socketsuite.testing.checks.base import Check
from tests.testing.kits import EVERY

FOR_ALL = {"drain"}
# Each listener with each transport: of those who differ most.
MATRIX = {"socketsuite-echo", "socketsuite-chat", "socketsuite-filesink"}


def _marks(kit: str, check: str) -> tuple[pytest.MarkDecorator, ...]:
    always = check in FOR_ALL or (kit in MATRIX and check == "matrix")
    return () if always else (pytest.mark.thorough,)


@pytest.mark.parametrize(
    "check",
    [
        pytest.param(
            check,
            id=f"{kit.name.removeprefix('socketsuite-')}-{check}",
            marks=_marks(kit.name, check.name),
        )
        for kit in EVERY
        for check in kit.checks()
    ],
)
def test_the_service_conforms(check: Check, tmp_path: Path) -> None:
    check.run(tmp_path)


def test_no_service_of_the_suite_is_left_out() -> None:
    ours = {name for name in installed_services() if name.startswith("socketsuite-")}
    assert {kit.name for kit in EVERY} == ours
