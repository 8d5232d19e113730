"""The fragments of the changelog: each can be found by what makes the changelog of them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "changelog.d"
CONFIGURATION = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["towncrier"]
NAME = re.compile(r"\+[a-z0-9]+(-[a-z0-9]+)*\.(?P<type>[a-z]+)\.md")


def complaint(name: str, text: str) -> str:
    """Return what is wrong with a fragment, or nothing."""
    found = NAME.fullmatch(name)
    if found is None:
        return f"{name}: a fragment is named +SLUG.TYPE.md"
    if found["type"] not in CONFIGURATION["fragment"]:
        return f"{name}: there is no type {found['type']!r}"
    if not text.strip():
        return f"{name}: says nothing"
    return f"{name}: is a list already" if text.lstrip().startswith(("-", "*")) else ""


def test_every_fragment_has_a_known_type_and_says_something() -> None:
    fragments = [one for one in FOLDER.iterdir() if one.name not in CONFIGURATION["ignore"]]
    assert [said for one in fragments if (said := complaint(one.name, one.read_text()))] == []


def test_a_fragment_that_would_be_lost_is_found() -> None:
    assert complaint("+quieter-drain.fixed.md", "One line.") == ""
    assert "named" in complaint("quieter-drain.fixed.md", "An issue's number would be made of it.")
    assert "no type 'bugfix'" in complaint("+quieter-drain.bugfix.md", "One line.")
    assert "says nothing" in complaint("+quieter-drain.fixed.md", "\n")


def test_the_types_are_those_of_the_readme_and_the_changelog_has_the_place_for_releases() -> None:
    readme = (FOLDER / "README.md").read_text()
    assert [kind for kind in CONFIGURATION["fragment"] if f"`{kind}`" not in readme] == []
    assert CONFIGURATION["start_string"] in (ROOT / "CHANGELOG.md").read_text()
