"""Each moment of a run of the file sink as a power loss would leave it, and what is recovered.

Run from the project's folder: ``python -m tests.campaigns.filesink.crash_states``; five minutes.
A run is traced by strace.  After each change of the folder its images are built (all of what was
not synced is there, nothing of it, or something), and recovered from with another boot id.  What
had been acknowledged before that moment has to be there, and its hash.  Exit status 1 if not.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from socketsuite.storage.beneath import Folder
from socketsuite.storage.extents import open_known
from socketsuite.storage.recovery import Recovery, recover
from socketsuite.storage.segments import clean
from tests.campaigns.filesink import images
from tests.campaigns.filesink.ack_sender import AckSender, Stream
from tests.campaigns.filesink.holdings import check_streams, read_journal
from tests.campaigns.filesink.images import Disk, Image
from tests.campaigns.filesink.ordering import Trace
from tests.campaigns.filesink.records import Proof, Source
from tests.campaigns.filesink.tracing import Call, parse, traced
from tests.campaigns.filesink.uploads import Form, Uploads

JOURNAL = "~journal"
_RAW_RECORDS = 500
FORMS: tuple[Form, ...] = (
    ("{stream}.bin", "lines", ("--rotate-size", "30K", "--compress", "zstd")),
    ("{stream}.bin", "raw", ()),
    ("all.bin", "lines", ("--rotate-size", "50K")),
)
_FILE_ADDED = re.compile(r"(?:^|;| )F (\d+) (\S+) (\d+) \d+(?=;|$)")


class _TracedInodes(Folder):
    """A folder whose files have the inodes of those that were traced."""

    inodes: Mapping[int, int] = {}

    def stat(self, relative: str) -> os.stat_result:
        status = super().stat(relative)
        if relative.endswith("~journal"):
            return status  # it is known by its name
        number = self.inodes.get(status.st_ino, status.st_ino)
        return os.stat_result((status[0], number, *status[2:]))


@dataclass
class Run:
    """What was traced, and what was acknowledged by then."""

    disk: Disk
    calls: list[Call]
    trace: Trace
    sources: dict[str, Source]
    journal: str
    raw: bytes = b""
    at: int = 0
    known: dict[str, int] = field(default_factory=dict)
    confirmed: int = 0

    def moments(self) -> Iterator[int]:
        """Yield after each change of the disk the line before which a crash has to come."""
        for index, call in enumerate(self.calls):
            if self.disk.take(call):
                self._learn_inodes(call)
                after = self.calls[index + 1].begin if index + 1 < len(self.calls) else call.end + 1
                self._acknowledged_before(after)
                yield after

    def _learn_inodes(self, call: Call) -> None:
        if call.name == "write" and call.path.endswith(self.journal):
            for line in call.arguments.split("\\n"):
                for _, name, inode in _FILE_ADDED.findall(line):
                    if name in self.disk.names:
                        self.disk.names[name].was = int(inode)

    def _acknowledged_before(self, line: int) -> None:
        told = self.trace.acknowledged
        while self.at < len(told) and told[self.at].line < line:
            one = told[self.at]
            if one.stream is None:
                self.confirmed = max(self.confirmed, one.offset)
            else:
                self.known[one.stream] = max(self.known.get(one.stream, 0), one.offset)
            self.at += 1


def traced_run(strace: str, folder: Path, form: Form, seed: int, size: int) -> Run:
    """Have senders upload up to *size* bytes each, and return what was traced of the sink."""
    kept = folder / "kept"
    kept.mkdir()
    uploads = Uploads(kept, form, seed, senders=3)
    output = folder / "trace"
    with uploads.start() as daemon:
        uploads.wait_for_journal()
        disk = Disk(kept)
        options = ("-v", "-s", "4000000", "-e", f"trace={images.CALLS}")
        with traced(strace, daemon.process.pid, output, options):
            senders = uploads.send(daemon, size, raw_most=_RAW_RECORDS)
            for sender in senders:
                if isinstance(sender, AckSender):
                    sender.join(60)
                else:
                    sender.stopping.set()
            uploads.join(senders)
            assert daemon.stop() == 0
    lines = output.read_text(errors="surrogateescape").splitlines()
    calls = list(parse(lines))
    trace = Trace({}).take(calls)
    trace.acknowledged.sort(key=lambda one: one.line)
    sources = {name: stream.source for name, stream in uploads.streams.items()}
    run = Run(disk, calls, trace, sources, uploads.journal.name)
    run.raw = _raw_bytes(kept)
    return run


def _raw_bytes(folder: Path) -> bytes:
    """Return what is in the files of the raw port, in order; the journal forgets closed ones."""
    names = {name.removesuffix(".gz").removesuffix(".zst") for name in os.listdir(folder)}
    its = sorted(name for name in names if name.startswith("raw.bin~0"))
    data = b""
    with Folder(folder) as opened:
        for name in [*its, *names & {"raw.bin"}]:
            with open_known(opened, name) as file:
                data += file.read()
    return data


def _recovered(folder: Path, image: Image, journal: str) -> Recovery:
    """Build *image* in the folder, and recover from it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    inodes = {}
    for name, (data, was) in image.items():
        (folder / name).write_bytes(data)
        inodes[(folder / name).stat().st_ino] = was
    with _TracedInodes(folder) as opened:
        opened.inodes = inodes
        clean(opened, 0)
        found = recover(opened, journal, "another boot", 1_790_000_000)
    os.close(found.descriptor)
    return found


