"""Raw values, as text or as TOML has them, read into typed ones.

Every reader raises ``ValueError`` for what it does not take.  This module must not know of
any setting.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

_LONGEST_SHOWN = 200
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


def _read_int(raw: Any) -> int:
    if isinstance(raw, str) and raw.strip().lstrip("+-").isascii():
        return int(raw.strip().replace("_", "x"), 10)
    if isinstance(raw, int) and not isinstance(raw, bool):
        return raw
    raise ValueError


def _read_float(raw: Any) -> float:
    if isinstance(raw, bool) or not isinstance(raw, (str, int, float)):
        raise ValueError
    try:
        value = float(raw)
    except OverflowError:
        raise ValueError from None
    if not math.isfinite(value):
        raise ValueError
    return value + 0.0  # no negative zero: nobody means it, and it would be shown


def _read_bool(raw: Any) -> bool:
    if isinstance(raw, bool):
        return raw
    if isinstance(raw, str):
        word = raw.strip().lower()
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
    raise ValueError


def _read_str(raw: Any) -> str:
    if not isinstance(raw, str):
        raise ValueError
    raw.encode()  # bytes that are not UTF-8 come as surrogates, which nobody could send
    return raw


def _read_path(raw: Any) -> Path:
    if not isinstance(raw, str) or not raw or "\0" in raw:
        raise ValueError
    try:
        return Path(raw).expanduser()
    except RuntimeError:  # ~nobody
        raise ValueError from None


READERS: dict[type, Callable[[Any], Any]] = {
    int: _read_int,
    float: _read_float,
    bool: _read_bool,
    str: _read_str,
    Path: _read_path,
}

_BYTE_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def byte_size(raw: Any) -> int:
    """Read a number of bytes, with an optional ``K``, ``M`` or ``G`` (powers of 1,024).

    A ``parse=`` for :func:`setting`.
    """
    if isinstance(raw, int) and not isinstance(raw, bool) and raw >= 0:
        return raw
    if isinstance(raw, str):
        text = raw.strip().lower().removesuffix("b").removesuffix("i")
        digits = text.rstrip("kmg")
        if (
            digits.isascii()
            and digits.isdigit()
            and len(digits) < 19
            and text[len(digits) :] in _BYTE_UNITS
        ):
            return int(digits) * _BYTE_UNITS[text[len(digits) :]]
    raise ValueError("a number of bytes such as 65536, 64K or 1M")


DURATION = "seconds, or a duration with units (250ms, 90s, 5m, 1h30m)"
_AMOUNT = "[0-9]++(?:[.][0-9]++)?"
_DURATION = re.compile("".join(f"(?:({_AMOUNT}){unit})?" for unit in ("d", "h", "m", "s", "ms")))


def duration(raw: Any) -> float:
    """Read seconds: a number of them, or amounts with units, the largest first, as in ``1h30m``.

    The units are ``d``, ``h``, ``m``, ``s`` and ``ms``, each at most once.
    """
    amounts = _DURATION.fullmatch(raw.strip()) if isinstance(raw, str) else None
    try:
        if amounts is None or amounts.lastindex is None:
            return _read_float(raw)
        days, hours, minutes, seconds, thousandths = (float(one or 0) for one in amounts.groups())
        whole = days * 86400 + hours * 3600 + minutes * 60
        return _read_float(whole + seconds + thousandths / 1000)
    except ValueError:
        raise ValueError(DURATION) from None


def shown(raw: Any) -> str:
    """Return a raw value as it may have been written, on one line and of bounded length."""
    if isinstance(raw, bool):
        return str(raw).lower()
    if isinstance(raw, (datetime.date, datetime.time)):
        return raw.isoformat()
    try:
        text = repr(raw)
    except ValueError:  # a whole number of more digits than Python shows
        text = "a number of thousands of digits"
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def plain(text: str) -> str:
    """Return *text* as it is, but for what a terminal would obey; of bounded length."""
    safe = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[:_LONGEST_SHOWN])
    return safe if len(text) <= _LONGEST_SHOWN else f"{safe}…"
