"""Names of files, made from a template whose placeholders are filled by peers and by time.

What a peer fills in is encoded, so that it stays within its component of the path.  ``~`` comes
from no peer and no template: it is for the sink's own files, such as ``NAME~000001.zst`` and
``NAME~journal``.

This module must not know what is in the files, and opens none.
"""

from __future__ import annotations

import hashlib
import itertools
import re
import time
import unicodedata
from pathlib import Path

from socketsuite.settings.declaration import nearest

LONGEST_COMPONENT = 200
"""Bytes that an encoded value has at most."""

LONGEST_NAME = 230
"""Bytes that a component of an expanded template has at most; Linux has 255, and the sink's own
files beside it have longer names."""

MOST_COMPONENTS = 16
"""Into so many components a stream's id is taken apart at its slashes."""

NUMBER = "\0"
"""Stands where the number goes, in a name that is of all segments: no file's name can have it."""

PLACEHOLDERS = {
    "date": "the day in UTC, as in 2026-01-31",
    "peer": "the address of the peer's host, or unix",
    "connection": "a number of the connection, never used again",
    "stream": "the stream that the sender names; its slashes separate folders",
    "seq": "the number of the segment, from 000001",
}

_KEPT = frozenset("._-@+=, ")
# Letters by their category, and yet nobody sees them.
_INVISIBLE_LETTERS = frozenset("\u115f\u1160\u3164\uffa0")
_DIGEST = 32
_DIGITS = 6
# "%" is followed by two hexadecimal digits everywhere else.
_SHORTENED = "%-"
_PLAIN = re.compile(r"[A-Za-z0-9_\-@+=,](?:[A-Za-z0-9._\-@+=, ]*[A-Za-z0-9_\-@+=,])?", re.ASCII)
_BRACES = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


def encode_component(text: str) -> str:
    """Return *text* as one component of a path, which is never empty, ``.`` or ``..``.

    Letters and digits of any script, ``._-@+=,`` and the space stay.  Everything else is %XX of
    its UTF-8, and so are a point or space at the beginning or end.  What would be longer than
    :data:`LONGEST_COMPONENT` ends with a part of its SHA-256 instead.  Two texts never have the
    same encoding, but for two of the same digest.
    """
    if len(text) <= LONGEST_COMPONENT and _PLAIN.fullmatch(text):
        return text
    encoded = [one if _is_kept(one) else _percent(one) for one in text]
    for edge in (0, -1):
        if encoded and encoded[edge] in (" ", "."):
            encoded[edge] = _percent(encoded[edge])
    if not unicodedata.is_normalized("NFC", "".join(encoded)):
        # A file system that normalises would make another name of it.
        encoded = [one if one.isascii() else _percent(one) for one in encoded]
    if not encoded:
        return _SHORTENED
    return _shortened(encoded, text, LONGEST_COMPONENT)


def encode_path(text: str) -> str:
    """Return *text* as a relative path whose components are those between its slashes."""
    return "/".join(encode_component(one) for one in text.split("/", MOST_COMPONENTS - 1))


def is_own_name(name: str) -> bool:
    """Return whether the last component of *name* is one of the sink's own files."""
    return "~" in name.rpartition("/")[2]


