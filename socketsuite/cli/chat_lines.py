"""What a chat server's lines say: cut from the stream, made safe, and understood.

The form is that of the line frontend (docs/chat.md).  A line that is of no known form is text.
This module must not know where lines come from, nor how they are shown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from socketsuite.wire.printable import printable

Kind = Literal["message", "emote", "notice", "private", "server", "text"]

# A server that never ends its line is shown it in pieces of this size.
_LONGEST = 1 << 16

_SAID = re.compile(
    r"-> (?:#(?P<room>\S+) (?=[<*-]))?"
    r"(?:\[(?P<date>\d{4}-\d\d-\d\d) (?P<time>\d\d:\d\d)Z\] (?=[<*-]))?"
    r"(?:<(?P<message>[^<>\s]+)> |\((?P<private>[^()\s]+)\) "
    r"|\* (?P<emote>\S+) |-(?P<notice>[^-\s]\S*)- )?"
    r"(?P<text>.*)",
    re.DOTALL,
)
_KINDS: tuple[Kind, ...] = ("message", "emote", "notice", "private")


@dataclass(frozen=True, slots=True)
class ChatLine:
    """One line of a server.

    :ivar kind: what somebody said or did, told, said to us alone, or the server said; ``text``
        is what is none of these.
    :ivar room: without ``#``; ``None`` where the line does not name one.
    :ivar nick: of who said it, where the line names somebody.
    :ivar text: what is left.
    :ivar said: when, to the minute (ISO 8601, UTC), where the line is of the room's history.
    :ivar whole: the line itself; it commands no terminal.
    :ivar at: where in it the nick begins.
    """

    kind: Kind
    room: str | None
    nick: str | None
    text: str
    whole: str
    said: str | None = None
    at: int = 0


class Lines:
    """Cuts a server's bytes into lines, without losing any and in bounded memory."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[ChatLine]:
        """Take the next chunk; return the lines it completes."""
        *ended, rest = (self._rest + data).split(b"\n")
        lines = [piece for line in ended for piece in _pieces(line)]
        *more, self._rest = _pieces(rest)
        return [understood(line.removesuffix(b"\r")) for line in lines + more]

    def end(self) -> list[ChatLine]:
        """Return what the server left without an end of line."""
        rest, self._rest = self._rest, b""
        return [understood(rest)] if rest else []


def _pieces(line: bytes) -> list[bytes]:
    return [line[at : at + _LONGEST] for at in range(0, len(line), _LONGEST)] or [b""]


def understood(line: bytes) -> ChatLine:
    """Return what *line* (without its end) says."""
    whole = printable(line).decode()
    if whole.startswith("* "):
        return ChatLine("server", None, None, whole[2:], whole)
    said = _SAID.fullmatch(whole)
    if said is None:
        return ChatLine("text", None, None, whole, whole)
    kind = next((one for one in _KINDS if said[one] is not None), None)
    if kind is None:
        return ChatLine("message", None, None, said["text"], whole)
    when = f"{said['date']}T{said['time']}Z" if said["date"] is not None else None
    return ChatLine(kind, said["room"], said[kind], said["text"], whole, when, said.start(kind))
