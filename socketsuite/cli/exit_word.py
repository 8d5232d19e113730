"""Finds the line that ends a conversation, in a stream of typed bytes.

Pure.  This module must not know where the bytes come from or go to.
"""

from __future__ import annotations


class ExitWord:
    """Passes a stream through until a line equal to *word*, however it was cut into chunks.

    Only a beginning of a line that may still become the word is held back.

    :param word: the line, without its LF; a CR before that is ignored.
    """

    def __init__(self, word: bytes) -> None:
        self._word = word
        self._held = b""
        self._inside_line = False

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """Take the next chunk; return what to pass on, and whether the word was found.

        The line with the word, and what follows it, are not passed on.
        """
        data = self._held + data
        start = 0
        while (end := data.find(b"\n", start)) >= 0:
            if not self._inside_line and data[start:end].removesuffix(b"\r") == self._word:
                return data[:start], True
            self._inside_line = False
            start = end + 1
        rest = data[start:]
        if not self._inside_line and (self._word + b"\r").startswith(rest):
            self._held = rest
            return data[:start], False
        self._held = b""
        self._inside_line = True
        return data, False

    def end(self) -> tuple[bytes, bool]:
        """Take the end of the stream, which ends the last line too; return as :meth:`feed`."""
        held, self._held = self._held, b""
        found = bool(held) and held.removesuffix(b"\r") == self._word
        return (b"" if found else held), found
