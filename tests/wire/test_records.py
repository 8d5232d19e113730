"""Records, however the network cuts them."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from socketsuite.wire.records import LengthRecords, LineRecords, RawFramer, new_framer

LIMIT = 5
LINES = b"one\n\ntw\ro\r\n12345\n123456\n\n1234567890123\nrest"
LENGTHS = b"".join(
    struct.pack(">I", len(one)) + one for one in [b"one", b"", b"12345", b"123456", b"x" * 30, b"y"]
)


def framed(framing, overlong, chunks, limit=LIMIT, kind=bytes):
    """Return the records of all pieces, then those of the end, and what was counted."""
    framer = new_framer(framing, limit, overlong)
    pieces = []
    for chunk in chunks:
        lent = kind(chunk)
        pieces += [bytes(piece) for piece in framer.feed(lent)]
        assert framer.pending <= limit + 4
    assert all(list(framer.records(piece)) for piece in pieces)
    records = [record for piece in pieces for record in framer.records(piece)]
    assert b"".join(records) == b"".join(pieces)
    records += framer.finish()
    assert framer.pending == 0
    return records, framer.dropped, framer.cut, framer.torn


def expected_of_lines(data, overlong, limit=LIMIT):
    *lines, rest = data.split(b"\n")
    lines += [rest] if rest else []
    long = sum(len(line) > limit for line in lines)
    if overlong == "cut":
        return [line[:limit] + b"\n" for line in lines], 0, long, 0
    return [line + b"\n" for line in lines if len(line) <= limit], long, 0, 0


def expected_of_lengths(data, overlong, limit=LIMIT):
    records, dropped, cut, torn = [], 0, 0, 0
    while data:
        length = int.from_bytes(data[:4], "big")
        payload, whole = data[4 : 4 + length], len(data) >= 4 + length
        kept = payload[:limit]
        if len(data) < 4:
            torn += 1
        elif length <= limit:
            torn += not whole
            records += [data[: 4 + length]] if whole else []
        elif overlong == "drop":
            dropped += 1
        elif len(kept) == limit:
            cut += 1
            records.append(struct.pack(">I", limit) + kept)
        else:
            torn += 1
        data = data[4 + length :] if whole and len(data) >= 4 else b""
    return records, dropped, cut, torn


NAIVE = {"lines": expected_of_lines, "length": expected_of_lengths}
SAMPLES = [("lines", LINES), ("length", LENGTHS + b"\0\0\0\5abc")]


def in_chunks(data, cuts):
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


@pytest.mark.parametrize("overlong", ["drop", "cut"])
@pytest.mark.parametrize(("framing", "data"), SAMPLES, ids=["lines", "length"])
def test_two_cuts_anywhere_change_nothing(framing, data, overlong):
    expected = NAIVE[framing](data, overlong)
    for first in range(len(data) + 1):
        for second in range(first, len(data) + 1):
            assert framed(framing, overlong, in_chunks(data, [first, second])) == expected


@pytest.mark.parametrize("overlong", ["drop", "cut"])
@pytest.mark.parametrize(("framing", "data"), SAMPLES, ids=["lines", "length"])
def test_the_sender_may_end_anywhere(framing, data, overlong):
    for end in range(len(data) + 1):
        expected = NAIVE[framing](data[:end], overlong)
        assert framed(framing, overlong, [data[:end]]) == expected
        assert framed(framing, overlong, [bytes([byte]) for byte in data[:end]]) == expected


@given(
    st.lists(st.sampled_from([b"a", b"bcd", b"\r", b"\n", b"\n\n", b"x" * 300])),
    st.lists(st.integers(0, 900), max_size=8),
    st.sampled_from([1, 2, 5, 299, 300, 301, 1000]),
    st.sampled_from(["drop", "cut"]),
    st.sampled_from([bytes, memoryview]),
)
def test_any_chunks_give_the_lines_that_a_simple_split_gives(pieces, cuts, limit, overlong, kind):
    data = b"".join(pieces)
    chunks = in_chunks(data, cuts)
    found = framed("lines", overlong, chunks, limit, kind)
    assert found == expected_of_lines(data, overlong, limit)


@given(
    st.lists(st.binary(max_size=12)),
    st.binary(max_size=12),
    st.lists(st.integers(0, 200), max_size=8),
    st.integers(1, 12),
    st.sampled_from(["drop", "cut"]),
    st.sampled_from([bytes, memoryview]),
)
@example([], b"\xff\xff\xff\xff\0", [], 1, "cut", bytes)
def test_any_chunks_give_the_records_that_their_lengths_say(
    payloads, rest, cuts, limit, overlong, kind
):
    data = b"".join(struct.pack(">I", len(one)) + one for one in payloads) + rest
    found = framed("length", overlong, in_chunks(data, cuts), limit, kind)
    assert found == expected_of_lengths(data, overlong, limit)


def test_raw_bytes_pass_as_they_come():
    assert framed("raw", "drop", [b"ab\n", b"", b"c"]) == ([b"ab\n", b"c"], 0, 0, 0)


@pytest.mark.parametrize("kind", [bytes, memoryview])
def test_a_chunk_of_ordinary_lines_is_two_pieces(kind):
    framer = LineRecords(100, "drop")
    assert framer.feed(kind(b"begun")) == []
    first, rest = framer.feed(kind(b" line\n" + b"another\n" * 1000 + b"the ne"))
    assert (first, rest) == (b"begun line\n", b"another\n" * 1000)
    assert framer.pending == 6


@pytest.mark.parametrize("kind", [bytes, memoryview])
@pytest.mark.parametrize(
    ("framer", "data"),
    [
        (LineRecords(100, "drop"), b"a line\n" * 9),
        (LengthRecords(100, "drop"), b"\0\0\0\3abc" * 9),
        (RawFramer(), b"any"),
    ],
    ids=["lines", "length", "raw"],
)
def test_a_chunk_of_whole_records_is_not_copied(framer, data, kind):
    lent = kind(data)
    (piece,) = framer.feed(lent)
    assert piece is lent


def test_a_cut_line_is_given_out_before_its_end_has_come():
    framer = LineRecords(3, "cut")
    assert framer.feed(b"abc") == []
    assert framer.feed(b"d") == [b"abc\n"]
    assert framer.feed(b"efg\nh\n") == [b"h\n"]


@pytest.mark.parametrize("framing", ["lines", "length"])
def test_an_unfinished_record_of_who_breaks_off_is_left_out_and_counted(framing):
    framer = new_framer(framing, 10, "drop")
    assert framer.feed(b"\0\0\0\3") == []
    framer.abandon()
    assert (framer.pending, framer.torn, framer.finish()) == (0, 1, [])
    framer.abandon()
    assert framer.torn == 1


def test_a_length_near_4_gib_holds_no_memory():
    framer = LengthRecords(8, "cut")
    assert framer.feed(b"\xff\xff\xff\xff" + b"x" * 100000) == [b"\0\0\0\x08xxxxxxxx"]
    assert framer.pending == 0
    assert framer.cut == 1
