"""Use a sink's storage while its calls fail and it is killed or loses power, at random.

Run from the project's folder: ``python -m tests.campaigns.storage_failures``; three minutes.  What
was confirmed has to be there, once and whole.  Exit status 1, with the seeds, where it is not.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.support.storage_model import live


def main() -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    end = time.monotonic() + options.seconds
    seed, failures = options.seed, 0
    while time.monotonic() < end and failures < 10:
        for sync in ("always", "interval", "none"):
            with tempfile.TemporaryDirectory() as folder:
                try:
                    live(Path(folder) / "sink", seed, sync, options.steps)
                except Exception as error:  # noqa: BLE001 - a traceback is a failure, too
                    print(f"seed {seed}, --sync {sync}: {error!r}")
                    failures += 1
        seed += 1
    print(f"seeds {options.seed} to {seed - 1}, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
