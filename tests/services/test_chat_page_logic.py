"""What the chat's page thinks, by its own tests under node: links, gaps, reconnection, commands."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.peers import program

PAGE = Path(__file__).parents[2] / "socketsuite/services/chat/web/page"
TESTS = Path(__file__).parent / "page"
SUBJECTS = sorted(path.name.removesuffix(".test.js") for path in TESTS.glob("*.test.js"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's modules and their tests in one folder, which says that they are modules."""
    made = tmp_path_factory.mktemp("page")
    for path in [*PAGE.glob("*.js"), *TESTS.glob("*.test.js")]:
        shutil.copy(path, made)
    (made / "package.json").write_text('{"type": "module"}')
    return made


@pytest.mark.parametrize("subject", SUBJECTS)
def test_the_page_thinks_as_its_tests_say(folder: Path, subject: str) -> None:
    done = subprocess.run(
        [program("node"), f"{subject}.test.js"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "# fail 0" in done.stdout or "ℹ fail 0" in done.stdout, done.stdout
