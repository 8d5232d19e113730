"""Random scenarios on the burst transport and on stock, for as long as one likes.

Run from the project's folder: ``python -m tests.differential.campaign --seeds 10000``.  A
mismatch is made smaller and printed as a script, with its seed.  Exit status 1 if there
was any.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter

from twisted.logger import globalLogBeginner

from tests.differential.compare import mismatches
from tests.differential.generate import scenario
from tests.differential.not_compared import why_not_compared
from tests.differential.scenario import Scenario, script
from tests.differential.shrink import shrink

_OFTEN = 4


def failure(seed: int, *, shrunk: bool = True, known: Counter[str] | None = None) -> str:
    """Return what is wrong with the scenario of *seed*, as text; empty if nothing is.

    :param known: how often each kind of mismatch was seen; those seen often are not shrunk.
    """
    made = scenario(seed)
    found = mismatches(made)
    if not found:
        return ""
    kinds = {_kind(line) for line in found}
    if known is not None:
        known.update(kinds)
        if all(known[kind] > _OFTEN for kind in kinds):
            return f"seed {seed}: again {'; '.join(sorted(kinds))}"
    if shrunk:

        def fails(smaller: Scenario) -> bool:
            return bool(kinds & {_kind(line) for line in mismatches(smaller)})

        made = shrink(made, fails)
        found = mismatches(made) or [*found, "(which the smaller scenario shows only at times)"]
    return f"seed {seed}\n{script(made)}\ndiffers:\n" + "\n".join(f"  {line}" for line in found)


def _kind(line: str) -> str:
    """Return what a line says, whichever connection it says it of."""
    words = line.partition("\n")[0].split(": ")
    return ": ".join(word for word in words if not word.startswith("connection "))[:60]


def main() -> int:
    """Run seeds until enough are done or the time is over."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20_000, help="how many")
    parser.add_argument("--seconds", type=float, default=600.0, help="how long at most")
    parser.add_argument("--seed", type=int, help="run this one alone")
    parser.add_argument("--first", type=int, help="the first of them; else by chance")
    parser.add_argument("--failures", type=int, default=5, help="stop after so many")
    arguments = parser.parse_args()
    # Or Twisted would print what the scenarios make protocols raise.
    globalLogBeginner.beginLoggingTo([], discardBuffer=True, redirectStandardIO=False)
    if arguments.seed is not None:
        print(script(scenario(arguments.seed)))
        found = failure(arguments.seed)
        print(found or "no difference")
        return 1 if found else 0
    first = random.randrange(1 << 40) if arguments.first is None else arguments.first
    until = time.monotonic() + arguments.seconds
    known: Counter[str] = Counter()
    failed = compared = seed = 0
    for seed in range(first, first + arguments.seeds):
        if time.monotonic() > until or failed >= arguments.failures:
            break
        compared += not why_not_compared(scenario(seed))
        found = failure(seed, known=known)
        if found:
            failed += 1
            print(found, end="\n\n", flush=True)
    print(f"seeds {first} to {seed}: {compared} compared with stock, {failed} differ")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
