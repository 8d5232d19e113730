"""Robustness: wrong inputs cost at most the connection they came by.

Must not know what is wrong with an input.
"""

from __future__ import annotations

import contextlib
import itertools
import time
from pathlib import Path

from socketsuite.testing.checks.base import Check, bug_in, ended_with
from socketsuite.testing.conversation import Conversation
from socketsuite.testing.daemon import Daemon
from socketsuite.testing.journal import ARGUMENTS, Journal
from socketsuite.testing.mutations import mutations, shortest
from socketsuite.testing.replies import NonConformance, shown

_WHOLE = 3000
_AT_ONCE = 50
_SEARCH_SECONDS = 30.0
_ORDINARY = {"closed_by_peer", "lost"}
_CLOSED = {"closed_by_service", "aborted_by_service"}


class Garbage(Check):
    """Inputs made wrong by a seeded generator raise nothing, and the others are served.

    The process lives, no exception reaches the transport, and a connection is closed by the
    service only where ``may_close_on_garbage`` says so.  3,000 inputs at ``scale=1``; of one
    that fails, the shortest that still does is looked for.
    """

    name = "garbage"
    arguments = ARGUMENTS

    def run(self, folder: Path) -> None:
        """Send them all; look for the shortest of one that fails on a process of its own."""
        self._folder = folder
        super().run(folder)

    def examine(self, daemon: Daemon) -> None:
        """Send every input on a connection of its own, fifty at a time."""
        kit = self.kit
        seeds = [*(request for request, _ in kit.talk), *kit.garbage, b"garbage\r\n"]
        journal, number = Journal(daemon), 0
        inputs = mutations(seeds, kit.seed, self.times(_WHOLE))
        while batch := list(itertools.islice(inputs, _AT_ONCE)):
            why: dict[int, str] = {}
            try:
                why = self.send(daemon, journal, batch)
                kit.prove_alive(daemon)
                if bug_in(daemon) and not why:
                    raise NonConformance("an exception was logged")
            except (AssertionError, OSError) as error:
                self._tell_shortest(number, batch, str(error).partition("\n")[0])
            for at, words in why.items():
                self._tell_shortest(number + at, [batch[at]], words)
            number += len(batch)

    def send(self, daemon: Daemon, journal: Journal, batch: list[bytes]) -> dict[int, str]:
        """Send *batch*, and return what was wrong with the end of which connection."""
        with contextlib.ExitStack() as stack:
            callers = [stack.enter_context(self.kit.converse(daemon)) for _ in batch]
            peers = [caller.peer for caller in callers]
            for caller, data in zip(callers, batch, strict=True):
                self._say(caller, data)
            for peer, data in zip(peers, batch, strict=True):
                journal.wait_received(peer, len(data))
        why = {}
        for at, peer in enumerate(peers):
            reason = journal.wait_ended(peer)
            journal.forget(peer)
            if reason in _CLOSED and not (self.kit.may_close_on_garbage or self.kit.closes):
                why[at] = f"it is closed ({reason}), which may_close_on_garbage= does not allow"
            elif reason not in _ORDINARY | _CLOSED:
                why[at] = f"the connection ends by {reason}"
        return why

    def _say(self, caller: Conversation, data: bytes) -> None:
        # One that is closed already will be judged by its reason.
        with contextlib.suppress(NonConformance):
            if data:
                caller.send(data)

    def _tell_shortest(self, number: int, batch: list[bytes], why: str) -> None:
        """Find which of *batch* it was, make it shorter, and say so."""
        with contextlib.closing(_Trial(self, self._folder)) as trial:
            culprit = next((data for data in batch if trial.fails(data)), None)
            if culprit is None:
                raise NonConformance(
                    f"{why} (seed {self.kit.seed}, inputs {number} to {number + len(batch) - 1},"
                    " none of which fails alone)",
                    self.kit.seed,
                )
            until = time.monotonic() + _SEARCH_SECONDS
            found = shortest(culprit, lambda data: time.monotonic() < until and trial.fails(data))
            raise NonConformance(
                f"{trial.why} (seed {self.kit.seed}, shortest failing input {shown(found)})",
                self.kit.seed,
                found,
            )


class _Trial:
    """Tries one input at a time, on a process that is started anew when one has failed."""

    def __init__(self, check: Garbage, folder: Path) -> None:
        self._check, self._folder = check, folder
        self._daemon: Daemon | None = None
        self.why = ""

    def fails(self, data: bytes) -> bool:
        """Return whether *data* alone does harm; :attr:`why` is then how."""
        if self._daemon is None:
            self._daemon = self._check.start(self._folder, *ARGUMENTS)
        daemon = self._daemon
        start = len(daemon.lines)
        try:
            why = self._check.send(daemon, Journal(daemon), [data]).get(0, "")
            self._check.kit.prove_alive(daemon)
        except (AssertionError, OSError) as error:
            why = str(error).partition("\n")[0]
            status = ended_with(daemon)
            if status is not None:
                why = f"the process ends with status {status}"
            self._daemon = None
        why = bug_in(daemon, start) or why
        self.why = why or self.why
        return bool(why)

    def close(self) -> None:
        """End the process, if there is one."""
        if self._daemon is not None:
            self._daemon.kill()
            self._daemon = None
