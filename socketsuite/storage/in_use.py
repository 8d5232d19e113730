"""Which names are written to, so that no file is removed that somebody is about to write.

This module must not know why a file is removed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable


class InUse:
    """Names that are in use; whoever begins is not held up, and waits before a file is opened."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._names: set[str] = set()
        self._going: set[str] = set()

    def begin(self, name: str) -> None:
        """From now on *name* is written to."""
        with self._changed:
            self._names.add(name)

    def end(self, name: str) -> None:
        """*name* is written to no more."""
        with self._changed:
            self._names.discard(name)

    def __contains__(self, name: str) -> bool:
        with self._changed:
            return name in self._names

    def wait(self, name: str) -> None:
        """Wait until no file of *name*, which is in use, is being removed."""
        with self._changed:
            self._changed.wait_for(lambda: name not in self._going)

    def unless(self, name: str, remove: Callable[[], object]) -> None:
        """Call *remove*, unless *name* is in use; nobody opens a file of it meanwhile."""
        with self._changed:
            if name in self._names:
                return
            self._going.add(name)
        try:
            remove()
        finally:
            with self._changed:
                self._going.discard(name)
                self._changed.notify_all()
