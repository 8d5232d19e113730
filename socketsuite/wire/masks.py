"""Address masks, as IRC writes them: ``nick!user@host`` with ``*`` and ``?``.

Pure.  Matching takes no more time than the mask's length times the text's, whatever the mask: no
hostile one makes it search again what it has searched.
"""

from __future__ import annotations

import re
from functools import lru_cache

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
    """Return whether the whole of *text*, in lower case, is as *mask* says.

    The case of ASCII's letters in the mask makes no difference.
    """
    pattern, least = _compiled(mask)
    return len(text) >= least and pattern.fullmatch(text) is not None


# A room's lists are matched again and again, against each message.
@lru_cache(maxsize=4096)
def _compiled(mask: str) -> tuple[re.Pattern[str], int]:
    """Return *mask* as a pattern, and the length of the shortest text that it fits."""
    lower = mask.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")
    first, *others = [_literal(part) for part in lower.split("*")]
    pattern = first
    if others:
        # What lies between two stars is taken where it comes first, and is never looked for again.
        between = (f"(?>.*?{part})" for part in others[:-1] if part)
        pattern += "".join(between) + ".*" + others[-1]
    return re.compile(pattern, re.DOTALL), len(mask) - mask.count("*")


def _literal(part: str) -> str:
    return "".join("." if character == "?" else re.escape(character) for character in part)
