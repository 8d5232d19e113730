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
    whole = [_tagged(line, {"batch": reference}, unless=b"batch=") for line in lines]
    start = serialise("BATCH", [f"+{reference}", "labeled-response"], source=server, tags=tag)
    end = serialise("BATCH", [f"-{reference}"], source=server)
    return start + b"\r\n".join([*whole, end])


def middle(word: str) -> str:
    """Return *word* as a middle parameter: not empty, no space, no ``:`` in front."""
    word = word.replace(" ", "_") or "*"
    return f"0{word}" if word[0] == ":" else word


def _is_one_batch(lines: list[bytes]) -> bool:
    first, last = lines[0].split(b" "), lines[-1].split(b" ")
    if first[1:2] != [b"BATCH"] or last[1:2] != [b"BATCH"]:
        return False
    return first[2][1:] == last[2][1:]


def _tagged(line: bytes, tags: Mapping[str, str], unless: bytes = b"") -> bytes:
    text = tags_text(tags).encode()
    if not line.startswith(b"@"):
        return b"@%b %b" % (text, line)
    own = line[1 : line.index(b" ")]
    if unless and any(tag.startswith(unless) for tag in own.split(b";")):
        return line
    return b"@%b;%b" % (text, line[1:])
