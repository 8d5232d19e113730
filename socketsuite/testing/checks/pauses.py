"""Flow control: a reader who stops and goes on loses nothing, and little waits meanwhile.

Must not know how the service is paused: by Twisted's producers, or not at all.
"""

from __future__ import annotations

import itertools
import time
from pathlib import Path

from socketsuite.testing.checks.base import QUEUES, Check
from socketsuite.testing.conversation import Conversation
from socketsuite.testing.daemon import Daemon
from socketsuite.testing.replies import NonConformance

_SIZE = 6 << 20
_STOPS = 3
_STILL_SECONDS = 0.2
_LOOK_SECONDS = 0.01


class Pauses(Check):
    """A reader stops three times, for as long as anything still moves, and then reads all.

    Whenever it stops, the service has to stop too: the bytes sent and those that wait come to
    rest, and those that wait are at most ``most_queued``, if the kit says so.  Whenever it goes
    on, so must the service, however often it was told to pause.  All 6 MiB arrive, in order.
    On each transport (``--transport``), which tell a producer to pause at different times.
    """

    name = "pauses"

    @property
    def lacks(self) -> str:
        """A reply that is large enough to be paused in."""
        return "" if self.kit.big else "no big="

    def run(self, folder: Path) -> None:
        """Do so on each transport."""
        for transport in ("burst", "twisted"):
            try:
                more = ("--transport", transport, "--admin", f"admin-{transport}")
                self.run_on(folder, *QUEUES, *more)
            except NonConformance as error:
                raise NonConformance(f"--transport {transport}: {error}") from None

    def examine(self, daemon: Daemon) -> None:
        """Stop and go."""
        assert self.kit.big is not None
        request, reply = self.kit.big(_SIZE)
        with self.kit.converse(daemon, lambda: daemon.connect(narrow=True)) as caller:
            caller.begin(request)
            places = [len(reply) * number // (_STOPS + 1) for number in range(_STOPS + 2)]
            for number, (start, end) in enumerate(itertools.pairwise(places)):
                if number < _STOPS:
                    self._come_to_rest(daemon, caller, number)
                try:
                    caller.read(reply[start:end])
                except NonConformance as error:
                    raise NonConformance(f"behind stop {number}: {error}") from None

    def _come_to_rest(self, daemon: Daemon, caller: Conversation, number: int) -> None:
        """Return once nothing has moved for a while, though we would still send."""
        deadline = time.monotonic() + self.kit.timeout
        peer = "{}:{}".format(*caller.ear.getsockname())
        before, since = None, time.monotonic()
        while time.monotonic() - since < _STILL_SECONDS:
            if not caller.push():
                time.sleep(_LOOK_SECONDS)  # between two looks
            listed = daemon.ask()["connections"]
            now = next((one for one in listed if one["peer"] == peer), None)
            if now is None:
                raise NonConformance(f"the connection was closed at stop {number}")
            moving = now["bytes_out"], now["queued"], len(caller.unsent)
            if moving != before:
                before, since = moving, time.monotonic()
            if time.monotonic() > deadline:
                text = f"it goes on writing to one who does not read: {now['queued']} bytes wait"
                raise NonConformance(text)
            most = self.kit.most_queued
            if most is not None and now["queued"] > most:
                text = f"{now['queued']} bytes wait for one who does not read, more than {most}"
                raise NonConformance(text)
