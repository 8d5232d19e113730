"""Makes one person's text safe for another person's terminal.

A control character that reaches a terminal can move the cursor, rename the window or
rewrite what was already shown; a bidirectional override can make text read as what it is
not.  This module must not know where the text comes from or where it is shown.
"""

from __future__ import annotations

import re

_PLAIN_ASCII = bytes([0x09, *range(0x20, 0x7F)])
_BEYOND_C0 = (
    "\x7f-\x9f"  # DEL, C1
    "\u2028\u2029"  # line and paragraph separator
    "\u202a-\u202e\u2066-\u2069"  # bidirectional embeddings, overrides and isolates
)
_UNSAFE = re.compile(f"[\x00-\x08\x0a-\x1f{_BEYOND_C0}]")  # C0 but TAB, and the others
# The same without the formats of IRC, of which none is ESC.
_FORMATTED_ASCII = bytes([1, 2, 3, 4, 0x09, 0x0F, 0x11, 0x16, *range(0x1D, 0x7F)])
_UNSAFE_FORMATTED = re.compile(f"[\x00\x05-\x08\x0a-\x0e\x10\x12-\x15\x17-\x1c{_BEYOND_C0}]")


def printable(line: bytes) -> bytes:
    r"""Return *line* as valid UTF-8 in which nothing commands a terminal.

    TAB and everything printable stay.  Other C0 controls and DEL become caret notation
    (``^[`` for ESC, ``^?`` for DEL), C1 controls ``\x9b``, separators and bidirectional
    controls ``\u202e``; bytes that are not UTF-8 become U+FFFD.  A line that is plain
    printable ASCII comes back as it is.
    """
    if not line.translate(None, _PLAIN_ASCII):
        return line
    text = line.decode("utf-8", "replace")
    if _UNSAFE.search(text) is not None:
        for character in _VISIBLE.keys() & set(text):
            text = text.replace(character, _VISIBLE[character])
    return text.encode("utf-8")


def formatted(line: bytes) -> bytes:
    """Return *line* as :func:`printable` does, but with what clients of IRC format texts by.

    Those are bold, colours, monospace, reverse, italic, struck, underlined and plain, and the
    quote of CTCP: clients obey them, and no terminal sees them.
    """
    if not line.translate(None, _FORMATTED_ASCII):
        return line
    return formatted_text(line.decode("utf-8", "replace")).encode("utf-8")


def formatted_text(text: str) -> str:
    """Return *text* as :func:`formatted` has it."""
    return text if _UNSAFE_FORMATTED.search(text) is None else text.translate(_UNFORMATTED)


def without_controls(text: str) -> str:
    """Return *text* without any character that :func:`printable` would make visible."""
    return _UNSAFE.sub("", text)


def _visible(character: str) -> str:
    code = ord(character)
    if code < 0x80:
        return "^" + chr(code ^ 0x40)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}"


# For each character a text has, not for each of its places: a line of nothing else is no dearer.
_VISIBLE = {one: _visible(one) for one in map(chr, range(0x2070)) if _UNSAFE.match(one)}
_UNFORMATTED = {ord(one): shown for one, shown in _VISIBLE.items() if _UNSAFE_FORMATTED.match(one)}
