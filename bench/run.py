"""The benchmark's command line: ``python -m bench.run [--quick] [--json FILE] [--svg FILE]``.

Prepares what a run needs, runs it, and hands the outcome to whoever shows it.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import trustme

from bench import interrupts
from bench.contestants import Contestant, Files, contestants
from bench.generator import compile_c_echo, find_compiler, make_generator
from bench.picture import bars, draw
from bench.report import data, summary, table
from bench.servers import choose_cores, raise_descriptor_limit
from bench.session import FULL, QUICK, Outcome, Session
from bench.workloads import WORKLOADS, Workload

_MEMORY = Path("/dev/shm")


def _arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw the ratios of eight here")
    parser.add_argument(
        "--only",
        metavar="PATTERN",
        help="workloads by name, such as 'chat-*'; those not quick, too",
    )
    parser.add_argument(
        "--rounds",
        type=int,
        metavar="N",
        help="as many rounds: more for figures that are surer, on a machine that is busy",
    )
    options = parser.parse_args(words)
    if options.rounds is not None and options.rounds < 1:
        parser.error("--rounds: at least 1")
    return options


def choose(only: str | None, *, quick: bool) -> list[Workload]:
    """Return the workloads to run."""
    if only:
        return [one for one in WORKLOADS if fnmatch.fnmatch(one.name, only)]
    return [one for one in WORKLOADS if one.quick or not quick]


def make_files(folder: Path) -> Files:
    """Write a certificate for localhost (ECDSA, P-256) and the authority that signed it."""
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    issued = authority.issue_cert("localhost", key_type=trustme.KeyType.ECDSA)
    files = Files(
        folder / "authority.pem", folder / "certificate.pem", folder / "key.pem", folder / "sink"
    )
    authority.cert_pem.write_to_path(files.authority)
    issued.cert_chain_pems[0].write_to_path(files.certificate)
    issued.private_key_pem.write_to_path(files.key)
    return files


def _tell(line: str) -> None:
    print(f"… {line}", file=sys.stderr, flush=True)


def main(words: Sequence[str]) -> int:
    """Run; return the exit status."""
    options = _arguments(words)
    workloads = choose(options.only, quick=options.quick)
    if not workloads:
        names = ", ".join(one.name for one in WORKLOADS)
        print(f"no workload is called {options.only!r}; there are: {names}", file=sys.stderr)
        return 2
    interrupts.install()
    raise_descriptor_limit()
    begun = time.monotonic()
    # The sink's file belongs in memory: this is about servers, not about disks.
    parent = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="bench-", dir=parent) as name:
        folder, cores, compiler = Path(name), choose_cores(), find_compiler()
        generator = make_generator(compiler, folder)
        found, missing = contestants(compile_c_echo(compiler, folder))
        pace = QUICK if options.quick else FULL
        pace = replace(pace, rounds=options.rounds or pace.rounds)
        outcomes = Session(found, generator, cores, make_files(folder), pace, _tell).run(workloads)
    notes = [*generator.notes, *(f"left out: {one}" for one in missing)]
    if cores.shared:
        notes.append("one core for server and load: figures are less steady")
    _show(outcomes, found, notes, time.monotonic() - begun, options)
    return 0


def _show(
    outcomes: Sequence[Outcome],
    found: Sequence[Contestant],
    notes: Sequence[str],
    took: float,
    options: argparse.Namespace,
) -> None:
    labels = {one.name: one.label for one in found}
    print(table(outcomes, labels), end="\n\n")
    for note in notes:
        print(note)
    print(f"{summary(outcomes, labels)}; took {took:.0f} s")
    if options.json:
        about = {
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.release()} {platform.machine()}",
            "notes": list(notes),
            "seconds": round(took, 1),
            "quick": options.quick,
            "outcomes": data(outcomes, labels),
        }
        options.json.write_text(json.dumps(about, indent=1) + "\n")
    if options.svg:
        options.svg.write_text(draw(bars(data(outcomes, labels))))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
