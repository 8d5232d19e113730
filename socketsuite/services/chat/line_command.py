"""What a command of the line frontend is: an entry of a table.

This module must not know any one of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from socketsuite.services.chat.line_session import Session


class UsageError(Exception):
    """Something lacks that the command needs, or it is said wrongly; the usage is shown."""


@dataclass(frozen=True)
class Command:
    """One command.

    :ivar usage: what comes after its name.
    :ivar help: what it does, in one line.
    :ivar run: is given the session, and the text after the name without outer spaces.
    """

    usage: str
    help: str
    run: Callable[[Session, str], None]


def first(text: str) -> tuple[str, str]:
    """Return the first word of *text*, and the rest.

    :raises UsageError: when there is none.
    """
    word, _, rest = text.partition(" ")
    if not word:
        raise UsageError
    return word, rest.strip()