def check(folder: Path, image: Image, run: Run) -> None:
    """See that recovery from *image* has what had been acknowledged.

    :raises AssertionError: when it has not.
    """
    found = _recovered(folder, image, run.journal)
    streams = {one.name: one for one in found.streams}
    for name, offset in run.known.items():
        assert name in streams, f"{name} is gone, of which {offset} bytes were acknowledged"
        held, root = streams[name].receipt
        assert held >= offset, f"{name}: {offset} acknowledged, {held} held"
        assert Proof(run.sources[name]).root(held) == root, f"{name}: the hash of {held} bytes"
    holdings = read_journal(folder / run.journal)
    known = {name: Stream(run.sources[name], offset) for name, offset in run.known.items()}
    check_streams(folder, holdings, known, {})
    if run.journal == JOURNAL:
        raw = _raw_bytes(folder)
        wanted = run.raw[: run.confirmed]
        assert raw[: run.confirmed] == wanted, f"of {run.confirmed} raw bytes confirmed {len(raw)}"


def examine(run: Run, folder: Path, dice: random.Random, each: int) -> tuple[int, list[str]]:
    """Look at every moment of *run*; return how many images there were, and what is wrong.

    :param each: random images of each moment, beside those with all and with nothing.
    """
    count = 0
    wrong = []
    for line in run.moments():
        disk = run.disk
        drawn = [("some", disk.some(dice)) for _ in range(each)]
        for kind, image in (("nothing", disk.least()), ("all", disk.most()), *drawn):
            count += 1
            try:
                check(folder, image, run)
            except Exception as error:  # noqa: BLE001 - a recovery that raises is a finding, too
                wrong.append(f"before line {line + 1}, {kind} of what was not synced: {error!r}")
    return count, wrong


def run_form(strace: str, form: Form, seed: int, size: int, each: int) -> tuple[int, list[str]]:
    """Trace one run, and look at its images."""
    memory = Path("/dev/shm")
    with (
        tempfile.TemporaryDirectory() as name,
        tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as image,
    ):
        run = traced_run(strace, Path(os.path.realpath(name)), form, seed, size)
        assert run.trace.acknowledged, "nothing was acknowledged"
        return examine(run, Path(image) / "image", random.Random(seed), each)


def main() -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--size", type=int, default=150_000, help="bytes of each sender, at most")
    parser.add_argument("--each", type=int, default=8, help="random images of each moment")
    options = parser.parse_args()
    strace = shutil.which("strace")
    if strace is None:
        print("left out: there is no strace")
        return 0
    total = 0
    failed = False
    for form in FORMS:
        count, wrong = run_form(strace, form, options.seed, options.size, options.each)
        total += count
        failed = failed or bool(wrong)
        what = f"{' '.join(form[:2])} {' '.join(form[2])}, seed {options.seed}"
        print(f"{what}: {count} images, {len(wrong)} wrong", flush=True)
        for line in wrong[:5]:
            print(f"  {line[:500]}")
    print(f"{total} images of a crash; what was acknowledged was there" * (not failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
