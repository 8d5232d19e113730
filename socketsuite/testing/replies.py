"""What a reply must be: exact bytes, a pattern, or whatever a function accepts.

Pure; must not know where the bytes come from.
"""

from __future__ import annotations

import re
from collections.abc import Callable

Reply = bytes | re.Pattern[bytes] | Callable[[bytes], bool]
"""Exact bytes; or a pattern that the reply matches as a whole; or a function that is given all
that has come and returns whether the reply is complete."""

_MOST_SHOWN = 60


class NonConformance(AssertionError):
    """A check failed: *why*, in one line.

    :ivar seed: of the generator whose input was wrong for the service, or ``None``.
    :ivar shortest: the shortest input found that fails, or ``None``.
    """

    def __init__(self, why: str, seed: int | None = None, shortest: bytes | None = None) -> None:
        super().__init__(why)
        self.seed = seed
        self.shortest = shortest


def shown(data: bytes) -> str:
    """Return *data* as Python writes it, the middle of what is long left out."""
    if len(data) <= _MOST_SHOWN:
        return repr(data)
    head, tail = data[: _MOST_SHOWN * 2 // 3], data[-_MOST_SHOWN // 3 :]
    return f"{head!r}…{tail!r} ({len(data)} bytes)"


def expected(reply: Reply) -> str:
    """Return in words what *reply* wants."""
    if isinstance(reply, bytes):
        return shown(reply)
    if isinstance(reply, re.Pattern):
        return f"what matches {reply.pattern!r}"
    return f"what {getattr(reply, '__name__', 'its function')} accepts"


def is_complete(reply: Reply, said: bytes) -> bool:
    """Return whether *said* is the whole of *reply*; False is that more must come.

    :raises NonConformance: when no continuation can make exact bytes of it.
    """
    if isinstance(reply, re.Pattern):
        return reply.fullmatch(said) is not None
    if not isinstance(reply, bytes):
        return bool(reply(said))
    if said == reply:
        return True
    if reply.startswith(said):
        return False
    at = next((i for i, (a, b) in enumerate(zip(said, reply, strict=False)) if a != b), len(reply))
    if at == len(reply):
        raise NonConformance(f"{shown(said[at:])} came behind the whole reply")
    around = slice(max(0, at - 8), at + 16)
    raise NonConformance(
        f"the reply differs at byte {at}: {shown(said[around])} in place of {shown(reply[around])}"
    )
