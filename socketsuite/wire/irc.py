"""IRC's grammar: a line into its parts and back, and strings of modes.

After "Modern IRC Client Protocol" and IRCv3's message tags.  Pure and bounded: what is no line
raises :class:`BadLineError`, and nothing raises anything else.  This module must not know what a
command means, nor who sent it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from socketsuite.wire.printable import formatted_text

LONGEST_BODY = 512
"""Bytes of a line without its tags, CR and LF counted."""

LONGEST_TAGS = 4096
"""Bytes of the tags that a client may send, ``@`` and the space counted."""

MOST_PARAMETERS = 15

# A tag's key (IRCv3 message-tags): perhaps a client's, perhaps a vendor's.
_KEY = re.compile(r"\+?[A-Za-z0-9./-]+")
_ESCAPES = {":": ";", "s": " ", "\\": "\\", "r": "\r", "n": "\n"}
_TO_ESCAPE = str.maketrans({";": r"\:", " ": r"\s", "\\": r"\\", "\r": r"\r", "\n": r"\n"})


class BadLineError(ValueError):
    """What is no line of IRC; its text says why.

    :ivar code: ``utf8``, ``too_long`` or ``malformed``.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(slots=True)
class Line:
    """One message of IRC.

    :ivar tags: by their keys, unescaped; a tag without a value has an empty one.
    :ivar source: who it is from, without ``:``; servers ignore a client's.
    :ivar command: in upper case.
    """

    command: str
    parameters: list[str] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    source: str = ""


def parse(raw: bytes) -> Line:
    """Return the parts of a line without its terminator.

    :raises BadLineError: when it is none, or longer than a client's may be.
    """
    tags: dict[str, str] = {}
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise BadLineError("utf8", "the line is not UTF-8") from None
    if "\0" in text or "\r" in text or "\n" in text:
        raise BadLineError("malformed", "a line has no NUL, CR or LF")
    length = len(raw)
    if text.startswith("@"):
        head, _, text = text.partition(" ")
        size = len(head.encode()) + 1
        if size > LONGEST_TAGS:
            raise BadLineError("too_long", "the tags are too long")
        tags, length = parse_tags(head[1:]), length - size
    if length > LONGEST_BODY - 2:
        raise BadLineError("too_long", "the line is too long")
    text = text.lstrip(" ")
    source = ""
    if text.startswith(":"):
        source, _, text = text[1:].partition(" ")
        text = text.lstrip(" ")
    middle, colon, trailing = text.partition(" :")
    words = middle.split(" ")
    parameters = [word for word in words[1:] if word]
    if len(parameters) >= MOST_PARAMETERS + bool(not colon):
        raise BadLineError("malformed", "the line has too many parameters")
    if colon:
        parameters.append(trailing)
    command = words[0].upper()
    if not command.isascii() or not command.isalnum():
        raise BadLineError("malformed", "the line has no command")
    return Line(command, parameters, tags, source)


def parse_tags(text: str) -> dict[str, str]:
    """Return the tags of ``key=value;key``; of a key that stands twice, the last.

    What has no key, or one that none can have, is no tag.
    """
    tags = {}
    for one in text.split(";"):
        key, _, value = one.partition("=")
        if _KEY.fullmatch(key):
            tags[key] = unescape(value) if "\\" in value else value
    return tags


def unescape(value: str) -> str:
    """Return a tag's value as it is meant; a lone backslash at its end is nothing."""
    out = []
    rest = iter(value)
    for character in rest:
        if character != "\\":
            out.append(character)
            continue
        escaped = next(rest, "")
        out.append(_ESCAPES.get(escaped, escaped))
    return "".join(out)


def tags_text(tags: Mapping[str, str]) -> str:
    """Return *tags* as they stand behind ``@``; controls in their values become visible."""
    return ";".join(
        f"{key}={formatted_text(value.translate(_TO_ESCAPE))}" if value else key
        for key, value in tags.items()
    )


