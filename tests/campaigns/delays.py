"""The tests, while system calls take a while now and then: does one depend on luck?

Run from the project's folder: ``python -m tests.campaigns.delays [PATH…]``; a quarter of an hour.
Every process of the tests, daemons and peers too, has ``delays.c`` preloaded, so that what
usually happens first may happen last.  Exit status 1 if a test fails.  Who measures time, or does
a thing tens of thousands of times, is left out.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bench.generator import find_compiler

SOURCE = Path(__file__).with_suffix(".c")
ROOT = SOURCE.parents[2]
# Twisted's own suites start hundreds of processes; the others do nothing that could come late.
PATHS = ("daemons", "cli", "testing", "services", "storage", "web", "socketio", "differential")
# Daemons have so many seconds of their CPU for so many peers: delays are none of that.
TIMED = (
    "bench",
    "daemons/test_many_peers.py",
    "daemons/test_stalled_readers.py",
    "daemons/test_crowded_rooms.py",
    "cli/test_client_connect.py::test_thirty_megabytes_for_a_reader_that_comes_late_stay_out_of_memory",
    "daemons/test_burst_daemon.py::test_a_timer_is_on_time_while_echoes_saturate_the_daemon",
    "daemons/test_filesink.py::test_50_megabytes_arrive_and_are_never_held_in_memory",
)


def environment(compiler: str, folder: Path, one_in: int, most: float) -> dict[str, str]:
    """Build the library in *folder*, and return what makes processes load it.

    :param one_in: of so many system calls one is delayed.
    :param most: by how many seconds at most.
    """
    library = folder / "delays.so"
    command = [compiler, "-O1", "-shared", "-fPIC", "-o", str(library), str(SOURCE)]
    subprocess.run([*command, "-ldl"], check=True)
    return {
        "LD_PRELOAD": str(library),
        "DELAYS_ONE_IN": str(one_in),
        "DELAYS_MICROSECONDS": f"{most * 1e6:.0f}",
    }


def run(paths: list[str], variables: Mapping[str, str], workers: int) -> int:
    """Run the tests, and return pytest's exit status."""
    words = ["-q", "-n", str(workers), "--dist", "loadgroup", "-p", "no:cacheprovider"]
    for name in TIMED:
        words += ["--deselect", f"tests/{name}"]
    command = [sys.executable, "-m", "pytest", *words, *paths]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **variables}).returncode


def main() -> int:
    """Read the command line, and run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("paths", nargs="*", default=[f"tests/{one}" for one in PATHS])
    parser.add_argument("--one-in", type=int, default=30, help="system calls, of which one waits")
    parser.add_argument("--most", type=float, default=0.03, help="seconds that one waits at most")
    parser.add_argument("--workers", type=int, default=6)
    options = parser.parse_args()
    compiler = find_compiler()
    if compiler is None:
        print("no C compiler: install gcc or clang", file=sys.stderr)
        return 2
    # Daemons that have given up root load it, too.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        variables = environment(compiler, folder, options.one_in, options.most)
        return 1 if run(options.paths, variables, options.workers) else 0


if __name__ == "__main__":
    sys.exit(main())
