"""What a descriptor can show: colour and cursor movement, and how many cells there are.

This module must not know what is shown.
"""

from __future__ import annotations

import os

_USUAL = (80, 24)


def is_capable(descriptor: int) -> bool:
    """Return whether *descriptor* may be sent colour and cursor movement.

    Not a pipe, not a terminal that says it is dumb (or nothing at all), and not for a user
    who has set NO_COLOR (https://no-color.org).
    """
    return (
        os.isatty(descriptor)
        and os.environ.get("TERM", "dumb") not in ("dumb", "unknown", "")
        and not os.environ.get("NO_COLOR")
    )


def size(descriptor: int) -> tuple[int, int]:
    """Return the columns and lines of a terminal; 80 and 24 if it does not tell."""
    try:
        told = os.get_terminal_size(descriptor)
    except OSError:
        return _USUAL
    return told.columns or _USUAL[0], told.lines or _USUAL[1]
