"""Names of streams: what is one, and its form on the wire (percent-encoding, RFC 3986).

This module must not know what a stream is stored as.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote_to_bytes

LONGEST_ID = 512
"""Bytes of an id, in UTF-8."""
LONGEST_COMPONENT = 200
MOST_COMPONENTS = 16

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
# quote() leaves letters, digits and "_.-~" as they are in any case.
_PLAIN = "/@+=,:"
_ENCODED = re.compile(r"(?:[A-Za-z0-9._\-/@+=,:~]|%[0-9A-Fa-f]{2})+")


class BadIdError(ValueError):
    """What this is about is no id of a stream; the text says why."""


def check_id(stream: str) -> str:
    """Return *stream* if it is an id of a stream.

    :raises BadIdError: if it is not.
    """
    try:
        size = len(stream.encode())
    except UnicodeEncodeError:
        raise BadIdError("a stream id is UTF-8") from None
    if not 1 <= size <= LONGEST_ID:
        raise BadIdError(f"a stream id has 1 to {LONGEST_ID} bytes, not {size}")
    if _CONTROL.search(stream):
        raise BadIdError("a stream id has no control characters")
    components = stream.split("/")
    if len(components) > MOST_COMPONENTS:
        raise BadIdError(f"a stream id has at most {MOST_COMPONENTS} components")
    for one in components:
        if one in ("", ".", ".."):
            raise BadIdError("a component of a stream id is not empty, and neither '.' nor '..'")
        if len(one.encode()) > LONGEST_COMPONENT:
            raise BadIdError(f"a component of a stream id has at most {LONGEST_COMPONENT} bytes")
    return stream


def encode_id(stream: str) -> str:
    """Return *stream* as it is on the wire: ASCII, no spaces, upper-case hex."""
    return quote(stream, safe=_PLAIN)


def decode_id(text: str) -> str:
    """Return the id that *text* is the encoded form of.

    :raises BadIdError: when it is not the form of any.
    """
    if _ENCODED.fullmatch(text) is None:
        raise BadIdError("a stream id is percent-encoded: A-Z a-z 0-9 . _ - / @ + = , : ~ and %XX")
    try:
        return check_id(unquote_to_bytes(text).decode())
    except UnicodeDecodeError:
        raise BadIdError("a stream id is UTF-8") from None
