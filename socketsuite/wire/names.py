"""Names of people and rooms that are safe to show: what may be one, in its normal form.

After PRECIS (RFC 8264, RFC 8265: UsernameCasePreserved): letters, marks and digits of any script
in one normal form, nothing that is invisible or commands a terminal.  Pure.  This module must not
know which names are the same, nor who is here.
"""

from __future__ import annotations

import string
import unicodedata

LONGEST_NICK = 32
LONGEST_ROOM = 64
"""Bytes of UTF-8."""

# What IRC allows in a nick beside letters and digits (RFC 2812, 2.3.1), but no space or mask.
_SPECIAL = frozenset("[]\\`_^{|}-")
_PLAIN = _SPECIAL | frozenset(string.ascii_letters + string.digits)
_LETTERS = ("Lu", "Ll", "Lo", "Lm", "Lt", "Nd", "Mn", "Mc")


class BadNameError(ValueError):
    """A name that nobody may have; its text says why."""


def checked_nick(name: str) -> str:
    """Return *name* in its normal form.

    :raises BadNameError: saying what is wrong with it.
    """
    name = unicodedata.normalize("NFC", name)
    if not name:
        raise BadNameError("a nick is needed")
    if len(name.encode("utf-8", "replace")) > LONGEST_NICK:
        raise BadNameError(f"a nick has at most {LONGEST_NICK} bytes")
    _check_characters(name, "a nick")
    if name[0].isdigit() or name[0] == "-":
        raise BadNameError("a nick begins with a letter")
    if unicodedata.category(name[0]).startswith("M"):
        raise BadNameError("a nick begins with a letter")
    return name


def checked_room(name: str) -> str:
    """Return the *name* of a room, without ``#``, in its normal form.

    :raises BadNameError: saying what is wrong with it.
    """
    name = unicodedata.normalize("NFC", name.removeprefix("#"))
    if not name:
        raise BadNameError("a room's name is needed")
    if len(name.encode("utf-8", "replace")) > LONGEST_ROOM:
        raise BadNameError(f"a room's name has at most {LONGEST_ROOM} bytes")
    # Whoever writes names without # would mean another room by it.
    if name.startswith("#"):
        raise BadNameError("a room's name begins with one # at most")
    _check_characters(name, "a room's name", more=".+#&'~")
    return name


def _check_characters(name: str, what: str, more: str = "") -> None:
    if _PLAIN.issuperset(name):  # almost always
        return
    scripts = set()
    for character in name:
        category = unicodedata.category(character)
        if category not in _LETTERS and character not in _SPECIAL and character not in more:
            raise BadNameError(f"{what} has letters, digits and {''.join(sorted(_SPECIAL))} only")
        if category[0] == "L":
            scripts.add(unicodedata.name(character, "?").partition(" ")[0])
    # A name of Latin letters and another alphabet's is made to be mistaken for one of either.
    if "LATIN" in scripts and scripts & {"CYRILLIC", "GREEK", "CHEROKEE", "ARMENIAN"}:
        raise BadNameError(f"{what} is of one alphabet")
