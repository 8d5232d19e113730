"""The import rule: rooms import inwards and down only, and the reactor is passed in.

Reads the package's source as a tree of syntax; imports inside functions and under
``TYPE_CHECKING`` count like any other.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "socketsuite"

# What each room may import of the suite.  A room may always import itself.
ROOMS: dict[str, set[str]] = {
    "__init__": set(),
    "settings": set(),
    "framing": set(),
    "reasons": set(),
    "transport": {"framing", "reasons"},
    "testing": set(),
    "observe": {"settings", "framing", "reasons"},
    "policies": {"observe", "transport", "settings", "reasons"},
    "services": {"framing", "settings"},
    "clients": {"framing", "settings", "plugin", "observe"},
    "plugin": {"daemon"},
    "daemon": {"plugin", "policies", "observe", "transport", "settings", "reasons"},
}
# These are pure: no Twisted, no third party.
STANDARD_LIBRARY_ONLY = {"settings", "framing", "reasons", "testing"}
# Where a process begins, and so where a reactor is chosen.
REACTOR_IS_CHOSEN_IN = {"daemon/assemble.py", "clients/run.py"}

SOURCES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(source: str) -> Iterator[str]:
    """Yield the dotted name of everything that *source* imports, wherever it stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_imports_are_found_wherever_they_stand() -> None:
    source = "import a.b\ndef f():\n    from c import d as e, g\n"
    assert list(imports(source)) == ["a.b", "c.d", "c.g"]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_what_the_table_allows(path: Path) -> None:
    room = room_of(path)
    assert room in ROOMS, f"a new room: say in this table what {room} may import"
    for name in imports(path.read_text()):
        package, _, rest = name.partition(".")
        if package == "socketsuite":
            other = rest.partition(".")[0]
            allowed = ROOMS[room] | {room, "__version__"}
            assert other in allowed, f"{room} must not import {other}"
        elif room in STANDARD_LIBRARY_ONLY:
            assert package in sys.stdlib_module_names, f"{room} must not import {package}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_reactor_is_passed_in_and_not_imported(path: Path) -> None:
    imported = "twisted.internet.reactor" in set(imports(path.read_text()))
    may = str(path.relative_to(PACKAGE)) in REACTOR_IS_CHOSEN_IN
    assert may or not imported


def test_no_plugin_file_imports_more_than_the_way_in() -> None:
    files = list((PACKAGE.parent / "twisted" / "plugins").glob("*.py"))
    assert files
    for path in files:
        for name in imports(path.read_text()):
            assert name.startswith("socketsuite.plugin.")
