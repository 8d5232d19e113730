"""Wrong inputs, made from right ones by a seeded generator, and made shorter again.

Pure: the same seed gives the same inputs.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

LONGEST = 1 << 15
"""Bytes of the longest input made."""

_INTERESTING = (
    b"\0",
    b"\xff",
    b"\n",
    b"\r\n",
    b"\r",
    b"\x1b[2J",
    b"%s%n",
    b"-1",
    b"99999999999999999999",
    b"\xff\xfe",
    b"\x80\x80\x80\x80",
    b"\xff\xff\xff\xff",
    b"\0\0\0\0",
    b"\xc3\x28",
)


def mutations(seeds: Sequence[bytes], seed: int, count: int) -> Iterator[bytes]:
    """Yield the seeds as they are, and then *count* inputs made from them.

    :param seed: of the generator.
    """
    yield from seeds
    chance = random.Random(seed)
    material = [one for one in seeds if one] or [b"x"]
    for _ in range(count):
        data = chance.choice(material)
        for _ in range(chance.choice((1, 1, 1, 2, 4))):
            data = chance.choice(_WAYS)(chance, data, material)[:LONGEST]
        yield data[:LONGEST]


def _flip_a_bit(chance: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    if not data:
        return b"\0"
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]


def _cut(chance: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    start, end = sorted(chance.randrange(len(data) + 1) for _ in range(2))
    return data[:start] + data[end:]


def _end_early(chance: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    return data[: chance.randrange(len(data) + 1)]


def _insert(chance: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + chance.choice(_INTERESTING) + data[at:]


def _insert_noise(chance: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    at = chance.randrange(len(data) + 1)
    return data[:at] + chance.randbytes(chance.choice((1, 4, 64))) + data[at:]


def _repeat(chance: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    start, end = sorted(chance.randrange(len(data) + 1) for _ in range(2))
    times = chance.choice((1, 7, 1000))
    most = LONGEST // max(1, end - start) + 1  # of a long piece a thousand would be gigabytes
    return data[:end] + data[start:end] * min(times, most) + data[end:]


def _splice(chance: random.Random, data: bytes, material: Sequence[bytes]) -> bytes:
    other = chance.choice(material)
    return data[: chance.randrange(len(data) + 1)] + other[chance.randrange(len(other) + 1) :]


def _noise(chance: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    return chance.randbytes(chance.randrange(1, 2 + len(data)))


_WAYS = (_flip_a_bit, _cut, _end_early, _insert, _insert_noise, _repeat, _splice, _noise)


def shortest(data: bytes, fails: Callable[[bytes], bool], tries: int = 80) -> bytes:
    """Return a shorter input that fails, too: pieces are left out, larger ones first.

    :param fails: whether an input fails; asked at most *tries* times, which bounds the search
        and not the result's truth: what is returned was seen to fail.
    """
    size = len(data) // 2
    while size and tries > 0:
        at = 0
        while at < len(data) and tries > 0:
            shorter = data[:at] + data[at + size :]
            tries -= 1
            if fails(shorter):
                data = shorter
            else:
                at += size
        size //= 2
    return data
