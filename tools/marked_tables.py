"""Puts tables between the marks of a page: ``<!-- NAME: written by make docs -->`` and an end."""

from __future__ import annotations

import re
from collections.abc import Mapping


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Return a table of Markdown."""
    lines = [head, ("---",) * len(head), *rows]
    return "".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines
    )


def with_tables(page: str, tables: Mapping[str, str]) -> str:
    """Return *page* with each of *tables* between its marks."""
    for name, text in tables.items():
        mark = re.escape(f"<!-- {name}: written by make docs -->\n")
        pattern = f"({mark}).*?(?=<!-- end -->)"
        new = text.replace("\\", r"\\")
        page, count = re.subn(pattern, rf"\g<1>\n{new}\n", page, count=1, flags=re.S)
        assert count == 1, name
    return page
