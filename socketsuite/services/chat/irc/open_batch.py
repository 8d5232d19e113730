"""A message of several lines while its client is still saying it.

Pure.  After IRCv3's draft multiline.  This module must not know a client, nor who is told.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from socketsuite.services.chat.nicks import key_of
from socketsuite.wire.irc import Line

KIND = "draft/multiline"
_CONCAT = "draft/multiline-concat"

MOST_BYTES = 4096
MOST_LINES = 100
"""What one message has at most: bytes of text, an end of line counted as one; lines as sent."""


class WrongBatchError(Exception):
    """What is no message of several lines: a standard reply's code, and what it is about."""

    def __init__(self, text: str, code: str = "INVALID", *context: str) -> None:
        super().__init__(text)
        self.text, self.code, self.context = text, f"MULTILINE_{code}", context


@dataclass
class OpenBatch:
    """A batch that a client has begun.

    :ivar tags: for other clients; *label* is that of the answer.
    :ivar opened: when, by the reactor's clock.
    :ivar command: of its first line, and so of all.
    :ivar failed: whether the client was told so; what else comes of it is nothing.
    """

    reference: str
    target: str
    tags: str
    label: str
    opened: float
    command: str = ""
    text: bytearray = field(default_factory=bytearray)
    cuts: list[int] = field(default_factory=list)
    lines: int = 0
    failed: bool = False

    @classmethod
    def begin(cls, line: Line, tags: str, label: str, now: float) -> OpenBatch:
        """Return the batch that a line of BATCH begins.

        :raises WrongBatchError: when it begins none.
        """
        reference, words = line.parameters[0][1:], line.parameters[1:]
        if not reference.isascii() or not reference.replace("-", "").isalnum():
            raise WrongBatchError("A batch has a reference of letters, digits and -")
        if words[:1] != [KIND]:
            raise WrongBatchError(f"A batch is of the type {KIND}")
        if len(words) != 2 or not words[1] or "," in words[1] or "batch" in line.tags:
            raise WrongBatchError("A batch has one target, and is in no other")
        return cls(reference, words[1], tags, label, now)

    def add(self, line: Line, most_lines: int) -> None:
        """Take one line more.

        :raises WrongBatchError: when it cannot be one of the message.
        """
        self.command = self.command or line.command
        if line.command not in ("PRIVMSG", "NOTICE") or line.command != self.command:
            raise WrongBatchError("A batch has lines of PRIVMSG, or of NOTICE, and nothing else")
        target, text = (*line.parameters[:2], "", "")[:2]
        if key_of(target) != key_of(self.target):
            text = "A line has another target"
            raise WrongBatchError(text, "INVALID_TARGET", self.target, target[:80] or "*")
        if text.startswith("\x01"):
            raise WrongBatchError("A batch has no CTCP")
        goes_on = _CONCAT in line.tags
        if goes_on and (not text or not self.lines):
            raise WrongBatchError("A line that goes on has a text, and a line before it")
        if self.lines >= most_lines:
            raise WrongBatchError("The message has too many lines", "MAX_LINES", str(most_lines))
        if self.lines:
            self.text += b"" if goes_on else b"\n"
            self.cuts.append(len(self.text))
        self.text += text.encode()
        self.lines += 1
        if len(self.text) > MOST_BYTES:
            raise WrongBatchError("The message is too long", "MAX_BYTES", str(MOST_BYTES))

    def message(self) -> tuple[bytes, tuple[int, ...]]:
        """Return the text and where it is cut.

        :raises WrongBatchError: when there is none.
        """
        if not self.text.strip(b"\n"):
            raise WrongBatchError("A message has a text")
        return bytes(self.text), tuple(self.cuts)

    def fail(self) -> None:
        """Take nothing more."""
        self.failed = True
        self.text.clear()
