"""A disk that fills and is freed, and a quota that is reached and raised: senders wait, and go on.

Run from the project's folder: ``python -m tests.campaigns.filesink.full``; half a minute.  Senders
are told WAIT and GO, those of the raw port are paused; nothing acknowledged is lost, and all that
they have is kept in the end.  The disk is a tmpfs, which root alone can mount; the part of the
journal is tried by ``faults``.  Exit status 1 if anything of that does not hold.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from socketsuite.testing import Daemon
from tests.campaigns.filesink.ack_sender import AckSender
from tests.campaigns.filesink.raw_sender import RawSender
from tests.campaigns.filesink.uploads import Form, Uploads

FORM: Form = ("{stream}.bin", "lines", ("--metrics-port", "0", "--drain-timeout", "1"))
_STREAMS = 3
_EACH = 150_000
_BALLAST = 700_000
_RECORDS = 400


class NotRootError(Exception):
    """Nothing can be mounted here."""


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Have a disk of 1 MiB at *folder*.

    :raises NotRootError: where that cannot be done.
    """
    command = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "none", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise NotRootError(str(error)) from None
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def disk(seed: int) -> None:
    """Let a disk fill, and free it.

    :raises NotRootError: where there can be no such disk.
    :raises AssertionError: for what does not hold.
    """
    with tempfile.TemporaryDirectory() as name:
        kept = Path(name) / "kept"
        kept.mkdir()
        with small_disk(kept):
            ballast = kept / "ballast~"
            ballast.write_bytes(bytes(_BALLAST))
            uploads = Uploads(kept, FORM, seed, _STREAMS)
            with uploads.start() as daemon:
                senders = _send(uploads, daemon)
                daemon.wait_for_line(r"no_room file=\S+ why=disk-full")
                assert daemon.page("/health")[0] != 200
                ballast.unlink()
                uploads.join(senders)
                _see_that_all_went_on(senders)
                told = [one.told for one in senders if isinstance(one, AckSender)]
                assert any("WAIT disk-full" in one for one in told), told
                assert daemon.page("/health")[0] == 200, daemon.page("/health")
                assert daemon.stop() == 0, daemon.log
            uploads.check(all_of_it=True)


def quota(seed: int) -> None:
    """Let a quota be reached, and have another.

    :raises AssertionError: for what does not hold.
    """
    with tempfile.TemporaryDirectory() as name:
        kept = Path(name) / "kept"
        kept.mkdir()
        uploads = Uploads(kept, FORM, seed, _STREAMS)
        with uploads.start("--quota", "200K") as daemon:
            senders = _send(uploads, daemon)
            daemon.wait_for_line(r"no_room file=\S+ why=quota")
            assert daemon.page("/health")[0] != 200
            assert daemon.stop() == 0, daemon.log
            uploads.join(senders)
            assert not all(one.done for one in senders if isinstance(one, AckSender))
        size = sum(path.stat().st_size for path in kept.iterdir() if path.suffix == ".bin")
        assert size <= 200 << 10, f"{size} bytes, with a quota of 200 KiB"
        uploads.check(all_of_it=True)
        with uploads.start("--quota", "20M") as daemon:
            senders = _send(uploads, daemon)
            uploads.join(senders)
            _see_that_all_went_on(senders)
        uploads.check(all_of_it=True)


def _send(uploads: Uploads, daemon: Daemon) -> list[AckSender | RawSender]:
    return uploads.send(daemon, _EACH, least=_EACH, raw_most=_RECORDS)


def _see_that_all_went_on(senders: Sequence[AckSender | RawSender]) -> None:
    assert not any(one.error for one in senders), [one.error for one in senders]
    for one in senders:
        if isinstance(one, AckSender):
            assert one.done
            assert not one.told or one.told[-1] == "GO", one.told


def main() -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    for seed in range(options.rounds):
        try:
            quota(seed)
            if os.geteuid() == 0:
                disk(seed)
        except NotRootError as error:
            print(f"left out: {error}")
        except AssertionError as error:
            print(f"round {seed}: {error}")
            return 1
    print(f"{options.rounds} rounds: nothing acknowledged was lost, and all went on")
    return 0


if __name__ == "__main__":
    sys.exit(main())
