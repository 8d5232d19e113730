"""Kill -9 at random moments while people talk, and see what the history's file holds.

Run from the project's folder: ``python -m tests.campaigns.history_kills``; a minute and a half.
After each kill the file opens, its order has no gap and no duplicate, and what was heard so many
milliseconds before the kill is there.  Exit status 1 if anything of that does not hold.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from socketsuite.services.chat.events import Message
from socketsuite.testing import Daemon, read_line
from tests.support.kept_history import FLAGS, Talk, check

PROMISE = 0.1
"""Seconds from when a line was heard until it is on disk, on a machine that is not busy."""


def killed(folder: Path, found: list[Message], dice: random.Random) -> tuple[list[Message], float]:
    """Return what the file holds after another run, and how old the oldest lost line was."""
    path = folder / "h"
    flags = ("--port", "0", "--banner", "hi", "--history-file", str(path), *FLAGS)
    with Daemon(folder, "socketsuite-chat", *flags) as daemon:
        talk = Talk()
        with daemon.connect() as speaker, daemon.connect() as listener:
            assert read_line(speaker) == read_line(listener) == b"hi\n"
            end = time.monotonic() + dice.uniform(0.0, 0.6)
            while time.monotonic() < end:
                talk.exchange(speaker, listener, b"x" * dice.randrange(200))
            talk.burst(speaker, [b"y" * dice.randrange(2000) for _ in range(dice.randrange(500))])
            at = time.monotonic()
            daemon.process.kill()
            daemon.kill()
    before = len(found)
    found = check(path, found, talk, sum(1 for heard in talk.heard if heard < at - PROMISE))
    lost = talk.heard[len(found) - before :]
    return found, at - lost[0] if lost else 0.0


def main() -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    dice = random.Random(options.seed)
    found: list[Message] = []
    ages = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.kills):
            try:
                found, age = killed(Path(folder), found, dice)
            except AssertionError as error:
                print(f"kill {number + 1} of seed {options.seed}: {error}")
                return 1
            ages.append(age * 1e3)
    ages.sort()
    print(
        f"seed {options.seed}: {options.kills} kills, {len(found)} messages kept; the oldest line"
        f" lost was {ages[-1]:.0f} ms old, by the median {ages[len(ages) // 2]:.0f} ms"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
