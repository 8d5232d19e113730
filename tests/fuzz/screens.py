"""What may reach a screen: of a line client, and of a client of IRC.

Written apart from the code that makes it so.
"""

from __future__ import annotations

import re

_CONTROLS = "\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069"
_UNSAFE = re.compile(f"[{_CONTROLS}]")
# Bold, colours, monospace, reverse, italic, struck, underlined, plain, and CTCP's quote.
_FORMATS = "\x01\x02\x03\x04\x0f\x11\x16\x1d\x1e\x1f"
_LINE = re.compile(rb"(@[^ \0\r\n]+ )?(:[^ \0\r\n]+ )?([A-Z]+|\d\d\d)( [^\0\r\n]*)?\r\n", re.DOTALL)
MOST_TAGS = 8191
"""Bytes of the tags that a server may send (IRCv3 message-tags)."""


def is_safe(text: str, *, irc: bool = False) -> bool:
    """Whether nothing in *text* commands a terminal; clients of IRC know its formats."""
    if irc:
        text = text.translate(dict.fromkeys(map(ord, _FORMATS)))
    return _UNSAFE.search(text) is None


def check_lines(wire: bytes) -> None:
    """See that *wire*, sent to a line client, is whole lines that are safe to show."""
    assert wire.endswith(b"\n"), wire
    for line in wire[:-1].split(b"\n"):
        assert is_safe(line.decode()), line


def check_irc(wire: bytes) -> None:
    """See that *wire*, sent to a client of IRC, is whole lines, short enough, safe to show."""
    assert wire.endswith(b"\r\n"), wire
    for line in wire[:-2].split(b"\r\n"):
        found = _LINE.fullmatch(line + b"\r\n")
        assert found is not None, line
        tags = found[1] or b""
        assert len(line) + 2 - len(tags) <= 512, line
        assert len(tags) <= MOST_TAGS, line
        assert is_safe(line.decode(), irc=True), line
