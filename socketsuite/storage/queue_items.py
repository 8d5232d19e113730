"""What may be queued for a file: something to write, to wait for, or to do with it.

This module must not know what becomes of it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from socketsuite.storage.batches import Write


@dataclass(eq=False, slots=True)
class Barrier:
    """*then* is called when all that was queued before is written, and with *sync* on disk.

    When that does not come to be, *failed* is called instead, with the reason.
    """

    then: Callable[[], object] | None = None
    sync: bool = False
    failed: Callable[[str], object] | None = None


@dataclass(eq=False, slots=True)
class Rotate:
    """The file is to be closed as a segment; unless *forced*, only if its time has come."""

    forced: bool = True


@dataclass(eq=False, slots=True)
class Close:
    """The file is to be closed, until something is written to it; *then* is called."""

    then: Callable[[], object]


Item = Write | Barrier | Rotate | Close


def is_queued(item: Item, queue: Sequence[Item]) -> bool:
    """Whether *item* is one that comes again and again, and is there behind all that is written."""
    if isinstance(item, Rotate):
        again = not item.forced
    else:
        again = isinstance(item, Barrier) and item.then is None and item.failed is None
    if not again:
        return False
    behind = itertools.takewhile(lambda one: type(one) is not Write, reversed(queue))
    return any(type(one) is type(item) for one in behind)


def tell_failed(items: Sequence[Item], why: str) -> None:
    """Tell whoever waits for *items* that it was in vain."""
    for item in items:
        if isinstance(item, Barrier) and item.failed is not None:
            failed, item.failed = item.failed, None
            failed(why)


def weight_of(items: Sequence[Item]) -> int:
    """Return how many bytes of memory *items* take that are to be written."""
    return sum(item.weight for item in items if type(item) is Write)


def size_of(items: Sequence[Item]) -> int:
    """Return how many bytes *items* have that are to be written."""
    return sum(item.size for item in items if type(item) is Write)
