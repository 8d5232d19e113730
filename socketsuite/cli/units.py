"""Numbers and words of a status as a person reads them, and as a terminal may show them.

Pure.  This module must not know what a status is.
"""

from __future__ import annotations

from typing import Any

from socketsuite.wire.printable import printable


def safe(value: Any) -> str:
    """Return *value* as text that a terminal obeys nothing of."""
    return printable(str(value).encode("utf-8", "replace")).decode()


def cell(value: Any) -> str:
    """Return *value* as it stands in a column: never nothing at all."""
    return "-" if value is None or value == "" else safe(value)


def size(count: float) -> str:
    """Return a number of bytes as a person reads it: ``512 B``, ``1.5 KiB``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def duration(seconds: float) -> str:
    """Return a time as a person reads it: ``4.2s``, ``3m 07s``, ``2h 05m``, ``9d 04h``."""
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, whole = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes}m {whole:02}s"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours}h {minutes:02}m"
    return f"{hours // 24}d {hours % 24:02}h"
