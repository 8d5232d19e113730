"""Abrupt ends: a peer that vanishes by RST at any point leaves nothing behind.

Must not know what is said.
"""

from __future__ import annotations

from socketsuite.testing.checks.base import Check, all_given_back, descriptors_at_rest
from socketsuite.testing.checks.splits import cuts
from socketsuite.testing.daemon import Daemon
from socketsuite.testing.journal import ARGUMENTS, Journal
from socketsuite.testing.replies import NonConformance

_MOST_CUTS = 24
_BIG = 1 << 20


class Resets(Check):
    """Peers that vanish by RST leave no descriptor open and no bug in the log.

    Behind each byte of a request (at 24 places, if it is longer), whether it was read or not,
    and in the middle of a reply of 1 MiB.
    """

    name = "resets"
    arguments = ARGUMENTS

    def examine(self, daemon: Daemon) -> None:
        """Vanish again and again."""
        self.kit.prove_alive(daemon)
        before = descriptors_at_rest(daemon)
        journal = Journal(daemon)
        requests = [request for request, _ in self.kit.talk if request]
        requests += [one for one in self.kit.garbage if one]
        for request in requests or [self.kit.flooding()]:
            for cut in [0, *cuts(len(request), _MOST_CUTS), len(request)]:
                for is_read in (True, False):
                    self._vanish(daemon, journal, request[:cut], is_read=is_read)
        if self.kit.big is not None:
            with self.kit.converse(daemon) as caller:
                caller.send(self.kit.big(_BIG)[0][: 1 << 16])
                caller.ear.recv(1)
                caller.reset()
        all_given_back(daemon, before, "resets")

    def _vanish(self, daemon: Daemon, journal: Journal, data: bytes, *, is_read: bool) -> None:
        with self.kit.converse(daemon) as caller:
            peer = caller.peer
            try:
                if data:
                    caller.send(data)
                if is_read:
                    journal.wait_received(peer, len(data))
            except NonConformance as error:
                if not self.kit.closes:
                    raise NonConformance(f"{data[:20]!r}: {error}") from None
            caller.reset()
        reason = journal.wait_ended(peer)
        journal.forget(peer)
        if reason == "error_in_protocol":
            raise NonConformance(f"RST behind {data[:40]!r} raises in the protocol")
