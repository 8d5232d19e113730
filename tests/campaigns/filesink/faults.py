"""System calls on a sink's files fail at every N-th: never is anything acknowledged for it.

Run from the project's folder: ``python -m tests.campaigns.filesink.faults``; ten minutes.  Of each
fault: nothing is acknowledged that was not synced without an error (read in a trace of the system
calls, where strace can be used), the other files go on, one line tells of it, and ``/health`` is
bad; what was acknowledged is there when the sink is started anew.  Exit status 1 if not.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.campaigns.filesink.ack_sender import AckSender
from tests.campaigns.filesink.disk_faults import FOR_EVER, SHORT, DiskFaults, Fault
from tests.campaigns.filesink.ordering import Trace, uncovered
from tests.campaigns.filesink.raw_sender import RawSender
from tests.campaigns.filesink.tracing import CALLS, parse, traced
from tests.campaigns.filesink.uploads import Uploads

FORM = ("{stream}.bin", "lines", ("--rotate-size", "200K", "--metrics-port", "0"))
STREAMS = 3
_BYTES = 1 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT)
_JOURNAL = "~journal"


def faults(deepest: int) -> Iterator[tuple[Fault, ...]]:
    """Yield what is to go wrong in each run, for N up to *deepest*."""
    for nth in range(1, deepest + 1):
        for last in (nth, FOR_EVER):
            for name in ("s0.bin", "raw.bin", _JOURNAL):
                write = "write" if name == _JOURNAL else "writev"
                yield (Fault(write, name, nth, last, errno.EIO),)
                yield (Fault("fdatasync", name, nth, last, errno.EIO),)
                yield (Fault("fdatasync", name, nth, last, errno.ENOSPC),)
        for name in ("s0.bin", _JOURNAL):
            write = "write" if name == _JOURNAL else "writev"
            # A disk that is full for a while, in the middle of what was to be written.
            half = Fault(write, name, nth, nth, SHORT)
            full = Fault(write, name, nth + 1, nth + 3, errno.ENOSPC)
            yield half, full
            yield half, full, Fault("ftruncate", name, 1, FOR_EVER, errno.EIO)
        yield (Fault("rename", "s0.bin", nth, nth, errno.EIO),)
        yield (Fault("rename", "s0.bin", nth, nth + 2, errno.ENOSPC),)
    yield (Fault("fsync", "/kept", 1, 1, errno.EIO),)
    yield (Fault("fsync", "/kept", 1, FOR_EVER, errno.EIO),)


def is_hard(some: tuple[Fault, ...]) -> bool:
    """Whether a file, or the journal, has to fail by them."""
    last = some[-1]
    waits = last.error in _FULL and last.call in ("write", "writev", "rename")
    # Half a write is cut back where the next finds the disk full; the cut is what fails then.
    return last.error > 0 and not waits


def run(some: tuple[Fault, ...], compiler: str, strace: str | None, seed: int) -> tuple[bool, int]:
    """Have *some* happen; return whether they did, and how many acknowledgements were traced.

    :raises AssertionError: for what does not hold.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(os.path.realpath(name))
        kept = folder / "kept"
        kept.mkdir()
        library = DiskFaults(compiler, folder, kept)
        uploads = Uploads(kept, FORM, seed, STREAMS)
        output, acknowledged = folder / "trace", 0
        with uploads.start(env=library.environment) as daemon:
            uploads.wait_for_journal()
            lengths = {str(one): one.stat().st_size for one in kept.iterdir()}
            with contextlib.ExitStack() as stack:
                if strace is not None:
                    options = ("-e", f"trace={CALLS}")
                    stack.enter_context(traced(strace, daemon.process.pid, output, options))
                library.set(*some)
                senders = uploads.send(daemon, _BYTES)
                for sender in senders:
                    if isinstance(sender, AckSender):
                        sender.join(60)
                    else:
                        sender.stopping.set()
                uploads.join(senders)
                page = daemon.page("/health")
            library.set()
            assert daemon.stop() == 0, daemon.log
            assert "Traceback" not in daemon.log, daemon.log
            happened = _judge(daemon.log, page, some, senders)
        if strace is not None:
            trace = Trace(lengths).take(parse(output.read_text(errors="replace").splitlines()))
            wrong = uncovered(trace, kept, _JOURNAL)
            assert not wrong, f"{len(wrong)} acknowledgements: {wrong[:3]}"
            acknowledged = len(trace.acknowledged)
        uploads.check(all_of_it=True)
    return happened, acknowledged


def _judge(
    log: str,
    page: tuple[int, str],
    some: tuple[Fault, ...],
    senders: Sequence[AckSender | RawSender],
) -> bool:
    """See that the right ones have failed, and that it is told; return whether any have."""
    ack = [one for one in senders if isinstance(one, AckSender)]
    done = [one.stream.source.name for one in ack if one.done]
    # An own event's line is its name and fields.
    failures = sum("file_failed" in line for line in log.splitlines())
    journals = sum("journal_failed" in line for line in log.splitlines())
    status, health = page
    told = f"done: {done}, {[one.error for one in senders]}, {health!r}\n{log}"
    assert "file_replaced" not in log, told
    if not is_hard(some) or failures + journals == 0:
        assert failures + journals == 0, told
        assert len(done) == len(ack), told
        assert status == 200, told
        # A rename that finds no room is tried again with the next write, and nobody waits.
        return some[-1].call == "rename" or any(one.told for one in ack)
    assert status != 200, told
    if some[-1].suffix == _JOURNAL:
        assert journals == 1, told
        assert failures == 0, told
        return True
    assert journals == 0, told
    assert failures == 1 or some[-1].suffix == "/kept", told
    if some[-1].suffix != "/kept":
        expected = {"s0", "s1", "s2"} - {some[-1].suffix.removesuffix(".bin")}
        assert set(done) == expected, told
        assert some[-1].suffix in health, told
    for one in ack:
        assert one.done or one.error.startswith("ERROR failed "), told
    return True


def main() -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--deepest", type=int, default=4, help="N goes up to that")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    compiler, strace = shutil.which("cc") or shutil.which("gcc"), shutil.which("strace")
    if compiler is None:
        print("left out: there is no C compiler")
        return 0
    if strace is None:
        print("there is no strace: what is told is looked at, but not the order of system calls")
    failed = happened = runs = checked = 0
    for some in faults(options.deepest):
        what = "; ".join(map(str, some))
        runs += 1
        try:
            it_did, acknowledged = run(some, compiler, strace, options.seed)
        except (AssertionError, OSError) as error:
            failed += 1
            print(f"{what}: {error}", flush=True)
            continue
        happened += it_did
        checked += acknowledged
        print(f"{what}: {'holds' if it_did else 'did not happen'}", file=sys.stderr, flush=True)
    print(
        f"{runs} runs, in {happened} of them something failed or waited; {checked} acknowledgements"
        f" came behind the syncs that cover them; {failed} runs failed"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
