"""Ctrl-C and SIGTERM: they end the run, but never between a child's birth and our knowing it.

This module must not know what the children are.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_held = 0
_pending = 0


def install() -> None:
    """Make both signals raise ``SystemExit``, so that every ``finally`` on the way out runs."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)


def _stop(number: int, frame: object) -> None:
    global _pending
    if _held:
        _pending = number
    else:
        sys.exit(128 + number)


@contextmanager
def held() -> Iterator[None]:
    """Put signals off until the block is over."""
    global _held
    _held += 1
    try:
        yield
    finally:
        _held -= 1
    if _pending and not _held:
        sys.exit(128 + _pending)