def serialise(
    command: str,
    parameters: Sequence[str] = (),
    *,
    source: str = "",
    tags: Mapping[str, str] | None = None,
) -> bytes:
    """Return a line with CR and LF, cut at the end of a character where it is too long.

    The last parameter may have spaces.  NUL, CR and LF become spaces, so that nobody's text is
    another line, and what commands a terminal becomes visible; an empty parameter, or one that
    begins with ``:``, can only be the last.
    """
    words = [f":{source}", command, *parameters] if source else [command, *parameters]
    text = " ".join(words)
    if formatted_text(text) != text:  # seldom; both ways are much dearer than this question
        words = [formatted_text(word.translate(_UNSAFE)) for word in words]
        text = " ".join(words)
    last = words[-1]
    if parameters and (not last or last[0] == ":" or " " in last):
        text = f"{text[: len(text) - len(last)]}:{last}"
    body = cut(text.encode("utf-8", "replace"), LONGEST_BODY - 2) + b"\r\n"
    if tags:
        return b"@%b %b" % (tags_text(tags).encode("utf-8", "replace"), body)
    return body


_UNSAFE = {0: " ", 10: " ", 13: " "}


def cut(text: bytes, most: int) -> bytes:
    """Return at most *most* bytes of UTF-8, and no part of a character."""
    if len(text) <= most:
        return text
    while most > 0 and text[most] & 0xC0 == 0x80:
        most -= 1
    return text[:most]


def pieces(text: bytes, most: int) -> list[bytes]:
    """Return *text* in pieces of at most *most* bytes (4 or more), cut between characters."""
    found = []
    while len(text) > most:
        piece = cut(text, most) or text[:most]
        # A word is not cut where there is a space in the last part of the piece.
        space = piece.rfind(b" ", most * 3 // 4)
        piece = piece[: space + 1] if space > 0 else piece
        found.append(piece)
        text = text[len(piece) :]
    return [*found, text] if text or not found else found


def packed(words: Iterable[str], room: int, separator: str = " ") -> list[str]:
    """Return *words* joined, in as many texts as it takes for each to have *room* bytes at most.

    A single longer word stands alone.
    """
    texts: list[str] = []
    current: list[str] = []
    used = 0
    for word in words:
        size = len(word) if word.isascii() else len(word.encode("utf-8", "replace"))
        size += len(separator)
        if current and used + size - len(separator) > room:
            texts.append(separator.join(current))
            current, used = [], 0
        current.append(word)
        used += size
    if current:
        texts.append(separator.join(current))
    return texts


@dataclass(frozen=True)
class ModeKinds:
    """Which letters there are, as ``CHANMODES`` and ``PREFIX`` of ISUPPORT tell them.

    :ivar lists: have an entry as a parameter, or none, which asks for the list.
    :ivar always: have a parameter; *when_set* only with ``+``; *never* none.
    """

    lists: str
    always: str
    when_set: str
    never: str


@dataclass(frozen=True, slots=True)
class ModeChange:
    """One letter of a string of modes; *about* is its parameter."""

    sign: bool
    letter: str
    about: str | None


def parse_modes(text: str, parameters: Sequence[str], kinds: ModeKinds) -> list[ModeChange]:
    """Return the changes of ``+ov-b`` and its parameters; unknown letters are there, too."""
    changes = []
    left = list(reversed(parameters))
    sign = True
    for letter in text:
        if letter in "+-":
            sign = letter == "+"
            continue
        wants = letter in kinds.always or letter in kinds.lists
        wants = wants or (sign and letter in kinds.when_set)
        changes.append(ModeChange(sign, letter, left.pop() if wants and left else None))
    return changes


def modes_text(changes: Iterable[tuple[bool, str, str | None]]) -> list[str]:
    """Return changes as the parameters of MODE: ``["+o-v", "bob", "eve"]``."""
    text, parameters, last = "", [], None
    for sign, letter, about in changes:
        if sign != last:
            text += "+" if sign else "-"
            last = sign
        text += letter
        if about is not None:
            parameters.append(about)
    return [text, *parameters]
