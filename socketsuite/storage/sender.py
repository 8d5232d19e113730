"""What storage asks of whoever has bytes for a file.

This module must not know protocols or files.
"""

from __future__ import annotations

from typing import Protocol


class Sender(Protocol):
    """Whoever has bytes for a destination; all is called in the reactor's thread."""

    def pause(self) -> None:
        """Send no more for now."""

    def resume(self) -> None:
        """Go on."""

    def waits(self, reason: str | None) -> None:
        """Nothing can be written for *reason*, as ``disk-full``; ``None``: it can again."""

    def failed(self, why: str) -> None:
        """The file has failed; what was not confirmed is not in it."""
