"""Files stay of a size that is read at once; who does not stands here by name."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MOST = 300
MOST_OF_TESTS = 420
# What costs more to take apart than to read: the fast path and the slow path of one transport.
LARGER = {
    "socketsuite/transport/burst_loop.py": 360,
    "socketsuite/transport/connection.py": 460,
    "socketsuite/transport/tls.py": 330,
    "tests/transport/test_proxied.py": 620,
}


def lines(path: Path) -> int:
    return len(path.read_text().splitlines())


@pytest.mark.parametrize(
    "folder", ["socketsuite", "twisted", "examples", "tools", "bench", "tests"]
)
def test_no_file_grows_beyond_what_is_read_at_once(folder: str) -> None:
    most = MOST_OF_TESTS if folder == "tests" else MOST
    names = {
        path.relative_to(ROOT).as_posix(): lines(path)
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".js", ".css", ".html")
    }
    assert names
    assert {name: n for name, n in names.items() if n > LARGER.get(name, most)} == {}


def test_a_file_that_has_shrunk_is_no_exception_any_more() -> None:
    assert {
        name
        for name in LARGER
        if lines(ROOT / name) <= (MOST_OF_TESTS if name.startswith("tests") else MOST)
    } == set()
