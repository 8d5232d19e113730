"""What a reactor is told by the kernel: counted, and in the order that one likes."""

from __future__ import annotations

import select
from typing import Any


class Poller:
    """An epoll set that counts what it tells, and may tell it in another order.

    *order* is ``natural``, ``backwards``, ``writes first`` or ``reads first``.
    """

    def __init__(self, own: Any, order: str) -> None:
        self._own = own
        self._order = order
        self.told = 0

    def poll(self, *arguments: Any) -> list[tuple[int, int]]:
        ready: list[tuple[int, int]] = self._own.poll(*arguments)
        self.told += len(ready)
        if self._order == "backwards":
            return ready[::-1]
        if self._order != "natural":
            wanted = select.EPOLLOUT if self._order == "writes first" else select.EPOLLIN
            # The others are told again in the next turn.
            return [event for event in ready if event[1] & wanted] or ready
        return ready

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own, name)
