"""``tools/release`` says no before it does anything, where a release cannot be made."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.peers import program

ROOT = Path(__file__).parents[2]


class Checkout:
    """A repository with the tool and a version, and a ``make`` that does what it is told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "tools").mkdir()
        (folder / "socketsuite").mkdir()
        shutil.copy(ROOT / "tools" / "release", folder / "tools")
        (folder / "socketsuite" / "__init__.py").write_text('__version__ = "1.2.3"\n')
        self.git("init", "--quiet")
        self.git("add", ".")
        self.git("commit", "--quiet", "--message", "All of it")

    def git(self, *words: str) -> None:
        identity = ("-c", "user.name=maintainers", "-c", "user.email=nobody@example.invalid")
        hooks = ("-c", "core.hooksPath=/dev/null", "-c", "commit.gpgsign=false")
        subprocess.run([program("git"), *identity, *hooks, *words], cwd=self.folder, check=True)

    def release(self, *words: str, check: str = "true") -> tuple[int, str]:
        """Return the exit status and what was said; *check* stands for ``make``."""
        done = subprocess.run(
            ["tools/release", *words],
            cwd=self.folder,
            env={"PATH": "/usr/bin:/bin", "MAKE": check, "BIN": "/nowhere"},
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        return done.returncode, done.stderr


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_a_tree_that_is_not_clean_is_not_released(checkout: Checkout) -> None:
    (checkout.folder / "forgotten.py").touch()
    status, said = checkout.release()
    assert status == 1
    assert said == "no release: the tree is not clean; commit first (git status)\n"


def test_what_is_no_checkout_is_not_released(checkout: Checkout) -> None:
    shutil.rmtree(checkout.folder / ".git")
    assert checkout.release() == (1, "no release: this is no git checkout\n")


def test_a_version_that_is_tagged_is_not_released_again(checkout: Checkout) -> None:
    checkout.git("tag", "v1.2.3")
    status, said = checkout.release()
    assert status == 1
    assert said.startswith("no release: v1.2.3 is there already; raise __version__ in ")


def test_what_the_checks_refuse_is_not_built(checkout: Checkout) -> None:
    (checkout.folder / "dist").mkdir()
    assert checkout.release(check="false") == (1, "no release: make check fails\n")
    assert (checkout.folder / "dist").exists()


def test_an_unknown_word_is_a_usage_error(checkout: Checkout) -> None:
    status, said = checkout.release("--publish")
    assert status == 2
    assert said == "usage: tools/release [--write]\n"
