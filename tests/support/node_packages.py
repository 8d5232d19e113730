"""npm packages as peers: the versions that ``npm/package-lock.json`` names, installed once.

They lie in ``build/npm-…``, by what the lock file says, so that a change installs them anew.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import select
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.peers import program

_LISTED = Path(__file__).parent / "npm"
_BUILD = Path(__file__).parents[2] / "build"
_INSTALL_SECONDS = 120
SECONDS = 30.0


def packages() -> Path:
    """Return the folder of the installed packages, for ``NODE_PATH``.

    Where they cannot be had the test is skipped on a user's machine, and fails in CI.
    """
    lock = (_LISTED / "package-lock.json").read_bytes()
    folder = _BUILD / f"npm-{hashlib.sha256(lock).hexdigest()[:12]}"
    installed = folder / "node_modules"
    if not (folder / "complete").exists():
        npm = program("npm")
        _BUILD.mkdir(exist_ok=True)
        with (_BUILD / "npm.lock").open("w") as held:  # the tests' processes install it once
            fcntl.flock(held, fcntl.LOCK_EX)
            if not (folder / "complete").exists():
                _install(npm, folder)
    return installed


def _install(npm: str, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(_LISTED / name, folder)
    words = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    try:
        done = subprocess.run(
            words, cwd=folder, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False
        )
        failed = done.stderr.strip() if done.returncode else ""
    except subprocess.TimeoutExpired:
        failed = f"nothing after {_INSTALL_SECONDS} s"
    if failed:
        reason = f"npm cannot install the tests' packages: {failed}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    (folder / "complete").touch()


def node(script: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a script to its end, which may ``require`` the packages."""
    return subprocess.run(
        [program("node"), script, *arguments],
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


@contextlib.contextmanager
def node_at_work(script: Path, *arguments: str) -> Iterator[Callable[[], str]]:
    """Run a script; yield what returns its next line, within the deadline."""
    words: list[str | Path] = [program("node"), script, *arguments]
    with subprocess.Popen(words, env=_environment(), stdout=subprocess.PIPE) as process:
        output = process.stdout
        assert output is not None
        buffered = b""

        def line() -> str:
            nonlocal buffered
            while b"\n" not in buffered:
                assert select.select([output], [], [], SECONDS)[0], "node says nothing more"
                piece = os.read(output.fileno(), 1 << 16)
                assert piece, "node has ended"
                buffered += piece
            first, _, buffered = buffered.partition(b"\n")
            return first.decode()

        try:
            yield line
        finally:
            process.kill()


def _environment() -> dict[str, str]:
    return {**os.environ, "NODE_PATH": str(packages())}
