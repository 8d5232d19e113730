"""The page on IRC says what the tables have."""

from __future__ import annotations

from pathlib import Path

from tools.irc_page import written

PAGE = Path(__file__).parents[1] / "docs" / "chat-irc.md"


def test_the_tables_of_the_page_are_up_to_date() -> None:
    text = PAGE.read_text()
    assert written(text) == text, "run: make docs"
