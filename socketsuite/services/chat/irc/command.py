"""What one command of the tables is.

This module must not know any command.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from socketsuite.wire.irc import Line

Handler = Callable[[Any, Line], object]


@dataclass(frozen=True)
class Command:
    """One command of the table.

    :ivar handler: called with the client and the line.  Where it is a generator, others may have
        their turn after each of its steps.
    :ivar usage: its parameters, as HELP and the documentation show them.
    :ivar least: parameters without which it is refused.
    :ivar early: whether it may come before registration is complete.
    :ivar operators: whether it is for operators of the server alone.
    :ivar costly: whether it takes time in proportion to who and what is there: others have their
        turn after each.
    """

    handler: Handler
    usage: str
    about: str
    least: int = 0
    early: bool = False
    operators: bool = False
    costly: bool = False