class ConnectionNames:
    """Gives every connection a name that neither this process nor another one gives again."""

    def __init__(self, started: float | None = None) -> None:
        started = time.time() if started is None else started
        micros = int(started * 1e6)
        day = time.strftime("%Y%m%dT%H%M%S", time.gmtime(micros // 1_000_000))
        self._prefix = f"{day}.{micros % 1_000_000:06d}"
        self._numbers = itertools.count(1)

    def next(self) -> str:
        """Return the name of the next connection."""
        return f"{self._prefix}-{next(self._numbers)}"


class Template:
    """The path of a file, with placeholders.

    :param text: a path, in which ``{date}`` and the others of :data:`PLACEHOLDERS` are filled in;
        a brace that is meant is written twice.
    :ivar base: the folder before the first component that has a placeholder.
    :ivar components: those from there on, each as literal texts and :class:`Field` objects.
    :ivar fields: the placeholders that there are.
    :ivar depth: how many levels of folders there may be between the base and a file.
    :raises ValueError: with the cure, where no file can be named so.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        if "\0" in text:
            raise ValueError("a path has no NUL character")
        if not text or text.endswith(("/", "/.", "/..")) or text in (".", ".."):
            raise ValueError(f"{text or 'an empty path'} names no file")
        parsed = [(one, _parse(one)) for one in text.split("/")]
        first = next(
            (at for at, (_, parts) in enumerate(parsed) if _fields(parts)), len(parsed) - 1
        )
        folder = "/".join(_literal(parts) for _, parts in parsed[:first])
        self.base = Path(folder or ("/" if first else "."))
        self.components = [parts for one, parts in parsed[first:] if one not in ("", ".")]
        self.fields = frozenset[str]().union(*map(_fields, self.components))
        every = (part for parts in self.components for part in parts)
        streams = sum(isinstance(part, Field) and part.name == "stream" for part in every)
        self.depth = len(self.components) - 1 + streams * (MOST_COMPONENTS - 1)
        self._check()

    def __repr__(self) -> str:
        return f"Template({self.text!r})"

    def _check(self) -> None:
        for parts in self.components:
            literal = _literal(parts)
            if "~" in literal:
                raise ValueError("a file's name has no ~: the sink's own files have one")
            if literal == ".." and not _fields(parts):
                raise ValueError("no .. can follow a placeholder")
            if len(literal.encode("utf-8", "surrogateescape")) > LONGEST_NAME:
                raise ValueError(f"a file's name has at most {LONGEST_NAME} bytes")
        if "seq" in self.fields:
            _check_number(self.components)

    def expand(
        self,
        *,
        date: str = "",
        peer: str = "",
        connection: str = "",
        stream: str = "",
        seq: int | None = None,
    ) -> str:
        """Return the path of a file, relative to the base; values may be anybody's.

        :param date: as ``YYYY-MM-DD``; *seq* becomes six digits or more, or :data:`NUMBER` where
            the name of all segments is asked for.
        """
        values = {"date": date, "peer": peer, "connection": connection}
        filled = {name: encode_component(values[name]) for name in self.fields & values.keys()}
        filled |= {"stream": encode_path(stream), "seq": NUMBER}
        components = []
        for parts in self.components:
            whole = "".join(
                filled[part.name] if isinstance(part, Field) else part for part in parts
            )
            components += [_short_enough(one) for one in whole.split("/")]
        path = "/".join(components)
        return path if seq is None else numbered(path, seq)


def numbered(name: str, number: int) -> str:
    """Return the name of one segment, for the *name* of all."""
    return name.replace(NUMBER, f"{number:06d}")


def shown(name: str) -> str:
    """Return a name as people are told it."""
    return name.replace(NUMBER, "{seq}")


def is_numbered(name: str) -> bool:
    """Whether *name* is that of all segments of a template with ``{seq}``."""
    return NUMBER in name


class Field:
    """A placeholder in a component."""

    def __init__(self, name: str) -> None:
        self.name = name


def _parse(component: str) -> list[str | Field]:
    """Return the literal texts and placeholders of a component."""
    parts: list[str | Field] = []
    at = 0
    for match in _BRACES.finditer(component):
        parts.append(component[at : match.start()])
        at = match.end()
        if match[0] in ("{{", "}}"):
            parts.append(match[0][0])
        elif match[1] is None:
            raise ValueError(f"a lone {match[0]}: a brace that is meant is written twice")
        elif match[1] not in PLACEHOLDERS:
            raise ValueError(_unknown(match[1]))
        else:
            parts.append(Field(match[1]))
    return [*parts, component[at:]]


def _unknown(name: str) -> str:
    known = ", ".join(f"{{{one}}}" for one in PLACEHOLDERS)
    return f"there is no {{{name}}}{nearest(name[:40], PLACEHOLDERS)}; known are {known}"


def _check_number(components: list[list[str | Field]]) -> None:
    """See that the number is found again in a file's name, and that no other name has it."""
    name = components[-1]
    at = next((at for at, one in enumerate(name) if _is_number(one)), -1)
    if at < 0 or sum(map(_is_number, itertools.chain(*components))) > 1:
        raise ValueError("{seq} stands once, and in the name of the file, not of a folder")
    before, after = [one for one in name[:at] if one], [one for one in name[at + 1 :] if one]
    if any(isinstance(one, Field) and one.name == "stream" for one in after):
        raise ValueError("{seq} stands behind {stream}, whose slashes separate folders")
    edges = [one[-1] if isinstance(one, str) else "0" for one in before[-1:]]
    edges += [one[0] if isinstance(one, str) else "0" for one in after[:1]]
    if any(map(str.isdigit, edges)):
        raise ValueError("{seq} needs a point or hyphen next to it, no digit or placeholder")
    if after and isinstance(after[-1], str) and after[-1].endswith((".gz", ".zst")):
        raise ValueError("the sink itself adds .gz or .zst to the name of what it compresses")


def _is_number(part: str | Field) -> bool:
    return isinstance(part, Field) and part.name == "seq"


def _fields(parts: list[str | Field]) -> frozenset[str]:
    return frozenset(part.name for part in parts if isinstance(part, Field))


def _literal(parts: list[str | Field]) -> str:
    return "".join(part for part in parts if isinstance(part, str))


def _is_kept(character: str) -> bool:
    if character.isascii():
        return character.isalnum() or character in _KEPT
    return character.isalnum() and character not in _INVISIBLE_LETTERS


def _percent(text: str) -> str:
    # A lone surrogate is no text, but may stand for a byte of a path.
    return "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))


def _short_enough(component: str) -> str:
    before, number, _ = component.partition(NUMBER)
    if not number:
        return _shortened(list(component), component, LONGEST_NAME)
    room = LONGEST_NAME - _DIGITS + 1
    if len(component.encode("utf-8", "surrogateescape")) <= room:
        return component
    # The number is found again behind the digest.
    return _beginning(list(before), component, room - 2) + "-" + NUMBER


def _shortened(encoded: list[str], text: str, most: int) -> str:
    """Return what was encoded, or its beginning and a digest of the text where it is too long."""
    whole = "".join(encoded)
    if len(whole) * 4 <= most or len(whole.encode("utf-8", "surrogateescape")) <= most:
        return whole
    return _beginning(encoded, text, most)


def _beginning(encoded: list[str], text: str, most: int) -> str:
    """Return the beginning of what was encoded, and a digest of the text."""
    room = most - len(_SHORTENED) - _DIGEST
    sizes = itertools.accumulate(len(one.encode("utf-8", "surrogateescape")) for one in encoded)
    kept = itertools.takewhile(lambda pair: pair[1] <= room, zip(encoded, sizes, strict=True))
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST]
    return "".join(one for one, _ in kept) + _SHORTENED + digest
