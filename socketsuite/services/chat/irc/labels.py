"""Answers as a client can take them: with its label, and with parameters that are none else.

Pure.  After IRCv3's labeled-response.
"""

from __future__ import annotations

from collections.abc import Mapping

from socketsuite.wire.irc import serialise, tags_text


def with_label(wire: bytes, label: str, server: str, reference: str) -> bytes:
    """Return the lines of an answer with the label of what they answer.

    One line, or one batch, has it itself; several lines become a batch; none is acknowledged.

    :param reference: of that batch; no other batch of the client's has it.
    """
    lines, tag = wire.split(b"\r\n")[:-1], {"label": label}
    if not lines:
        return serialise("ACK", source=server, tags=tag)
    if len(lines) == 1 or _is_one_batch(lines):
        return b"\r\n".join([_tagged(lines[0], tag), *lines[1:], b""])
    start = serialise("BATCH", [f"+{reference}", "labeled-response"], source=server, tags=tag)
    tag = {"batch": reference}
    # A batch in this one is of it by its first line; its last has no tags.
    whole = [
        line if _reference(line, b"-") is not None else _tagged(line, tag, unless=b"batch=")
        for line in lines
    ]
    end = serialise("BATCH", [f"-{reference}"], source=server)
    return start + b"\r\n".join([*whole, end])


def middle(word: str) -> str:
    """Return *word* as a middle parameter: not empty, no space, no ``:`` in front."""
    word = word.replace(" ", "_") or "*"
    return f"0{word}" if word[0] == ":" else word


def _is_one_batch(lines: list[bytes]) -> bool:
    reference = _reference(lines[0], b"+")
    return reference is not None and reference == _reference(lines[-1], b"-")


def _reference(line: bytes, sign: bytes) -> bytes | None:
    """Return the reference of the batch that *line* begins (``+``) or ends (``-``)."""
    words = line.split(b" ", 4)
    words = words[1:] if line.startswith(b"@") else words
    return words[2][1:] if words[1:2] == [b"BATCH"] and words[2][:1] == sign else None


def _tagged(line: bytes, tags: Mapping[str, str], unless: bytes = b"") -> bytes:
    text = tags_text(tags).encode()
    if not line.startswith(b"@"):
        return b"@%b %b" % (text, line)
    own = line[1 : line.index(b" ")]
    if unless and any(tag.startswith(unless) for tag in own.split(b";")):
        return line
    return b"@%b;%b" % (text, line[1:])
