"""The import rule: rooms import inwards and down only, and the reactor is passed in.

Reads the package's source as a tree of syntax; imports inside functions and under
``TYPE_CHECKING`` count like any other.
"""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "socketsuite"

# What each room may import of the suite.  A room may always import itself.
ROOMS: dict[str, set[str]] = {
    "__init__": set(),
    "settings": set(),
    "wire": set(),
    "reasons": set(),
    "service": set(),
    "addresses": set(),
    "figures": set(),
    "loading": set(),
    "contract": {"figures"},
    "transport": {"wire", "reasons", "addresses"},
    "testing": set(),
    "testing/socketio_conformance": {"socketio"},
    "observe": {"service", "settings", "wire", "reasons", "addresses", "figures"},
    "policies": {"observe", "transport", "service", "settings", "reasons", "addresses"},
    "web": {"wire", "reasons", "addresses"},
    "socketio": {"web", "wire", "settings", "addresses"},
    "storage": {"wire", "settings", "addresses"},
    "services": {
        "web",
        "socketio",
        "storage",
        "wire",
        "service",
        "settings",
        "contract",
        "figures",
        "addresses",
    },
    "cli": {"wire", "service", "settings", "transport", "storage", "addresses", "loading"},
    "daemon": {
        "service",
        "contract",
        "figures",
        "policies",
        "observe",
        "transport",
        "settings",
        "reasons",
        "addresses",
    },
    "plugin": {"daemon", "service", "contract", "figures", "loading"},
}
# The daemon's own boxes, from the ground up: each may import those before it.
BOXES = ["errors", "listen", "config", "serve", "admin", "process"]
# These are pure: no Twisted, no third party, but what stands here.
STANDARD_LIBRARY_ONLY: dict[str, set[str]] = {
    "settings": set(),
    "wire": set(),
    "reasons": set(),
    "figures": set(),
    "contract": {"twisted"},  # its interfaces
    "testing": {"cryptography"},  # for its certificates
}
# Where a process begins, and so where a reactor is chosen.
REACTOR_IS_CHOSEN_IN = {"daemon/process/assemble.py", "cli/run.py"}

SOURCES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    name = path.relative_to(PACKAGE).with_suffix("").as_posix()
    return name if name in ROOMS else name.partition("/")[0]


@functools.cache
def imported_by(path: Path) -> list[str]:
    """Return the dotted names of everything that the file at *path* imports."""
    return list(imports(path.read_text()))


def imports(source: str) -> Iterator[str]:
    """Yield the dotted name of everything that *source* imports, wherever it stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in SOURCES}


def modules_imported(path: Path) -> set[str]:
    """Return the modules of the suite that *path* imports, wherever it does."""
    found = set()
    for name in imported_by(path):
        while name and name not in MODULES:
            name = name.rpartition(".")[0]
        if name not in ("", "socketsuite", module_of(path)):
            found.add(name)
    return found


def test_no_module_is_imported_by_what_it_imports() -> None:
    left = {name: modules_imported(path) for name, path in MODULES.items()}
    while ground := [name for name, needed in left.items() if not needed]:
        for name in ground:
            del left[name]
        left = {name: needed - set(ground) for name, needed in left.items()}
    assert left == {}, f"in a circle, or above one: {sorted(left)}"


IN_BOXES = [path for name, path in MODULES.items() if name.startswith("socketsuite.daemon.")]


@pytest.mark.parametrize("path", IN_BOXES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_box_of_the_daemon_imports_only_those_below_it(path: Path) -> None:
    parts = module_of(path).split(".")
    assert parts[2] in BOXES, f"a new box: say in this list where {parts[2]} stands"
    for name in modules_imported(path):
        if name.startswith("socketsuite.daemon."):
            other = name.split(".")[2]
            assert BOXES.index(other) <= BOXES.index(parts[2]), f"{parts[2]} imports {other}"


def test_imports_are_found_wherever_they_stand() -> None:
    source = "import a.b\ndef f():\n    from c import d as e, g\n"
    assert list(imports(source)) == ["a.b", "c.d", "c.g"]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_only_what_the_table_allows(path: Path) -> None:
    room = room_of(path)
    assert room in ROOMS, f"a new room: say in this table what {room} may import"
    for name in imported_by(path):
        package, _, rest = name.partition(".")
        if package == "socketsuite":
            other = rest.partition(".")[0]
            allowed = ROOMS[room] | {room, "__version__"}
            assert other in allowed, f"{room} must not import {other}"
        elif room in STANDARD_LIBRARY_ONLY:
            allowed = STANDARD_LIBRARY_ONLY[room] | sys.stdlib_module_names
            assert package in allowed, f"{room} must not import {package}"


def test_the_reactor_is_passed_in_and_not_imported() -> None:
    importers = {path for path in SOURCES if "twisted.internet.reactor" in imported_by(path)}
    assert {str(path.relative_to(PACKAGE)) for path in importers} <= REACTOR_IS_CHOSEN_IN


def test_no_plugin_file_imports_more_than_the_way_in() -> None:
    files = list((PACKAGE.parent / "twisted" / "plugins").glob("*.py"))
    assert files
    for path in files:
        for name in imports(path.read_text()):
            assert name.startswith("socketsuite.plugin.")
