"""Raw values, as text or as TOML has them, read into typed ones.

Every reader raises ``ValueError`` for what it does not take.  This module must not know of
any setting.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

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
    return value


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
