"""The pages of the decisions: numbered without a gap, of one form, and all in their index."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "docs" / "decisions"
PAGES = sorted(FOLDER.glob("[0-9]*.md"))
PARTS = ["Context", "Decision", "Consequences", "What was measured"]


def test_the_pages_are_numbered_from_1_without_a_gap() -> None:
    assert [int(page.name[:4]) for page in PAGES] == list(range(1, len(PAGES) + 1))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_has_its_parts_and_its_line_in_the_index(page: Path) -> None:
    text = page.read_text()
    assert re.findall(r"^## (.*)$", text, re.M) == PARTS
    title = text.splitlines()[0].removeprefix("# ")
    line = f"{int(page.name[:4])}. [{title}]({page.name})"
    assert line in (FOLDER / "README.md").read_text().splitlines()
