"""JSON with bounds: what a stranger's text may make of our time, and what we send to strangers.

Stands where python-socketio has its JSON module, so it has that one's names.  Pure.
"""

from __future__ import annotations

import json
import re
from itertools import accumulate
from math import isinf
from typing import Any

_LONGEST_NUMBER = 100
# Matches at every quote, if need be to the end: whoever leaves out the last quote gains nothing.
_STRINGS = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.S)
_NO_BRACKETS = re.compile(r"[^\[\]{}]+")
_STEP = {"[": 1, "{": 1, "]": -1, "}": -1}
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_ASCII_ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"))


def _integer(digits: str) -> int:
    if len(digits) > _LONGEST_NUMBER:
        raise ValueError("a number of too many digits")
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if isinf(value) or len(digits) > _LONGEST_NUMBER:
        raise ValueError("a number that is too large")
    return value


def _constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


_DECODER = json.JSONDecoder(parse_int=_integer, parse_float=_float, parse_constant=_constant)


def loads(text: str) -> Any:
    """Return what *text* says; numbers are finite, and strings can be encoded.

    Half of a surrogate pair becomes U+FFFD, as it does wherever text is sent as UTF-8.

    :raises ValueError: when it is no JSON, or a number is too large.
    """
    value = _DECODER.decode(text)
    if _SURROGATE.search(text) is None:
        return value
    whole = _ENCODER.encode(value).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return _DECODER.decode(whole)


def dumps(value: Any, separators: tuple[str, str] | None = None) -> str:
    """Return *value* as JSON without spaces, whatever *separators* says.

    :raises ValueError: for a number that JSON does not have.
    :raises TypeError: for an object that JSON does not have.
    """
    text = _ENCODER.encode(value)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:  # half of a surrogate pair: as an escape it is JSON
            return _ASCII_ENCODER.encode(value)
    return text


def deeper_than(text: str, most: int) -> bool:
    """Whether arrays and objects in *text* stand in each other more than *most* deep."""
    if text.count("[") + text.count("{") <= most:
        return False
    brackets = _NO_BRACKETS.sub("", _STRINGS.sub("", text))
    return max(accumulate(map(_STEP.__getitem__, brackets)), default=0) > most
