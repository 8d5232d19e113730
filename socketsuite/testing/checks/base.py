"""What every check has: a name, a daemon of its own, and an end that is looked at.

Must not know any particular check.
"""

from __future__ import annotations

import contextlib
import re
import signal
import subprocess
from pathlib import Path
from typing import ClassVar

from socketsuite.testing.daemon import Daemon
from socketsuite.testing.readings import until
from socketsuite.testing.replies import NonConformance
from socketsuite.testing.service_under_test import ServiceUnderTest

QUEUES = ("--send-queue", "64M", "--send-queue-soft", "64M", "--total-send-queue", "256M")
"""For checks that let much wait for one who does not read: the daemon itself must allow it."""

_TO_END = 0.5
_BUG = re.compile(r"Traceback \(most recent call last\)|reason=error_in_protocol")
_ERROR = re.compile(r"^\s*([A-Za-z_][\w.]*(Error|Exception|Exit|Interrupt)\b.*)$")


class Check:
    """One property of a service, looked at from outside, with a real process.

    :cvar name: lower case, with hyphens.
    :cvar arguments: what the daemon is told beyond the kit's own arguments.
    :cvar half_close_timeout: ``--half-close-timeout``, in seconds.  It is 0 where a check is
        about something else: a caller who leaves a request unanswered is kept so long.
    :param kit: what is known of the service.
    """

    name: ClassVar[str]
    arguments: ClassVar[tuple[str, ...]] = ()
    half_close_timeout: ClassVar[float] = 0.0

    def __init__(self, kit: ServiceUnderTest) -> None:
        self.kit = kit

    def __str__(self) -> str:
        return self.name

    @property
    def lacks(self) -> str:
        """What the kit would have to say for this check to apply, such as ``no big=``."""
        return ""

    def run(self, folder: Path) -> None:
        """Start the service in *folder*, look at it, and end it.

        :raises NonConformance: when the service has not the property; the message is one line.
        """
        self.run_on(folder, *self.arguments)

    def run_on(self, folder: Path, *arguments: str) -> None:
        """Do so with these *arguments*."""
        daemon = self.start(folder, *arguments)
        try:
            try:
                self.examine(daemon)
                self.conclude(daemon)
            except NonConformance as error:
                raise self._explained(daemon, error) from None
            except (AssertionError, OSError) as error:
                text = str(error).partition("\n")[0] or type(error).__name__
                raise self._explained(daemon, NonConformance(text)) from error
        finally:
            daemon.kill()

    def start(self, folder: Path, *arguments: str) -> Daemon:
        """Return the service, ready."""
        late = "--half-close-timeout", str(self.half_close_timeout)
        return self.kit.start(folder, *late, *arguments)

    def examine(self, daemon: Daemon) -> None:
        """Look at a running daemon."""
        raise NotImplementedError

    def conclude(self, daemon: Daemon) -> None:
        """Prove that it still serves, ends in order, and has logged no bug."""
        self.kit.prove_alive(daemon)
        self.end(daemon)

    def end(self, daemon: Daemon) -> None:
        """Prove that it ends in order, and has logged no bug."""
        status = daemon.stop()
        if status != 0:
            raise NonConformance(f"SIGTERM ends it with status {status}, not 0")
        bug = bug_in(daemon)
        if bug:
            raise NonConformance(f"its log shows a bug: {bug}")

    def times(self, whole: int) -> int:
        """Return how often to repeat what is done *whole* times at ``scale=1``; at least once."""
        return max(1, round(whole * self.kit.scale))

    def _explained(self, daemon: Daemon, error: NonConformance) -> NonConformance:
        """Return *error* with what became of the process, where that says more."""
        status = ended_with(daemon)
        words = str(error).partition("\n")[0]
        if status not in (None, 0) and "status" not in words:
            words += f"; the process had ended with status {status}"
            words += "".join(f": {line}" for line in daemon.errors.strip().splitlines()[-1:])
        bug = bug_in(daemon)
        if bug and bug not in words:
            words += f"; the log shows: {bug}"
        return NonConformance(words, error.seed, error.shortest)


def ended_with(daemon: Daemon) -> int | None:
    """Return the exit status if it has ended by itself; else end it, its log being written."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        # One that is killed closes its connections before it can be waited for.
        status = daemon.process.wait(_TO_END)
        daemon.wait()
        return status
    daemon.send_signal(signal.SIGTERM)  # to drain
    daemon.timeout = min(daemon.timeout, _TO_END * 10)
    with contextlib.suppress(AssertionError):
        # Two signals that come before the first was handled would be one.
        daemon.wait_for_line(" draining ")
    daemon.send_signal(signal.SIGTERM)  # and to wait for nobody
    with contextlib.suppress(subprocess.TimeoutExpired):
        daemon.process.wait(_TO_END * 10)
    daemon.kill()
    return None


def bug_in(daemon: Daemon, start: int = 0) -> str:
    """Return the error of the first traceback in the log from that line on; empty if there is
    none."""
    lines = daemon.lines[start:]
    first = next((n for n, line in enumerate(lines) if _BUG.search(line)), None)
    if first is None:
        return ""
    errors = (found[1] for line in lines[first:] if (found := _ERROR.search(line)))
    return next(errors, lines[first].strip())


def descriptors_at_rest(daemon: Daemon) -> int:
    """Return how many descriptors are open once every connection so far, of which there was at
    least one, is closed."""

    def is_at_rest() -> bool:
        daemon.has_line("")
        opened, closed = (
            sum(f" {event} transport=" in line for line in daemon.lines)
            for event in ("connected", "closed")
        )
        return 0 < opened <= closed

    until(is_at_rest, bool, daemon.timeout)
    return daemon.descriptors()


def all_given_back(daemon: Daemon, before: int, behind: str) -> None:
    """Return once no more than *before* descriptors are open.

    :raises NonConformance: when that does not come about.
    """
    try:
        until(daemon.descriptors, lambda now: now <= before, daemon.timeout)
    except AssertionError:
        left = daemon.descriptors() - before
        raise NonConformance(f"{left} descriptors are still open behind {behind}") from None
