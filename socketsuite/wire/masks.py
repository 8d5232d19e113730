"""Address masks, as IRC writes them: ``nick!user@host`` with ``*`` and ``?``.

Pure.  Matching takes time in proportion to the text, whatever the mask: the worst mask of a
hostile client costs no more than its length times the text's.
"""

from __future__ import annotations

LONGEST = 200
"""Characters of a mask; a longer one is cut."""


def normal_mask(text: str) -> str:
    """Return *text* as a whole mask: ``bob`` is ``bob!*@*``, ``*@host`` is ``*!*@host``.

    Runs of ``*`` become one; an empty part becomes ``*``.
    """
    text = text[:LONGEST]
    nick, bang, rest = text.partition("!")
    if not bang and "@" in nick:
        nick, rest = "", nick
    user, at, host = rest.partition("@")
    if not at and not bang:
        user = host = ""
    return f"{_part(nick)}!{_part(user)}@{_part(host)}"


def _part(text: str) -> str:
    while "**" in text:
        text = text.replace("**", "*")
    return text or "*"


def matches(mask: str, text: str) -> bool:
    """Return whether the whole of *text* is as *mask* says; both are of one case already."""
    m = t = 0
    star, mark = -1, 0
    while t < len(text):
        if m < len(mask) and (mask[m] == "?" or (mask[m] == text[t] and mask[m] != "*")):
            m, t = m + 1, t + 1
        elif m < len(mask) and mask[m] == "*":
            star, mark, m = m, t, m + 1
        elif star >= 0:
            mark += 1
            m, t = star + 1, mark
        else:
            return False
    return mask[m:].strip("*") == ""
