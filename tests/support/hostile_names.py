"""Names that somebody might send to get at another file."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Iterable, Iterator

FROM_THE_FIELD = [
    "..",
    ".",
    "/",
    "",
    " ",
    "../../etc/passwd",
    "/etc/passwd",
    "a/../../b",
    "..%2f..%2fb",
    "%2e%2e",
    "%2E%2E/%2F",
    "%",
    "%-",
    "%%",
    "..\\..\\b",
    "~root",
    "name~000001",
    "name~000001.zst",
    "name~journal",
    "name~000001.gz~tmp",
    "a\0b",
    "a\nb",
    "\x1b[2J",
    "\u202egpj.exe",
    "\u200b",
    "\u3164",
    "e\u0301",
    "\u00e9",
    "\u212b",
    "\u1100\u1161",
    "\uac00",
    "\ud800",
    "\uff0e\uff0e\uff0f",
    "\u2024\u2024/",
    "...",
    ".hidden",
    "trailing.",
    "trailing ",
    "-rf",
    "*",
    "$(id)",
    "`id`",
    "CON",
    "a:b",
    "a" * 199,
    "a" * 200,
    "a" * 201,
    "\u00e9" * 100,
    "\u00e9" * 101,
    "/" * 40,
    "x/" * 20,
    "../" * 20,
]
_WORDS = [*"/.~% \0\n:ab2EF-_\\\u00e9\u0301\u202e\u3164\U0001f600", "..", "../", "%2F", "%7E", "~1"]


def hostile_names(count: int, seed: int = 1) -> Iterator[str]:
    """Yield so many names, most of them different: made of what does harm, and near each other."""
    dice = random.Random(seed)
    yield from FROM_THE_FIELD[:count]
    for _ in range(count - len(FROM_THE_FIELD)):
        if dice.random() < 0.1:
            name = dice.choice(FROM_THE_FIELD)
            at = dice.randrange(len(name) + 1)
            yield name[:at] + dice.choice(_WORDS) + name[at + dice.randrange(2) :]
        else:
            size = dice.choice((3, 6, 9, 14, 20, 60, 140))
            yield "".join(dice.choices(_WORDS, k=dice.randrange(size) + 1))


def check_names(expanded: Iterable[tuple[str, str]]) -> int:
    """See that no path of (name, path) leaves its folder, is a sink's own, or is had twice.

    :return: how many different names there were.
    """
    named: dict[int, int] = {}
    for name, path in expanded:
        components = path.split("/")
        assert len(components) <= 16, (name, path)
        for component in components:
            assert component not in ("", ".", ".."), (name, path)
            assert len(component.encode()) <= 200, (name, path)
            assert "~" not in component, (name, path)
            assert component.isprintable(), (name, path)
            assert component.strip(" .") == component, (name, path)
        assert unicodedata.is_normalized("NFC", path), (name, path)
        assert named.setdefault(hash(path), hash(name)) == hash(name), (name, path)
    return len(named)
