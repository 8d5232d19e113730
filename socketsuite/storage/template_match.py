"""Knows again the files that a template has named, and what filled its placeholders.

This module must not open files, nor know what becomes of them.
"""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple
from urllib.parse import unquote

from socketsuite.storage.names import NUMBER, Field, Template, numbered
from socketsuite.storage.segment_reading import SUFFIXES, Compression

_ENCODED = r"(?:[\w.\-@+=, ]|%[0-9A-F]{2}|%-)+"
_NUMBER = "[0-9]{6,12}"
_VALUES = {
    "date": r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
    "connection": r"[0-9]{8}T[0-9]{6}\.[0-9]{6}-[0-9]+",
    "peer": _ENCODED,
    "stream": f"{_ENCODED}(?:/{_ENCODED})*",
    "seq": _NUMBER,
}
# What was too long has its end, and whatever of the template came there, replaced by a digest.
_SHORTENED = re.compile(rf".*%-[0-9a-f]{{32}}-(?P<seq>{_NUMBER})", re.DOTALL)


class Match(NamedTuple):
    """A file that the template has named.

    :ivar name: of the file, or of all its segments where they are numbered.
    :ivar number: of the segment; 0 where there is none.
    :ivar date: as ``YYYY-MM-DD``; empty where there is none.
    :ivar connection: whether it was one connection's.
    :ivar compression: how the file was compressed since.
    """

    name: str
    number: int
    date: str
    connection: bool
    compression: Compression


class TemplateMatch:
    """Tells what one template has named from what it could not have."""

    def __init__(self, template: Template) -> None:
        self.fields = template.fields
        self._pattern = re.compile(_pattern_of(template))

    def match(self, path: str) -> Match | None:
        """Return what the template says of *path*, relative to its base."""
        compression, whole = _uncompressed(path) if "seq" in self.fields else ("none", path)
        found = self._pattern.fullmatch(whole)
        if found is None:
            found = _SHORTENED.fullmatch(whole) if "seq" in self.fields else None
        if found is None:
            return None
        values = found.groupdict()
        name, number = whole, 0
        if "seq" in values:
            number = int(values["seq"])
            name = whole[: found.start("seq")] + NUMBER + whole[found.end("seq") :]
            if not number or numbered(name, number) != whole:
                return None
        if "peer" in values and not _is_host(values["peer"]):
            return None
        return Match(name, number, values.get("date", ""), "connection" in values, compression)


def _uncompressed(path: str) -> tuple[Compression, str]:
    for compression, suffix in SUFFIXES.items():
        if suffix and path.endswith(suffix):
            return compression, path.removesuffix(suffix)
    return "none", path


def _pattern_of(template: Template) -> str:
    known: set[str] = set()
    return "/".join(
        "".join(_pattern_of_part(part, known) for part in parts) for parts in template.components
    )


def _pattern_of_part(part: str | Field, known: set[str]) -> str:
    if isinstance(part, str):
        return re.escape(part)
    if part.name in known:
        return f"(?P={part.name})"
    known.add(part.name)
    return f"(?P<{part.name}>{_VALUES[part.name]})"


def _is_host(peer: str) -> bool:
    try:
        ipaddress.ip_address(unquote(peer))
    except ValueError:
        return peer == "unix"
    return True
