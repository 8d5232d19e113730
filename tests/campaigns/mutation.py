"""Breaks the code in small ways, one at a time, and sees whether the tests of it notice.

Run from the project's folder: ``python -m tests.campaigns.mutation --sample 60 --seed 1``.
Each mutant is put into a copy of the tree, and the tests that mirror its module run there
until the first that fails.  A mutant that none fails for is a survivor: it is printed, and is
either killed, by a test, or explained in ``explained_mutants.toml``.  One that makes the tests
hang is killed by the clock.  Exit status 1 if there are survivors that nobody has explained.
"""

from __future__ import annotations

import argparse
import fnmatch
import importlib.util
import os
import queue
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.campaigns.mutants import Mutant, mutants

ROOT = Path(__file__).parents[2]
EXPLAINED = Path(__file__).with_name("explained_mutants.toml")
PACKAGES = ("wire", "settings", "transport", "policies")
COPIED = ("socketsuite", "twisted", "tests", "examples", "etc", "docs", "pyproject.toml")
# The slowest tests, and those that break nothing that others do not.
LEFT_OUT = ("tests/transport/test_twisted_suites.py",)
# What the daemon puts over every transport is looked at where there is a daemon.
_OF_EVERY_TRANSPORT = (
    "tests/daemons/test_half_close.py",
    "tests/daemons/test_lifecycle.py",
    "tests/daemons/test_reasons.py",
    "tests/daemons/test_option_surface.py",
)
# Where the mirror of a module is not the folder of its package's name.
MIRRORS = {
    "transport/datagrams.py": ("tests/transport/test_datagram_port.py",),
    "transport/proxied.py": ("tests/transport/test_proxied.py",),
    "transport/turns.py": ("tests/transport/test_turns.py",),
    "transport/adopted.py": ("tests/daemons/test_option_surface.py",),
    "transport/observed.py": ("tests/transport/test_endings.py", *_OF_EVERY_TRANSPORT),
    "transport/observation.py": ("tests/transport/test_endings.py", *_OF_EVERY_TRANSPORT),
    "transport/observed_burst.py": _OF_EVERY_TRANSPORT,
    "transport/observed_stock.py": ("tests/transport/test_endings.py", *_OF_EVERY_TRANSPORT),
    "transport/tls.py": (
        "tests/transport/test_handshake_end.py",
        "tests/transport/test_burst_tls.py",
        "tests/transport/test_burst_failures.py",
        "tests/transport/test_burst_writes.py",
        "tests/transport/test_producers.py",
    ),
    "daemon/serve/tls_admission.py": ("tests/daemon/test_tls_admission.py",),
    "daemon/listen/settings.py": ("tests/daemon/test_listen_settings.py",),
}


def mirror(module: str) -> list[str]:
    """Return the tests of *module*, a file below the package."""
    found = MIRRORS.get(module)
    if found is None:
        room = module.partition("/")[0].removesuffix(".py")
        folders = [ROOT / "tests" / room] if (ROOT / "tests" / room).is_dir() else []
        paths = folders + sorted((ROOT / "tests").glob(f"test_{room}*.py"))
        found = tuple(str(path.relative_to(ROOT)) for path in paths)
    return list(found)


def modules(pattern: str | None) -> list[str]:
    """Return the files to break: those that *pattern* names, or the four packages."""
    package = ROOT / "socketsuite"
    every = sorted(str(path.relative_to(package)) for path in package.rglob("*.py"))
    if pattern:
        return [name for name in every if fnmatch.fnmatch(name, pattern)]
    return [name for name in every if name.partition("/")[0] in PACKAGES]


