"""Passwords as they are compared: what two keyboards send for one word becomes the same.

Pure.  This module must not know where a password comes from, nor how it is hashed.
"""

from __future__ import annotations

import stringprep
import unicodedata

LONGEST_PASSWORD = 256
"""Bytes of UTF-8, once prepared."""

_PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


class BadPasswordError(ValueError):
    """A password that cannot be one; its text says why, and nothing of the password."""


def prepared(password: str) -> bytes:
    """Return *password* in its one form: SASLprep (RFC 4013), in UTF-8.

    Code points that Unicode 3.2 did not know are let through, as in a query (RFC 3454, 7), also
    where the result is stored: the newer letters and emoji are in them.

    :raises BadPasswordError: when it is empty, too long, or has characters of control.
    """
    if len(password) > 4 * LONGEST_PASSWORD:  # before any work on it
        raise BadPasswordError(f"a password has at most {LONGEST_PASSWORD} bytes")
    spaced = "".join(" " if stringprep.in_table_c12(c) else c for c in password)
    mapped = "".join(c for c in spaced if not stringprep.in_table_b1(c))
    normal = unicodedata.normalize("NFKC", mapped)
    data = normal.encode("utf-8", "surrogatepass")
    if not data:
        raise BadPasswordError("the password is empty")
    if len(data) > LONGEST_PASSWORD:  # one character may have become eighteen
        raise BadPasswordError(f"a password has at most {LONGEST_PASSWORD} bytes")
    if any(prohibited(c) for c in normal for prohibited in _PROHIBITED):
        raise BadPasswordError("a password has no characters of control")
    _check_direction(normal)
    return data


def _check_direction(text: str) -> None:
    """Hold RFC 3454, 6: who writes from right to left begins and ends so."""
    right = [stringprep.in_table_d1(c) for c in text]
    if not any(right):
        return
    if any(stringprep.in_table_d2(c) for c in text) or not (right[0] and right[-1]):
        raise BadPasswordError("a password is written in one direction")
