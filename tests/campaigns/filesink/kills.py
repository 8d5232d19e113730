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
from collections.abc import Sequence
from pathlib import Path

from socketsuite.testing import Daemon
from tests.campaigns.filesink.ack_sender import AckSender, Stream
from tests.campaigns.filesink.holdings import (
    check_files,
    check_streams,
    contents,
    read_journal,
    unknown_files,
)
from tests.campaigns.filesink.raw_sender import RawSender
from tests.campaigns.filesink.records import Source

SENDERS = 8
_KILLS_OF_A_FOLDER = 10
_MOST = 3 << 20

# The file's name, how records are kept whole, and what becomes of segments.
FORMS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("all.bin", "lines", ("--rotate-size", "300K", "--compress", "zstd")),
    ("{stream}.bin", "lines", ("--rotate-size", "200K", "--compress", "zstd")),
    ("{stream}.bin", "raw", ("--rotate-size", "100K")),
    ("all.bin", "raw", ("--rotate-size", "1M", "--compress", "zstd")),
    ("all.bin", "lines", ()),
)


class Uploads:
    """A folder that a sink keeps, over any number of kills.

    :param form: one of :data:`FORMS`.
    """

    def __init__(self, folder: Path, form: tuple[str, str, Sequence[str]], seed: int) -> None:
        self._name, self._framing, self._flags = form
        self._folder = folder
        self.dice = random.Random(seed)
        self._streams = {
            f"s{number}": Stream(Source(f"s{number}", seed)) for number in range(SENDERS)
        }
        # In a file of many streams a kill tears what has no records.
        self._raw = [] if self._shared and self._framing == "raw" else ["raw"]
        self._confirmed: dict[str, list[int]] = {name: [] for name in self._raw}
        self._next = 0
        self._verified: dict[str, int] = {}

    @property
    def _shared(self) -> bool:
        return "{" not in self._name

    @property
    def acknowledged(self) -> int:
        """Bytes, of all streams together."""
        return sum(one.acknowledged for one in self._streams.values())

    @property
    def journal(self) -> Path:
        """Where the journal is."""
        return self._folder / (f"{self._name}~journal" if self._shared else "~journal")

    def start(self) -> Daemon:
        """Return the sink, ready."""
        flags = ("--port", "0", "--ack-port", "0", "--framing", self._framing, *self._flags)
        file = str(self._folder / self._name)
        return Daemon(self._folder.parent, "socketsuite-filesink", "--file", file, *flags)

    def kill_once(self, longest: float) -> None:
        """Start, send for up to *longest* seconds, and kill; then see what is there."""
        with self.start() as daemon:
            senders = self._send(daemon)
            # The moment of the kill is what is tried; nothing waits for it.
            time.sleep(self.dice.uniform(0.0, longest))
            daemon.process.kill()
            daemon.kill()
        self._join(senders)

    def _send(self, daemon: Daemon) -> list[AckSender | RawSender]:
        ack = daemon.port(frontend="ack")
        senders: list[AckSender | RawSender] = []
        for stream in self._streams.values():
            dice = random.Random(self.dice.random())
            most = stream.acknowledged + self.dice.randrange(1, _MOST)
            senders.append(AckSender(ack, stream, dice, most))
        for name in self._raw:
            raw = daemon.port(frontend="raw")
            senders.append(RawSender(raw, name, random.Random(self.dice.random()), self._next))
        for sender in senders:
            sender.start()
        return senders

    def _join(self, senders: Sequence[AckSender | RawSender]) -> None:
        for sender in senders:
            sender.join(60.0)
            assert not sender.is_alive(), "a sender did not see that the sink was killed"
            if isinstance(sender, RawSender):
                self._confirmed[sender.source] += sender.confirmed
                self._next = sender.next
            elif sender.broken is not None:
                raise sender.broken

    def check(self, *, all_of_it: bool) -> None:
        """See that what the sink has after a start is what was acknowledged, and little more."""
        with self.start() as daemon:
            assert not daemon.has_line("journal was damaged|SetAside|StreamDropped|FileShort")
            if all_of_it:
                self._see_that_senders_agree(daemon)
            daemon.process.kill()
            daemon.kill()
        holdings = read_journal(self.journal)
        since = {} if all_of_it else self._verified
        self._verified = check_streams(self._folder, holdings, self._streams, since)
        if all_of_it:
            whole = self._framing == "lines"
            check_files(self._folder, holdings, self._confirmed, whole_records=whole)
            assert not unknown_files(self._folder, holdings)
        else:
            for _ in contents(self._folder, holdings):
                pass

    def _see_that_senders_agree(self, daemon: Daemon) -> None:
        """What is said to hold is at least what was acknowledged, with its hash."""
        senders = []
        for stream in self._streams.values():
            sender = AckSender(daemon.port(frontend="ack"), stream, self.dice, 0)
            sender.start()
            senders.append(sender)
        self._join(senders)
        assert all(sender.done for sender in senders), [sender.error for sender in senders]


def run(form: int, kills: int, seed: int, longest: float = 0.6) -> int:
    """Kill so many times, in one folder; return how many bytes were acknowledged.

    :raises AssertionError: for what does not hold.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "kept"
        folder.mkdir()
        uploads = Uploads(folder, FORMS[form], seed)
        for number in range(kills):
            uploads.kill_once(longest)
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
