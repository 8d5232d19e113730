"""Tells one turn of a reactor from the next, for whoever asks; costs nothing while nobody does.

This module must not know what is done in a turn.
"""

from __future__ import annotations

from typing import Any


class Turns:
    """Numbers the turns of *reactor* in which it is asked."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._number = 0
        self._asked = False

    def current(self) -> int:
        """Return a number that is the same until the reactor runs its timers again."""
        if not self._asked:
            self._asked = True
            self._reactor.callLater(0, self._next)
        return self._number

    def _next(self) -> None:
        self._number += 1
        self._asked = False
