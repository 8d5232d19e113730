"""Buffers that connections are read into and files are written from, so that nothing is copied.

A buffer that is filled goes with its bytes to the disk's thread, and comes back when nobody has
them any more.  There are few: while all are on their way, bytes are copied.  This module must not
know who reads or writes.
"""

from __future__ import annotations

import contextlib
import mmap
from collections import deque

BUFFER_SIZE = 1 << 19
_HUGE_PAGE = 1 << 21
_MOST = 16
_WORTH_IT = 1 << 16


def _huge_page() -> memoryview:
    """Return two megabytes that lie in one piece of memory, where the kernel has one to give.

    Pages of 4 KiB lie wherever they happen to, and may put one another out of the processor's
    cache: in ``make bench``, a megabyte took 640 µs in one process that way and 1,240 in another.
    """
    made = mmap.mmap(-1, _HUGE_PAGE)
    with contextlib.suppress(AttributeError, OSError):
        made.madvise(mmap.MADV_HUGEPAGE)
    return memoryview(made)


class Lease:
    """A buffer, for as long as somebody has this object; then it goes back to the others."""

    __slots__ = ("_pool", "view")

    def __init__(self, view: memoryview, pool: deque[memoryview]) -> None:
        self.view = view
        self._pool = pool

    def __del__(self) -> None:
        self._pool.append(self.view)


class Buffers:
    """A few buffers that are used again and again.

    Of the reactor's thread; a lease may be let go in any.
    """

    def __init__(self) -> None:
        self._free: deque[memoryview] = deque()
        self._made = 0
        self._current: Lease | None = None

    def room(self) -> memoryview:
        """Return what the next bytes are to be read into; the same until they are taken."""
        if self._current is None:
            self._current = self._lease()
        assert self._current is not None
        return self._current.view

    def take(self, data: memoryview) -> tuple[bytes | memoryview, Lease | None]:
        """Return *data*, which :meth:`room` was filled with, to be kept with the lease beside it.

        Of few bytes, or when there is no other buffer, a copy.
        """
        if len(data) < _WORTH_IT or not (self._free or self._made < _MOST):
            return bytes(data), None
        lease, self._current = self._current, None
        return data, lease

    def _lease(self) -> Lease:
        if not self._free:
            page = _huge_page()
            self._free.extend(
                page[at : at + BUFFER_SIZE] for at in range(0, _HUGE_PAGE, BUFFER_SIZE)
            )
            self._made += _HUGE_PAGE // BUFFER_SIZE
        # The last that came back is the one that the processor still has at hand.
        return Lease(self._free.pop(), self._free)
