"""Fuzzes every target, guided by coverage: so many inputs in all, within a time for each.

Run from the project's folder: ``python -m tests.fuzz.campaign --runs 10000000``.  Each target is a
process of its own.  What raises is kept as a file, and printed as the command that runs it again.
Exit status 1 if anything was found.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import re
import subprocess
import sys
import time
from dataclasses import dataclass

from tests.fuzz.one import NO_ATHERIS
from tests.fuzz.targets import TARGETS

_DONE = re.compile(r"stat::number_of_executed_units: (\d+)|^Done (\d+) runs", re.MULTILINE)
_COVERED = re.compile(r"\bcov: (\d+)")
_KEPT = re.compile(r"Test unit written to (\S+)")
_LINES = 25


@dataclass(frozen=True)
class Outcome:
    """What became of one target.

    :ivar inputs: how many it was given; *covered* how many branches they reached.
    :ivar file: what raised; ``None`` where nothing did.
    :ivar words: what was said last, where something did or the target could not be run.
    """

    inputs: int
    covered: int
    seconds: float
    file: str | None
    words: str


def fuzzed(name: str, runs: int, seconds: int, seed: int) -> Outcome:
    """Run one target."""
    command = [sys.executable, "-m", "tests.fuzz.one", name]
    options = ["--runs", str(runs), "--seconds", str(seconds), "--seed", str(seed)]
    began = time.monotonic()
    done = subprocess.run(
        [*command, *options], stderr=subprocess.STDOUT, stdout=subprocess.PIPE, text=True,
        errors="replace", check=False,
    )  # fmt: skip
    took = time.monotonic() - began
    said = done.stdout
    inputs = max((int(a or b) for a, b in _DONE.findall(said)), default=0)
    covered = max(map(int, _COVERED.findall(said)), default=0)
    file = _KEPT.search(said) if done.returncode else None
    words = "\n".join(said.splitlines()[-_LINES:]) if done.returncode else ""
    return Outcome(inputs, covered, took, file[1] if file is not None else None, words)


def tell(name: str, outcome: Outcome) -> None:
    """Print what became of a target."""
    print(
        f"{name:14} {outcome.inputs:>10,} inputs {outcome.seconds:6.0f} s"
        f"  {outcome.covered:>5} branches",
        flush=True,
    )
    if outcome.words:
        print(outcome.words)
    if outcome.file is not None:
        print(f"run it again: {sys.executable} -m tests.fuzz.one {name} {outcome.file}", flush=True)


def main() -> int:
    """Run all targets, or those that are named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--runs", type=int, default=1_000_000, help="inputs of all of them")
    parser.add_argument("--seconds", type=int, default=120, help="of each of them, at most")
    parser.add_argument("--seed", type=int, default=random.randrange(1, 1 << 31))
    options = parser.parse_args()
    unknown = set(options.targets) - set(TARGETS)
    if unknown:
        parser.error(f"there is no target {' '.join(sorted(unknown))}: {', '.join(TARGETS)}")
    if importlib.util.find_spec("atheris") is None:
        print(NO_ATHERIS, file=sys.stderr)
        return 1
    chosen = {name: TARGETS[name] for name in options.targets or TARGETS}
    whole = sum(one.share for one in chosen.values())
    print(f"seed {options.seed}: {options.runs:,} inputs, at most {options.seconds} s a target")
    outcomes = []
    for name, target in chosen.items():
        runs = round(options.runs * target.share / whole)
        outcomes.append(fuzzed(name, runs, options.seconds, options.seed))
        tell(name, outcomes[-1])
    inputs, seconds = sum(o.inputs for o in outcomes), sum(o.seconds for o in outcomes)
    bad = sum(bool(one.words) for one in outcomes)
    print(f"{inputs:,} inputs in {seconds:.0f} s; {bad or 'no'} target{'s' * (bad != 1)} failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
