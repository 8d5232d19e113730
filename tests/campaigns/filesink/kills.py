"""Kill -9 at random moments of uploads, and see what the sink has of them when it is back.

Run from the project's folder: ``python -m tests.campaigns.filesink.kills``; ten minutes.  After
each kill every acknowledged byte is there once, in order; no record is torn or doubled; and the
journal agrees with the files.  Exit status 1 if anything of that does not hold.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.campaigns.filesink.uploads import Form, Uploads

_KILLS_OF_A_FOLDER = 10

FORMS: tuple[Form, ...] = (
    ("all.bin", "lines", ("--rotate-size", "300K", "--compress", "zstd")),
    ("{stream}.bin", "lines", ("--rotate-size", "200K", "--compress", "zstd")),
    ("{stream}.bin", "raw", ("--rotate-size", "100K")),
    ("all.bin", "raw", ("--rotate-size", "1M", "--compress", "zstd")),
    ("all.bin", "lines", ()),
)


def kill_once(uploads: Uploads, longest: float) -> None:
    """Start, send for up to *longest* seconds, and kill."""
    with uploads.start() as daemon:
        senders = uploads.send(daemon)
        # The moment of the kill is what is tried; nothing waits for it.
        time.sleep(uploads.dice.uniform(0.0, longest))
        daemon.process.kill()
        daemon.kill()
    uploads.join(senders)


def run(form: int, kills: int, seed: int, longest: float = 0.6) -> int:
    """Kill so many times, in one folder; return how many bytes were acknowledged.

    :raises AssertionError: for what does not hold.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "kept"
        folder.mkdir()
        uploads = Uploads(folder, FORMS[form], seed)
        for number in range(kills):
            kill_once(uploads, longest)
            uploads.check(all_of_it=number == kills - 1)
        return uploads.acknowledged


def main() -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    acknowledged = done = 0
    while done < options.kills:
        number, seed = done // _KILLS_OF_A_FOLDER, options.seed + done
        kills = min(_KILLS_OF_A_FOLDER, options.kills - done)
        try:
            acknowledged += run(number % len(FORMS), kills, seed)
        except AssertionError as error:
            print(f"kills {done + 1} to {done + kills}, seed {seed}: {error}")
            return 1
        done += kills
        print(f"{done} kills", file=sys.stderr, flush=True)
    megabytes = acknowledged / 1e6
    print(f"seed {options.seed}: {done} kills, {megabytes:.0f} MB acknowledged, none of it lost")
    return 0


if __name__ == "__main__":
    sys.exit(main())
