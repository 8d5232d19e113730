"""A file of receipts: what is written reads the same, and a difference is found by it."""

import random
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socketsuite.wire.merkle import LEAF, leaf_hash
from socketsuite.wire.receipts import (
    BLOCK,
    HEADER,
    LONGEST_LINE,
    BadLineError,
    Key,
    Leaf,
    Receipt,
    locate,
    parse_line,
    read_lines,
)

HASH, SIGNATURE = bytes(range(32)), bytes(range(64))
LINES: list[Any] = [
    Key(HASH),
    Leaf.of("a/ü b", 3, b"x" * 5000),
    Receipt("a/ü b", 201_608, HASH, 1_790_000_000_000),
    Receipt("c", 0, HASH, 0, SIGNATURE),
]
WHOLE = random.Random(1).randbytes(LEAF)


def test_what_is_written_reads_the_same():
    text = HEADER + b"".join(line.encode() for line in LINES)
    assert list(read_lines(BytesIO(text))) == list(enumerate(LINES, 2))
    assert list(read_lines(BytesIO(text.replace(b"\n", b"\r\n")))) == list(enumerate(LINES, 2))
    assert all(len(line.encode()) < LONGEST_LINE for line in LINES)


def test_the_longest_of_lines_is_one():
    stream = "/".join(["ü" * 100] * 2) + "/" + "ü" * 55
    assert len(Leaf.of(stream, (1 << 63) - 1, WHOLE).encode()) < LONGEST_LINE


@pytest.mark.parametrize("cut", range(1, len(LINES[-1].encode())))
def test_a_last_line_that_was_never_finished_is_passed_over(cut):
    text = HEADER + LINES[0].encode() + LINES[-1].encode()[:-cut]
    assert list(read_lines(BytesIO(text))) == [(2, LINES[0])]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"ack",
        b"ack a 1 " + b"a" * 64,
        b"ack a 01 " + b"a" * 64 + b" 1",
        b"ack .. 1 " + b"a" * 64 + b" 1",
        b"ack a 1 " + b"A" * 64 + b" 1",
        b"ack a 1 " + b"a" * 64 + b" 1 AAAA",
        b"ack a 1 " + b"a" * 64 + b" 1 " + b"A" * 88 + b" x",
        b"leaf a 0 0 " + b"a" * 64 + b" ",
        b"leaf a 0 4097 " + b"a" * 64 + b" 00000000",
        b"leaf a 0 65537 " + b"a" * 64 + b" " + b"0" * 136,
        b"leaf a 0 1 " + b"a" * 64 + b" 0000000g",
        b"key AAAA",
        b"\xff",
        b"x" * (LONGEST_LINE + 10),
        b"x" * (40_000),
    ],
)
def test_a_bad_line_is_told_by_its_number_and_the_next_is_read(line):
    text = HEADER + line + b"\n" + LINES[0].encode()
    (first, bad), second = read_lines(BytesIO(text))
    assert first == 2
    assert isinstance(bad, BadLineError)
    assert second == (3, LINES[0])


def test_a_file_of_something_else_is_told_by_its_first_line():
    assert isinstance(next(read_lines(BytesIO(b"%PDF-1.7\n")))[1], BadLineError)
    (_, bad), *rest = read_lines(BytesIO(LINES[0].encode()))
    assert isinstance(bad, BadLineError)
    assert rest == [(1, LINES[0])]


@given(st.binary(max_size=200))
def test_any_bytes_are_a_line_or_are_not(data):
    try:
        line = parse_line(data)
    except BadLineError:
        return
    assert line is None or parse_line(line.encode()[:-1]) == line


@given(st.integers(1, LEAF), st.integers(0, LEAF - 1), st.integers(1, 255))
def test_one_byte_that_differs_is_named(length, place, change):
    place %= length
    right = WHOLE[:length]
    wrong = bytearray(right)
    wrong[place] ^= change
    line = Leaf.of("a", 0, right)
    assert locate(right, line) is None
    assert locate(wrong, line) == (place, place + 1)


@pytest.mark.parametrize(("right", "wrong"), [(0, 1), (0, 255), (255, 0), (254, 255)])
def test_a_byte_at_either_end_of_its_range_is_named(right, wrong):
    data = bytes([right]) * 10
    line = parse_line(Leaf.of("a", 0, data[:1]).encode()[:-1])
    assert isinstance(line, Leaf)
    assert locate(bytes([wrong]), line) == (0, 1)
    changed = data[:4] + bytes([wrong]) + data[5:]
    assert locate(changed, Leaf.of("a", 0, data)) == (4, 5)


def test_of_one_byte_in_each_of_several_blocks_the_first_is_named():
    wrong = bytearray(WHOLE)
    for place in (5 * BLOCK + 7, 9 * BLOCK, LEAF - 1):
        wrong[place] ^= 1
    assert locate(wrong, Leaf.of("a", 0, WHOLE)) == (5 * BLOCK + 7, 5 * BLOCK + 8)


def test_of_several_bytes_in_a_block_the_block_is_named():
    wrong = bytearray(WHOLE)
    wrong[BLOCK + 1 : BLOCK + 100] = bytes(99)
    wrong[LEAF - 1] ^= 1
    assert locate(wrong, Leaf.of("a", 0, WHOLE)) == (BLOCK, 2 * BLOCK)


def test_what_the_locators_do_not_see_is_the_whole_leaf():
    data = bytes(BLOCK)
    swapped = Leaf("a", 0, BLOCK, leaf_hash(b"other"), Leaf.of("a", 0, data).locators)
    assert locate(data, swapped) == (0, BLOCK)


@pytest.mark.parametrize("length", [0, 1, BLOCK, BLOCK + 1, LEAF - 1])
def test_of_a_leaf_cut_short_what_is_there_is_looked_at(length):
    line = Leaf.of("a", 0, WHOLE)
    assert locate(WHOLE[:length], line) is None
    wrong = bytearray(WHOLE[:length])
    wrong[:1] = b"" if not length else bytes([WHOLE[0] ^ 1])
    assert locate(wrong, line) == ((0, BLOCK) if length >= BLOCK else None)


@given(st.binary(max_size=64), st.binary(min_size=8, max_size=8))
def test_locators_that_were_tampered_with_lead_to_no_more_than_a_wrong_place(data, blocks):
    line = Leaf("a", 0, BLOCK + 1, HASH, blocks)
    padded = data + bytes(BLOCK + 1 - len(data))
    found = locate(padded, line)
    assert found is not None
    assert 0 <= found[0] < found[1] <= BLOCK + 1
