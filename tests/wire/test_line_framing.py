"""Lines, however the network cuts them."""

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socketsuite.wire.lines import LineFramer, LineTooLong

SAMPLE = b"one\r\n\ntw\ro\r\r\n\r\nthree\nrest"
LINES = [b"one", b"", b"tw\ro\r", b"", b"three"]


def fed(chunks, max_length=100):
    """Return the lines, whether the framer refused, and what still waits."""
    framer = LineFramer(max_length)
    lines: list[bytes] = []
    for chunk in chunks:
        try:
            lines += framer.feed(chunk)
        except LineTooLong as error:
            return lines + error.lines, True, 0
    return lines, False, framer.pending


@pytest.mark.parametrize("cut", range(len(SAMPLE) + 1))
def test_a_cut_anywhere_changes_nothing(cut):
    assert fed([SAMPLE[:cut], SAMPLE[cut:]]) == (LINES, False, 4)


def test_a_byte_at_a_time_changes_nothing():
    assert fed([bytes([byte]) for byte in SAMPLE]) == (LINES, False, 4)


@given(
    st.lists(st.sampled_from([b"a", b"bcd", b"\r", b"\n", b"\r\n", b"efghij"])),
    st.lists(st.integers(0, 60)),
    st.integers(1, 8),
)
def test_any_chunking_gives_the_same_lines_and_the_same_refusal(pieces, cuts, limit):
    data = b"".join(pieces)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    chunks = [data[a:b] for a, b in pairwise(edges)]
    assert fed(chunks, limit) == fed([data], limit)


def test_a_line_of_exactly_the_limit_passes_with_either_terminator():
    assert fed([b"12345\n", b"12345\r", b"\n"], 5) == ([b"12345", b"12345"], False, 0)


@pytest.mark.parametrize("data", [b"123456\n", b"123456\r\n", b"123456", b"12345\r\r", b"12345\rx"])
def test_a_line_over_the_limit_is_refused_with_or_without_its_end(data):
    with pytest.raises(LineTooLong) as caught:
        LineFramer(5).feed(b"a\nb\r\n" + data)
    assert caught.value.lines == [b"a", b"b"]
    assert caught.value.limit == 5


def test_lines_behind_an_overlong_one_are_not_returned():
    with pytest.raises(LineTooLong) as caught:
        LineFramer(5).feed(b"a\n123456\nb\n")
    assert caught.value.lines == [b"a"]


def test_an_endless_line_is_refused_at_the_limit_whatever_the_pieces():
    framer = LineFramer(1000)
    framer.feed(b"x" * 999)
    assert framer.pending == 999
    framer.feed(b"x")
    with pytest.raises(LineTooLong):
        framer.feed(b"x")
    assert framer.pending == 0


def test_a_line_is_too_long_though_none_of_its_pieces_is():
    framer = LineFramer(8)
    assert framer.feed(b"12345") == []
    with pytest.raises(LineTooLong) as caught:
        framer.feed(b"6789\nb\n")
    assert caught.value.lines == []
    framer = LineFramer(8)
    assert framer.feed(b"1234") == []
    assert framer.feed(b"5678\r\n") == [b"12345678"]


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param([b"\n" * (1 << 20)], id="a million empty lines in one chunk"),
        pytest.param([b"x"] * (1 << 19) + [b"\n"], id="a huge line byte by byte"),
    ],
)
def test_time_is_linear(chunks):
    framer = LineFramer(1 << 20)
    began = time.process_time()
    for chunk in chunks:
        framer.feed(chunk)
    # About 0.2 s on a slow machine; a quadratic framer takes minutes.
    assert time.process_time() - began < 5
