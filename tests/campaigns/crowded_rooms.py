"""Ten thousand people in rooms of fifty, and one who does not read, measured; two minutes.

Run from the project's folder: ``python -m tests.campaigns.crowded_rooms``.  On each frontend in
turn, somebody talks in the room of the one who does not read, who is dropped when its send queue is
full; meanwhile every line is timed to the 48 others, and to those of another room.  Exit status 1
if a bound does not hold.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.daemons.crowd import MOST_DESCRIPTORS, as_many_descriptors_as_allowed
from tests.support.audience import percentile
from tests.support.crowded_rooms import FRONTENDS, ROOM, SEND_QUEUE, Frontend, Rooms

MOST_PER_PERSON = 16 << 10
MOST_GROWTH = SEND_QUEUE + (8 << 20)
MOST_P99, MOST_GONE = 0.1, 20.0
_RATE = 300.0


def measure(frontend: Frontend, people: int, seconds: float) -> bool:
    """Print the figures of one frontend; return whether all bounds hold."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        rooms = Rooms(Path(folder), frontend, people)
        try:
            entered, each = time.monotonic() - began, rooms.per_person
            before = rooms.daemon.memory()
            latencies, gone = rooms.talk(seconds, _RATE)
            growth = rooms.daemon.memory("VmHWM") - before
            if gone is not None:
                rooms.daemon.wait_for_line("closed .*reason=send_queue_full")
        finally:
            rooms.close()
    p50, p99, most = (1e3 * percentile(latencies, share) for share in (0.5, 0.99, 1.0))
    print(
        f"{frontend.name}: {people} people came in {entered:.0f} s, {each / 1024:.1f} KiB each;"
        f" {len(latencies)} lines heard after p50 {p50:.1f}  p99 {p99:.1f}  most {most:.1f} ms;"
        f" who does not read was dropped after"
        f" {'no' if gone is None else f'{gone:.1f}'} s; RSS +{growth / (1 << 20):.1f} MiB",
        flush=True,
    )
    well = p99 <= MOST_P99 * 1e3 and growth <= MOST_GROWTH and each <= MOST_PER_PERSON
    return well and gone is not None and gone <= MOST_GONE


def main() -> int:
    """Read the command line, and measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    most = (MOST_DESCRIPTORS - 200) // ROOM * ROOM
    parser.add_argument("--people", type=int, default=min(10_000, most))
    parser.add_argument("--seconds", type=float, default=15.0, help="of talk")
    parser.add_argument("--frontend", choices=FRONTENDS, action="append")
    options = parser.parse_args()
    with as_many_descriptors_as_allowed():
        chosen = [FRONTENDS[name] for name in options.frontend or FRONTENDS]
        well = [measure(one, options.people, options.seconds) for one in chosen]
    return 0 if all(well) else 1


if __name__ == "__main__":
    sys.exit(main())
