"""Changes input at random: bits, bytes, words of a dictionary, pieces repeated, moved and joined.

Seeded: a generator in one state makes one input.  It is what the short form in the tests uses,
and half of what atheris tries; the other half are libFuzzer's own mutations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

LONGEST = 4096


def mutated(data: bytes, words: Sequence[bytes], dice: Random, other: bytes = b"") -> bytes:
    """Return *data* after one change or a few, and not longer than :data:`LONGEST`."""
    for _ in range(dice.choice([1, 1, 1, 2, 3, 5])):
        data = dice.choice(_CHANGES)(data, words, dice, other)
    return data[:LONGEST]


def _place(data: bytes, dice: Random) -> tuple[int, int]:
    """Return where a piece of *data* begins and ends: mostly a short one."""
    start = dice.randrange(len(data) + 1)
    return start, min(len(data), start + dice.choice([0, 1, 2, 4, 8, 40, 200]))


def _word(data: bytes, words: Sequence[bytes], dice: Random, other: bytes) -> bytes:
    start, end = _place(data, dice)
    end = dice.choice([start, end])
    return data[:start] + dice.choice(words) + data[end:]


def _line(data: bytes, words: Sequence[bytes], dice: Random, other: bytes) -> bytes:
    some = b" ".join(dice.choice(words) for _ in range(dice.randrange(1, 5)))
    lines = data.split(b"\n")
    lines.insert(dice.randrange(len(lines) + 1), some)
    return b"\n".join(lines)


def _byte(data: bytes, words: Sequence[bytes], dice: Random, other: bytes) -> bytes:
    start, end = _place(data, dice)
    return data[:start] + dice.randbytes(dice.choice([1, 1, 2, 8])) + data[end:]


def _bit(data: bytes, words: Sequence[bytes], dice: Random, other: bytes) -> bytes:
    if not data:
        return data
    at = dice.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << dice.randrange(8))]) + data[at + 1 :]


def _cut(data: bytes, words: Sequence[bytes], dice: Random, other: bytes) -> bytes:
    start, end = _place(data, dice)
    return data[:start] + data[end:]


def _repeat(data: bytes, words: Sequence[bytes], dice: Random, other: bytes) -> bytes:
    start, end = _place(data, dice)
    return data[:end] + data[start:end] * dice.choice([1, 2, 9, 60]) + data[end:]


def _join(data: bytes, words: Sequence[bytes], dice: Random, other: bytes) -> bytes:
    start, _ = _place(data, dice)
    _, end = _place(other, dice)
    return data[:start] + other[end:]


_CHANGES: list[Callable[[bytes, Sequence[bytes], Random, bytes], bytes]] = [
    _word,
    _word,
    _line,
    _byte,
    _bit,
    _cut,
    _repeat,
    _join,
]


def cut_anywhere(data: bytes) -> list[bytes]:
    """Return *data* in pieces, as a network might bring it; the same each time."""
    dice = Random(len(data) ^ sum(data[:64]))
    pieces, at = [], 0
    while at < len(data):
        size = dice.choice([1, 2, 7, 50, 500, 1 << 16])
        pieces.append(data[at : at + size])
        at += size
    return pieces
