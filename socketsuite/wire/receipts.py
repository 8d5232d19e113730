"""A file of receipts: its lines, and how they lead to the first byte that differs.

docs/protocol-ack.md has the format.  A receipt proves what a stream's first bytes are; the lines of
leaves beside it say where to look when they are not.  This module must not know of streams' bytes
as files, nor who sent them.
"""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from socketsuite.wire.acks import (
    Ack,
    BadIdError,
    ProtocolError,
    decode_base64,
    decode_id,
    encode_base64,
    encode_id,
    parse_hash,
    parse_number,
)
from socketsuite.wire.merkle import LEAF, leaf_hash

HEADER = b"socketsuite-receipts 1\n"
BLOCK = 4096
"""Bytes of a leaf that one locator is of."""
LONGEST_LINE = 4096

_MODULUS = 65521  # of Adler-32 (RFC 1950, section 8.2)
_LOCATORS = re.compile(r"(?:[0-9a-f]{8})+")


class BadLineError(ValueError):
    """A line is none of a file of receipts; the text says why."""


@dataclass(frozen=True, slots=True)
class Key:
    """The server's public key, by which the receipts after it are signed."""

    key: bytes

    def encode(self) -> bytes:
        """Return its line."""
        return f"key {encode_base64(self.key)}\n".encode()


@dataclass(frozen=True, slots=True)
class Leaf:
    """One leaf of a stream, by which a difference is found.

    :ivar length: its bytes; fewer than a whole leaf's at the end of the stream.
    :ivar locators: the Adler-32 of each block of :data:`BLOCK` bytes, four bytes each.
    """

    stream: str
    index: int
    length: int
    hash: bytes
    locators: bytes

    @classmethod
    def of(cls, stream: str, index: int, data: bytes | bytearray | memoryview) -> Leaf:
        """Return the line about the leaf that *data* is."""
        return cls(stream, index, len(data), leaf_hash(data), locators(data))

    def encode(self) -> bytes:
        """Return its line."""
        words = (self.index, self.length, self.hash.hex(), self.locators.hex())
        return f"leaf {encode_id(self.stream)} {' '.join(map(str, words))}\n".encode()


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the server said of a stream's first *offset* bytes; see ``Ack``."""

    stream: str
    offset: int
    hash: bytes
    time: int
    signature: bytes | None = None

    def encode(self) -> bytes:
        """Return its line."""
        said = Ack(self.offset, self.hash, self.time, self.signature).encode()
        return b"ack %s %s" % (encode_id(self.stream).encode(), said.removeprefix(b"ACK "))


Line = Key | Leaf | Receipt


def parse_line(raw: bytes) -> Line | None:
    """Return what a line says; ``None`` for the header.

    :param raw: without its end.
    :raises BadLineError: when it is no such line.
    """
    try:
        return _parsed(raw.decode("ascii"))
    except UnicodeDecodeError:
        raise BadLineError("it is not ASCII") from None
    except ProtocolError as error:
        raise BadLineError(error.text) from None
    except BadIdError as error:
        raise BadLineError(str(error)) from None


def _parsed(text: str) -> Line | None:
    match text.split(" "):
        case ["ack", stream, offset, digest, time, *rest] if len(rest) <= 1:
            signature = decode_base64(rest[0], 64) if rest else None
            what = (parse_number(offset), parse_hash(digest), parse_number(time))
            return Receipt(decode_id(stream), *what, signature)
        case ["leaf", stream, index, length, digest, blocks]:
            size = parse_number(length)
            count = -(-size // BLOCK)
            if not 0 < size <= LEAF or _LOCATORS.fullmatch(blocks) is None:
                raise BadLineError("it is no leaf's length, or no locators")
            if len(blocks) != 8 * count:
                raise BadLineError(f"{size} bytes have {count} locators")
            line = parse_number(index), size, parse_hash(digest), bytes.fromhex(blocks)
            return Leaf(decode_id(stream), *line)
        case ["key", key]:
            return Key(decode_base64(key, 32))
    if text == HEADER[:-1].decode():
        return None
    raise BadLineError("it is no line of a file of receipts")


def read_lines(file: IO[bytes]) -> Iterator[tuple[int, Line | BadLineError]]:
    """Yield each line with its number, from 1; a bad one as what is wrong with it.

    The header is not told of.  A last line without its end was never finished, and is not either.
    """
    number = 0
    while raw := file.readline(LONGEST_LINE):
        number += 1
        ended = raw.endswith(b"\n")
        if not ended and len(raw) < LONGEST_LINE:
            return
        try:
            if not ended:
                while (rest := file.readline(io.DEFAULT_BUFFER_SIZE)) and rest[-1:] != b"\n":
                    pass
                raise BadLineError(f"it is longer than {LONGEST_LINE} bytes")
            line = parse_line(raw[:-1].removesuffix(b"\r"))
            if line is None:
                continue
            if number == 1:
                yield number, BadLineError("it is not the first line of a file of receipts")
            yield number, line
        except BadLineError as error:
            yield number, error


def locators(data: bytes | bytearray | memoryview) -> bytes:
    """Return the Adler-32 of each block of a leaf, four bytes each, the most significant first."""
    view = memoryview(data)
    starts = range(0, len(view), BLOCK)
    return b"".join(zlib.adler32(view[at : at + BLOCK]).to_bytes(4, "big") for at in starts)


def locate(data: bytes | bytearray | memoryview, line: Leaf) -> tuple[int, int] | None:
    """Return where *data* first differs from the leaf that *line* is of: start and end therein.

    One byte alone is proven: with it, and one in each later block, put right, the leaf has the
    hash that it should have.  Otherwise it is a block, or the whole leaf when no locator tells.
    Of a leaf that is cut short the blocks that are there are looked at; ``None`` means that
    what is there may well be right.
    """
    whole = len(data) == line.length
    if whole and leaf_hash(data) == line.hash:
        return None
    mended = bytearray(data)
    first: tuple[int, int] | None = None
    exact: int | None = None
    for number, start in enumerate(range(0, line.length, BLOCK)):
        end = min(start + BLOCK, line.length)
        if end > len(data):
            break
        right = int.from_bytes(line.locators[4 * number : 4 * number + 4], "big")
        found = zlib.adler32(mended[start:end])
        if found == right:
            continue
        place = _single_byte(mended, start, end, found, right)
        if first is None:
            first, exact = (start, end), place
    if exact is not None and whole and leaf_hash(mended) == line.hash:
        return exact, exact + 1
    if first is None and whole:
        return 0, line.length
    return first


def _single_byte(data: bytearray, start: int, end: int, found: int, right: int) -> int | None:
    """Put right the one byte that would explain the block's Adler-32; return where it is."""
    delta = ((right & 0xFFFF) - (found & 0xFFFF)) % _MODULUS
    if delta == 0:
        return None
    # The second sum counts a byte as often as there are bytes from it to the end.
    weighted = ((right >> 16) - (found >> 16)) % _MODULUS
    from_end = weighted * pow(delta, -1, _MODULUS) % _MODULUS
    place = end - from_end
    if not start <= place < end:
        return None
    value = (data[place] + delta) % _MODULUS
    if value > 255:
        return None
    data[place] = value
    return place
