"""A disk that hangs for ten seconds under one file: other files and other services go on.

Run from the project's folder: ``python -m tests.campaigns.filesink.hanging``; a minute, on a quiet
machine.  An echo in the same process, and a stream into another file of the same sink, are asked
again and again, before, while and after a write (then a sync) of one file hangs.  The 99th
percentile of their answers stays within 1.5 times what it was, memory stays flat, and the hanging
file's sender gets its confirmation in the end.  Exit status 1 if anything of that does not hold.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from socketsuite.testing import Daemon
from tests.campaigns.filesink.ack_sender import AckSender, Stream
from tests.campaigns.filesink.disk_faults import DiskFaults, Fault
from tests.campaigns.filesink.records import Source

MOST_MEMORY = 32_000_000
_DEADLINE = 60.0
_SETTINGS = """\
[echo]
port = 0

[filesink]
port = 0
ack-port = 0
framing = "lines"
file = "{file}"
"""


@dataclass(frozen=True)
class Found:
    """What was measured: 99th percentiles in seconds, bytes of memory.

    :ivar others: how many answers came while the file hung.
    """

    usual: dict[str, float]
    during: dict[str, float]
    longest: float
    others: int
    grown: int

    @property
    def worst(self) -> float:
        """By how much the slowest answers were slower, of what suffered most."""
        return max(self.during[name] / self.usual[name] for name in self.usual)


class _Echo:
    """Asks the echo."""

    def __init__(self, port: int) -> None:
        self.connection = socket.create_connection(("127.0.0.1", port), _DEADLINE)

    def ask(self) -> None:
        self.connection.sendall(b"still there?")
        assert self.connection.recv(100) == b"still there?"


class _OtherFile:
    """Sends a line into a file, and waits until it is on disk."""

    def __init__(self, port: int) -> None:
        self.connection = socket.create_connection(("127.0.0.1", port), _DEADLINE)
        self._replies = self.connection.makefile("rb")
        self._at = 0
        self.connection.sendall(b"STREAM other\n")
        assert self._replies.readline().startswith(b"READY")
        assert self._replies.readline() == b"STREAM other 0 " + _EMPTY

    def ask(self) -> None:
        self._at += 100
        line = b"z" * 99 + b"\n"
        self.connection.sendall(b"DATA %d 100\n%sEND %d\n" % (self._at - 100, line, self._at))
        while not (reply := self._replies.readline()).startswith(b"DONE"):
            assert reply.startswith(b"ACK"), reply


_EMPTY = b"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n"


def _percentiles(
    probes: dict[str, Callable[[], None]], go_on: Callable[[], bool]
) -> tuple[dict[str, float], float, int]:
    """Ask each in turn; return the 99th percentiles, the longest time, and how many there were."""
    times: dict[str, list[float]] = {name: [] for name in probes}
    while go_on():
        for name, ask in probes.items():
            begun = time.monotonic()
            ask()
            times[name].append(time.monotonic() - begun)
    found = {name: sorted(its)[int(len(its) * 0.99)] for name, its in times.items()}
    return found, max(max(its) for its in times.values()), min(map(len, times.values()))


def run(compiler: str, call: str, seconds: float, baseline: float, size: int) -> Found:
    """Let *call* on one file hang for so many *seconds*, after measuring for *baseline*.

    :param size: bytes that are sent to the file that hangs.
    :raises AssertionError: when something does not come back.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(os.path.realpath(name))
        kept = folder / "kept"
        kept.mkdir()
        library = DiskFaults(compiler, folder, kept)
        (folder / "suite.toml").write_text(_SETTINGS.format(file=kept / "{stream}.bin"))
        flags = ("--config", "suite.toml")
        with Daemon(folder, "socketsuite", *flags, env=library.environment) as daemon:
            ack = daemon.port(frontend="ack")
            echo = daemon.wait_for_line(r"-echo listening transport=tcp address=127\S+ port=(\d+)")
            asked = _Echo(int(echo[1])), _OtherFile(ack)
            probes = {"echo": asked[0].ask, "other file": asked[1].ask}
            until = time.monotonic() + baseline
            before, _, _ = _percentiles(probes, lambda: time.monotonic() < until)
            memory = daemon.memory("VmHWM")
            library.set(Fault(call, "hung.bin", 2, 2, 0, int(seconds * 1000)))
            stream = Stream(Source("hung", 1))
            sender = AckSender(ack, stream, random.Random(1), size)
            until = time.monotonic() + seconds * 0.9
            sender.start()
            during, longest, others = _percentiles(probes, lambda: time.monotonic() < until)
            assert sender.is_alive(), "nothing hung"
            grown = daemon.memory("VmHWM") - memory
            sender.join(_DEADLINE)
            assert sender.done, sender.broken or sender.error
            until = time.monotonic() + baseline
            after, _, _ = _percentiles(probes, lambda: time.monotonic() < until)
            for one in asked:
                one.connection.shutdown(socket.SHUT_RDWR)  # else the end waits for them
            assert daemon.stop() == 0, daemon.log
            # What else the machine does is not the same all the time.
            usual = {name: max(its, after[name]) for name, its in before.items()}
            return Found(usual, during, longest, others, grown)


def main() -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        print("left out: there is no C compiler")
        return 0
    failed = False
    for call in ("writev", "fdatasync"):
        found = run(compiler, call, options.seconds, options.seconds, 8 << 20)
        failed = failed or found.worst > 1.5 or found.grown > MOST_MEMORY
        told = "; ".join(
            f"{name}: p99 {found.usual[name] * 1e3:.1f} ms, while it hung {p99 * 1e3:.1f} ms"
            for name, p99 in found.during.items()
        )
        print(f"{call}: {told}; memory grew by {found.grown / 1e6:.1f} MB", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
