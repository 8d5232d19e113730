"""The board itself: the last notices, in the order of their numbers.

Knows no wire: each frontend is handed this object, and is a small translator.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import count

from socketsuite.settings import setting


@dataclass(eq=False)
class Board:
    """The service's object; its settings are ``--most`` and ``--longest``."""

    most: int = setting(
        100, "notices kept; the oldest are taken down", minimum=1, maximum=10_000, reload=True
    )
    longest: int = setting(500, "bytes of a notice", minimum=1, maximum=16_000)

    notices: deque[tuple[int, str]] = field(default_factory=deque, init=False)
    _numbers: count[int] = field(default_factory=lambda: count(1), init=False)

    def pin(self, text: str) -> int:
        """Keep *text*, and return its number."""
        number = next(self._numbers)
        self.notices.append((number, text))
        self._take_down()
        return number

    def settings_reloaded(self, changed: dict[str, object]) -> None:
        """Obey a changed ``most`` at once."""
        self._take_down()

    def _take_down(self) -> None:
        while len(self.notices) > self.most:
            self.notices.popleft()
