"""The lines of the journal: what there is to say of files and streams, each line with its checksum.

A line is ``CRC ENTRY;ENTRY;…`` and LF: CRC is the CRC-32 (RFC 1952) of what follows the space, in
eight hexadecimal digits, so a line is whole or it is nothing.  An entry is a letter and its words,
with a space between; numbers are decimal, texts percent-encoded UTF-8.  docs/filesink.md describes
each.  This module must not know where the lines are kept.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import ClassVar, TypeAlias
from urllib.parse import quote, unquote

HEADER = b"socketsuite-filesink-journal 1\n"
LONGEST_LINE = 1 << 22


class JournalError(ValueError):
    """A line that no version of this program has written."""


@dataclass(frozen=True, slots=True)
class Began:
    """The sink began; *boot* tells one run of the machine from the next."""

    letter: ClassVar[str] = "R"
    boot: str
    time: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The sink ended, with everything on disk."""

    letter: ClassVar[str] = "Q"
    time: int


@dataclass(frozen=True, slots=True)
class FileAdded:
    """File *file* is the one at *name*, with this inode; it held *length* bytes before."""

    letter: ClassVar[str] = "F"
    file: int
    name: str
    inode: int
    length: int


@dataclass(frozen=True, slots=True)
class FileNamed:
    """File *file* is a closed segment, and has this name now."""

    letter: ClassVar[str] = "N"
    file: int
    name: str


@dataclass(frozen=True, slots=True)
class FileGone:
    """File *file* was removed, or somebody else took it away."""

    letter: ClassVar[str] = "G"
    file: int


@dataclass(frozen=True, slots=True)
class Written:
    """File *file* holds *length* bytes; the disk may not have them yet."""

    letter: ClassVar[str] = "L"
    file: int
    length: int


@dataclass(frozen=True, slots=True)
class Durable:
    """File *file* holds *length* bytes, and the disk has them."""

    letter: ClassVar[str] = "D"
    file: int
    length: int


@dataclass(frozen=True, slots=True)
class StreamAdded:
    """Stream number *stream* is the one that its senders call *name*."""

    letter: ClassVar[str] = "S"
    stream: int
    name: str


@dataclass(frozen=True, slots=True)
class StreamGone:
    """Stream *stream* expired."""

    letter: ClassVar[str] = "X"
    stream: int


@dataclass(frozen=True, slots=True)
class Extent:
    """Bytes of *stream* from *offset* on lie in *file* from *at* on."""

    letter: ClassVar[str] = "E"
    stream: int
    offset: int
    length: int
    file: int
    at: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """What is before *offset* in *stream* lies in files that are gone."""

    letter: ClassVar[str] = "P"
    stream: int
    offset: int


@dataclass(frozen=True, slots=True)
class Leaves:
    """The tree hash of *stream* after *count* whole leaves: its *hashes* joined, in hexadecimal."""

    letter: ClassVar[str] = "T"
    stream: int
    count: int
    hashes: str


@dataclass(frozen=True, slots=True)
class Used:
    """Stream *stream* was last sent to at *time*, in seconds since 1970."""

    letter: ClassVar[str] = "U"
    stream: int
    time: int


@dataclass(frozen=True, slots=True)
class Synced:
    """Of the journal itself the first *length* bytes are on disk."""

    letter: ClassVar[str] = "Y"
    length: int


Entry: TypeAlias = (
    Began
    | Ended
    | FileAdded
    | FileNamed
    | FileGone
    | Written
    | Durable
    | StreamAdded
    | StreamGone
    | Extent
    | Skipped
    | Leaves
    | Used
    | Synced
)
_KINDS: dict[str, type[Entry]] = {
    kind.letter: kind
    for kind in (
        Began,
        Ended,
        FileAdded,
        FileNamed,
        FileGone,
        Written,
        Durable,
        StreamAdded,
        StreamGone,
        Extent,
        Skipped,
        Leaves,
        Used,
        Synced,
    )
}
_PIECES = "M"
_TEXTS = {"boot", "name", "hashes"}
_FIELDS = {kind: tuple(field.name for field in fields(kind)) for kind in _KINDS.values()}


def encode_pieces(extents: Sequence[Extent]) -> bytes:
    """Return the line that says *extents*: of one stream, each behind the other in one file."""
    first, last = extents[0], extents[-1]
    pieces = [str(first.length)]
    for before, one in pairwise(extents):
        pieces += (str(one.at - before.at - before.length), str(one.length))
    length = last.offset + last.length - first.offset
    return _line(
        f"{_PIECES} {first.stream} {first.offset} {length} {first.file} {first.at} "
        + ",".join(pieces)
    )


def encode(entries: Iterable[Entry]) -> bytes:
    """Return the line that says *entries*, all or nothing of them."""
    return _line(";".join(map(_words, entries)))


def _line(text: str) -> bytes:
    body = text.encode("ascii")
    return b"%08x %s\n" % (binascii.crc32(body), body)


def _words(entry: Entry) -> str:
    words = [entry.letter]
    for name in _FIELDS[type(entry)]:
        value = getattr(entry, name)
        # An empty text is a word, too: of a tree without whole leaves, say.
        words.append((quote(value, safe="/") or "*") if name in _TEXTS else str(value))
    return " ".join(words)


def decode(line: bytes) -> list[Entry]:
    """Return what *line*, without its LF, says.

    :raises JournalError: when it is not whole, or says what cannot be.
    """
    checksum, space, body = line.partition(b" ")
    if not space or checksum != b"%08x" % binascii.crc32(body):
        raise JournalError("its checksum is wrong")
    try:
        said: list[Entry] = []
        for text in body.decode("ascii").split(";"):
            words = text.split(" ")
            said += _pieces(words) if words[0] == _PIECES else [_entry(words)]
        return said
    except (ValueError, KeyError) as error:
        raise JournalError(f"it says what this version does not know: {error}") from None


def _pieces(words: list[str]) -> Iterator[Extent]:
    """Yield the extents of an entry that says many."""
    _, *numbers, joined = words
    stream, offset, length, file, at = _numbers(numbers)
    pieces = _numbers(joined.split(","))
    if sum(pieces[::2]) != length or not len(pieces) % 2:
        raise ValueError(joined[:100])
    for size, gap in zip(pieces[::2], [*pieces[1::2], 0], strict=True):
        yield Extent(stream, offset, size, file, at)
        offset += size
        at += size + gap


def _numbers(words: list[str]) -> list[int]:
    if not all(map(str.isdigit, words)) or max(map(len, words)) > 19:
        raise ValueError(" ".join(words)[:100])
    return list(map(int, words))


def _entry(words: list[str]) -> Entry:
    kind = _KINDS[words[0]]
    names = _FIELDS[kind]
    if len(words) != len(names) + 1:
        raise ValueError(f"{len(words)} words")
    if not _TEXTS.isdisjoint(names):
        values = [_value(name, word) for name, word in zip(names, words[1:], strict=True)]
        return kind(*values)  # type: ignore[arg-type]
    return kind(*_numbers(words[1:]))  # type: ignore[arg-type]


def _value(name: str, word: str) -> str | int:
    if name in _TEXTS:
        return "" if word == "*" else unquote(word, errors="strict")
    return _numbers([word])[0]


def read(lines: Iterable[bytes]) -> Iterator[list[Entry] | JournalError]:
    """Yield what each of *lines* (with its LF) says, or what is wrong with it."""
    for line in lines:
        if not line.endswith(b"\n"):
            yield JournalError("it is cut off")
            continue
        try:
            yield decode(line[:-1])
        except JournalError as error:
            yield error
