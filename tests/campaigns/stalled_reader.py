"""What one who does not read a large broadcast costs the others, measured; under two minutes.

Run from the project's folder: ``python -m tests.campaigns.stalled_reader``.  One process
serves an echo, to which thousands are connected and say nothing, and a chat, in which one
speaks and four listen.  Each round is a broadcast of 100 MB at a fixed rate, every line of
it timed from the moment it was due to each listener.  In every other round there is one
more in the room, who never reads.

What else the machine does delays any line of any round, and one who does not read delays
the same lines of each of its rounds: those said while it is there.  So a line is taken as
it was in an undisturbed round, the lower quartile of all rounds of one kind, and the verdict
is on the p99 of these, with and without one who does not read.  Exit status 1 if a bound
does not hold.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.daemons.crowd import MOST_DESCRIPTORS, as_many_descriptors_as_allowed, until_gone
from tests.support.audience import LINE, LISTENERS, Hall, percentile
from tests.support.outside import MEGABYTE, memory

SEND_QUEUE = 4 * MEGABYTE
MOST_MEMORY = SEND_QUEUE + 16 * MEGABYTE
MOST_SECONDS = 10.0
MOST_RATIO = 1.5
# About what is said before the one who does not read is dropped: the queue, and the kernel's.
BESIDE = 8 * MEGABYTE


@dataclass(frozen=True)
class Round:
    """One broadcast.

    :ivar latencies: of each line to each listener, in seconds.
    :ivar cpu: the daemon's, in seconds.
    :ivar growth: of the daemon's memory at its peak, in bytes.
    :ivar gone_after: seconds that one who does not read was there, if there was one.
    """

    latencies: list[float]
    cpu: float
    growth: int
    gone_after: float | None

    @property
    def p99(self) -> float:
        """The seconds within which 99 of 100 lines are heard."""
        return percentile(self.latencies, 0.99)

    def __str__(self) -> str:
        gone = "" if self.gone_after is None else f", gone after {self.gone_after:.2f} s"
        return (
            f"{times(self.latencies)}, CPU {self.cpu:.2f} s,"
            f" RSS +{self.growth / MEGABYTE:.1f} MiB{gone}"
        )


def times(latencies: list[float]) -> str:
    """Return what is to be said of *latencies*, also of those of the beginning alone."""
    p50, p99, most = (1e3 * percentile(latencies, share) for share in (0.50, 0.99, 1.0))
    early = 1e3 * percentile(latencies[: BESIDE // LINE * LISTENERS], 0.99)
    return f"p50 {p50:5.2f}  p99 {p99:6.2f}  most {most:6.1f}  p99 at first {early:6.2f} ms"


def measure(hall: Hall, total: int, rate: float, *, stalled: bool) -> Round:
    """Return the figures of one broadcast."""
    before, cpu = memory(hall.daemon), hall.cpu_seconds()
    one = hall.member() if stalled else None
    told = len(hall.daemon.lines)
    latencies = hall.audience.broadcast(total, rate, precise=True)
    cpu = hall.cpu_seconds() - cpu
    gone_after = None
    if one is not None:
        gone_after = float("inf")
        if until_gone(hall.daemon, [one], MOST_SECONDS):
            peer = "{}:{}".format(*one.getsockname())
            line = hall.daemon.wait_for_line(rf"closed .*peer={peer} .*duration=(\S+)", told)
            gone_after = float(line[1])
        one.close()
    growth = max(0, memory(hall.daemon, "VmHWM") - before)
    return Round(latencies, cpu, growth, gone_after)


def campaign(options: argparse.Namespace) -> bool:
    """Print the figures of every round, and the verdict; return whether all bounds hold."""
    total, rate = options.megabytes * 10**6, options.rate * 1e6
    pairs: list[tuple[Round, Round]] = []
    with tempfile.TemporaryDirectory() as folder, as_many_descriptors_as_allowed():
        hall = Hall(Path(folder), options.idle, options.transport)
        try:
            hall.audience.broadcast(total)
            for number in range(options.pairs):
                order = (False, True) if number % 2 == 0 else (True, False)
                made = {stalled: measure(hall, total, rate, stalled=stalled) for stalled in order}
                pairs.append((made[False], made[True]))
                print(f"pair {number + 1}, ratio of p99 {made[True].p99 / made[False].p99:.2f}")
                print(f"  all read:        {made[False]}\n  one does not:    {made[True]}")
        finally:
            hall.close()
    return verdict(pairs)


def verdict(pairs: list[tuple[Round, Round]]) -> bool:
    """Print what the rounds come to; return whether all bounds hold."""
    alone, beside = ([pair[kind] for pair in pairs] for kind in (0, 1))
    print(f"each line undisturbed, of {len(pairs)} rounds of each kind:")
    print(f"  all read:        {times(undisturbed(alone))}")
    print(f"  one does not:    {times(undisturbed(beside))}")
    ratio = percentile(undisturbed(beside), 0.99) / percentile(undisturbed(alone), 0.99)
    raw = statistics.median(with_one.p99 / without.p99 for without, with_one in pairs)
    cpu = statistics.median(with_one.cpu / without.cpu for without, with_one in pairs)
    growth = max(each.growth for each in beside)
    gone = max(each.gone_after or 0.0 for each in beside)
    print(f"with one who does not read, the others' p99 is {ratio:.2f} times what it is without")
    print(
        f"  (allowed {MOST_RATIO}); median of the pairs' own ratios {raw:.2f}; CPU {cpu:.2f} times"
    )
    print(f"memory: at most +{growth / MEGABYTE:.1f} MiB (allowed {MOST_MEMORY / MEGABYTE:.0f})")
    print(f"gone after at most {gone:.2f} s (allowed {MOST_SECONDS:.0f})")
    return ratio <= MOST_RATIO and growth <= MOST_MEMORY and gone <= MOST_SECONDS


def undisturbed(rounds: list[Round]) -> list[float]:
    """Return each line's lower quartile over *rounds*."""
    every = (each.latencies for each in rounds)
    return [percentile(line, 0.25) for line in zip(*every, strict=True)]


def main() -> int:
    """Read the command line, and measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--megabytes", type=int, default=100, help="of each broadcast")
    parser.add_argument("--rate", type=float, default=25.0, help="megabytes a second")
    parser.add_argument("--idle", type=int, default=min(10_000, MOST_DESCRIPTORS - 200))
    parser.add_argument("--transport", choices=("burst", "twisted"), default="burst")
    options = parser.parse_args()
    print(
        f"{options.idle} idle connections, {LISTENERS} listeners, {options.megabytes} MB in lines"
        f" of {LINE} bytes, {options.rate:g} MB/s, {options.transport}"
    )
    return 0 if campaign(options) else 1


if __name__ == "__main__":
    sys.exit(main())