@dataclass
class Tree:
    """A copy of the project, in which mutants live; one at a time."""

    folder: Path

    @classmethod
    def copy(cls, folder: Path) -> Tree:
        """Copy what tests need."""
        ignored = shutil.ignore_patterns("__pycache__", "dropin.cache", ".hypothesis")
        for name in COPIED:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, folder / name, ignore=ignored)
            else:
                shutil.copy(ROOT / name, folder / name)
        return cls(folder)

    def survives(self, mutant: Mutant | None, tests: Sequence[str], seconds: float) -> bool:
        """Return whether the tests pass with *mutant* in its place, within *seconds*."""
        if mutant is None:
            return self._pass(tests, seconds)
        path = self.folder / "socketsuite" / mutant.module
        cached = Path(importlib.util.cache_from_source(str(path)))
        try:
            # A cache is told by second and size, and a mutant may differ in neither.
            cached.unlink(missing_ok=True)
            path.write_text(mutant.after)
            return self._pass(tests, seconds)
        finally:
            path.write_text(mutant.before)
            cached.unlink(missing_ok=True)

    def _pass(self, tests: Sequence[str], seconds: float) -> bool:
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
        command += [*tests, *(f"--ignore={name}" for name in LEFT_OUT)]
        environment = {**os.environ, "PYTHONPATH": str(self.folder)}
        with subprocess.Popen(
            command,
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as running:
            try:
                return running.wait(seconds) == 0
            except subprocess.TimeoutExpired:
                return False
            finally:
                if running.poll() is None:
                    os.killpg(running.pid, signal.SIGKILL)


def explained() -> dict[tuple[str, str, str, str], str]:
    """Return why survivors are none, by module, function, line as it is and as it would be."""
    entries = tomllib.loads(EXPLAINED.read_text()).get("mutant", [])
    return {(one["module"], one["where"], one["is"], one["was"]): one["why"] for one in entries}


def key(mutant: Mutant) -> tuple[str, str, str, str]:
    """Return what a mutant is known by, wherever its line has moved."""
    return (mutant.module, mutant.where, *mutant.changed())


@dataclass
class Campaign:
    """One run, in several trees at once.

    :ivar deadline: of the whole, on the monotonic clock.
    """

    trees: queue.Queue[Tree]
    deadline: float
    limits: dict[tuple[str, ...], float]

    def tried(self, mutant: Mutant) -> bool | None:
        """Return whether *mutant* survives; nothing if there is no time for it."""
        tests = tuple(mirror(mutant.module))
        left = self.deadline - time.monotonic()
        if left < self.limits[tests]:
            return None
        tree = self.trees.get()
        try:
            lived = tree.survives(mutant, tests, self.limits[tests])
        finally:
            self.trees.put(tree)
        print("survived" if lived else "killed  ", mutant.module, mutant.where, flush=True)
        return lived

    def measure(self, chosen: Sequence[Mutant]) -> bool:
        """Set each mirror's time limit by a run with nothing broken; return whether all pass."""
        tree = self.trees.get()
        for tests in {tuple(mirror(one.module)) for one in chosen}:
            began = time.monotonic()
            if not tests or not tree.survives(None, tests, 600):
                print(f"these fail, or are none, with nothing broken: {' '.join(tests)}")
                return False
            self.limits[tests] = 20 + 4 * (time.monotonic() - began)
        self.trees.put(tree)
        return True


def show(chosen: Sequence[Mutant], outcome: Sequence[bool | None], known: set[object]) -> int:
    """Print what became of them; return how many survivors are unexplained."""
    survivors = [one for one, lived in zip(chosen, outcome, strict=True) if lived]
    unexplained = [one for one in survivors if key(one) not in known]
    for one in unexplained:
        is_, was = one.changed()
        print(f"\nSURVIVED\n{one.diff()}")
        print(f"[[mutant]]\nmodule = {one.module!r}\nwhere = {one.where!r}")
        print(f"is = '''{is_}'''\nwas = '''{was}'''\nwhy = ''")
    untried = sum(lived is None for lived in outcome)
    killed = len(chosen) - len(survivors) - untried
    print(
        f"\n{len(chosen)} mutants: {killed} killed, {len(survivors) - len(unexplained)} survivors"
        f" explained, {len(unexplained)} not; {untried} not tried for want of time"
    )
    return len(unexplained)


def main() -> int:
    """Read the command line, and break things."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--sample", type=int, default=60, metavar="N", help="0: every mutant")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", metavar="PATTERN", help="files, such as 'policies/h*'")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--minutes", type=float, default=30, help="begin none after that")
    options = parser.parse_args()
    every = [
        mutant
        for name in modules(options.only)
        for mutant in mutants(name, (ROOT / "socketsuite" / name).read_text())
    ]
    count = min(options.sample or len(every), len(every))
    chosen = random.Random(options.seed).sample(every, count)
    print(f"{count} of {len(every)} mutants, seed {options.seed}, {options.jobs} at once")
    known: set[object] = set(explained())
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        trees: queue.Queue[Tree] = queue.Queue()
        for number in range(options.jobs):
            trees.put(Tree.copy(Path(folder) / str(number)))
        campaign = Campaign(trees, time.monotonic() + 60 * options.minutes, {})
        if not campaign.measure(chosen):
            return 1
        with ThreadPoolExecutor(options.jobs) as pool:
            outcome = list(pool.map(campaign.tried, chosen))
    return 1 if show(chosen, outcome, known) else 0


if __name__ == "__main__":
    sys.exit(main())
