"""How long one person may keep everybody else waiting.

What somebody sends in one piece is obeyed in turns: in between it is the turn of others.  This
module must not know what is obeyed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

TURN = 0.003
"""Seconds after which no further line, and no further part of a long answer, is begun."""


def in_turn(transport: Any, work: Callable[[], object]) -> None:
    """Call *work* in a turn of its own; what it writes leaves together, where *transport* can that.

    While a transport reads it does so anyway.
    """
    corked = getattr(transport, "corked", None)
    if corked is None:
        work()
    else:
        corked(work)
