"""Uploads to a file sink of its own folder, over any number of starts; and what came of them.

This module must not know what is done to the sink meanwhile.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
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

_DEADLINE = 60.0
_MOST = 3 << 20

Form = tuple[str, str, tuple[str, ...]]
"""The file's name, how records are kept whole, and more flags."""


class Uploads:
    """A folder that a sink keeps, over any number of kills.

    :param senders: of the acknowledgement protocol; one sends lines to the raw port beside them.
    """

    def __init__(self, folder: Path, form: Form, seed: int, senders: int = 8) -> None:
        self._name, self._framing, self._flags = form
        self._folder = folder
        self.dice = random.Random(seed)
        self.streams = {
            f"s{number}": Stream(Source(f"s{number}", seed)) for number in range(senders)
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
        return sum(one.acknowledged for one in self.streams.values())

    @property
    def journal(self) -> Path:
        """Where the journal is."""
        return self._folder / (f"{self._name}~journal" if self._shared else "~journal")

    def start(self, *more: str, env: Mapping[str, str] | None = None) -> Daemon:
        """Return the sink."""
        flags = ("--port", "0", "--ack-port", "0", "--framing", self._framing, *self._flags, *more)
        file = str(self._folder / self._name)
        # What io_uring sends, strace does not see.
        env = {**(env or {}), "SOCKETSUITE_NO_IO_URING": "1"}
        return Daemon(self._folder.parent, "socketsuite-filesink", "--file", file, *flags, env=env)

    def wait_for_journal(self) -> None:
        """Return once the sink has said in its journal that it began; nothing is written then."""
        deadline = time.monotonic() + _DEADLINE
        while b" R " not in self.journal.read_bytes().splitlines()[-1]:
            assert time.monotonic() < deadline, "the sink says nothing in its journal"
            time.sleep(0.001)

    def send(
        self, daemon: Daemon, most: int = _MOST, *, least: int = 1, raw_most: int = 1 << 30
    ) -> list[AckSender | RawSender]:
        """Have each stream gone on with, by *least* to *most* bytes; return those who do.

        :param raw_most: records that are sent to the raw port.
        """
        ack = daemon.port(frontend="ack")
        senders: list[AckSender | RawSender] = []
        for stream in self.streams.values():
            dice = random.Random(self.dice.random())
            end = stream.acknowledged + self.dice.randrange(least, most + 1)
            senders.append(AckSender(ack, stream, dice, end))
        for name in self._raw:
            raw, dice = daemon.port(frontend="raw"), random.Random(self.dice.random())
            senders.append(RawSender(raw, name, dice, self._next, raw_most))
        for sender in senders:
            sender.start()
        return senders

    def join(self, senders: Sequence[AckSender | RawSender]) -> None:
        """Wait for *senders*, and take over what they have learnt."""
        for sender in senders:
            sender.join(_DEADLINE)
            assert not sender.is_alive(), "a sender waits for ever"
            if isinstance(sender, RawSender):
                self._confirmed[sender.source] += sender.confirmed
                self._next = sender.next
            elif sender.broken is not None:
                raise sender.broken

    def check(self, *, all_of_it: bool) -> None:
        """See that what the sink has after a start is what was acknowledged, and little more."""
        with self.start() as daemon:
            assert not daemon.has_line("journal_set_aside|stream_dropped|file_short")
            if all_of_it:
                self._see_that_senders_agree(daemon)
            daemon.process.kill()
            daemon.kill()
        holdings = read_journal(self.journal)
        since = {} if all_of_it else self._verified
        self._verified = check_streams(self._folder, holdings, self.streams, since)
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
        for stream in self.streams.values():
            sender = AckSender(daemon.port(frontend="ack"), stream, self.dice, 0)
            sender.start()
            senders.append(sender)
        self.join(senders)
        assert all(sender.done for sender in senders), [sender.error for sender in senders]
