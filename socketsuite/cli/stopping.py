"""Ctrl-C and SIGTERM, from the first moment to the last: one end, in bounded time.

This module must not know of click, Twisted or any one command, and imports next to nothing:
it is at work before they are loaded.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, NoReturn

# How long the work may take to end, and a last line to be written, before we end anyway:
# whoever reads our output may have stopped.
_SECONDS = 1.0

# Called when the process ends at once; must not block, nor fail.
last_acts: list[Callable[[], None]] = []


class Stopped(BaseException):
    """A signal ended the command; *number* is the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def catch(stop: Callable[[int], None] | None = None) -> None:
    """Call *stop* on the first SIGINT or SIGTERM; without it, raise :class:`Stopped`.

    From then on the process ends with the status 128 and the signal's number at a second
    signal, or after a second.  A SIGINT that is ignored (``command &`` in a script) stays so.
    """

    def stopped(number: int, _frame: Any) -> None:
        end_soon(number)
        if stop is None:
            raise Stopped(number)
        stop(number)

    _install(stopped)


def end_soon(number: int) -> None:
    """End at the next signal, whichever it is, and after a second in any case."""

    def end(*_: Any) -> NoReturn:
        for act in last_acts:
            act()
        os._exit(128 + number)

    _install(end)
    signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, _SECONDS)


def leave(status: int) -> NoReturn:
    """Exit with *status*; where a signal has begun the end, without Python's own.

    That takes its handlers away before it is over, and the alarm would kill the process.
    """
    if not signal.getitimer(signal.ITIMER_REAL)[0]:
        sys.exit(status)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    for act in last_acts:
        act()
    os._exit(status)


def _install(handler: Callable[[int, Any], None]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handler)
