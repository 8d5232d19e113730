"""Integers, however the network cuts them."""

import struct
import sys
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socketsuite.wire.integers import IntegerFramer, IntegerOverflow, encode, saturate, wrap

SAMPLE = struct.pack("<4i", 1, -1, 2**31 - 1, -(2**31))


@pytest.mark.parametrize("cut", range(len(SAMPLE) + 1))
def test_a_cut_anywhere_changes_nothing(cut):
    framer = IntegerFramer(32)
    found = [*framer.feed(SAMPLE[:cut]), *framer.feed(SAMPLE[cut:])]
    assert found == [1, -1, 2**31 - 1, -(2**31)]
    assert framer.pending == 0


@given(
    st.sampled_from([32, 64]),
    st.lists(st.integers(-(2**31), 2**31 - 1)),
    st.binary(max_size=3),
    st.lists(st.integers(0, 100)),
)
def test_any_chunking_gives_the_same_integers(width, values, rest, cuts):
    data = b"".join(encode(value, width, "close") for value in values) + rest
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    framer = IntegerFramer(width)
    found = [value for a, b in pairwise(edges) for value in framer.feed(data[a:b])]
    assert found == values
    assert framer.pending == len(rest)


def test_64_bits_are_signed_and_little_endian_too():
    assert list(IntegerFramer(64).feed(struct.pack("<2q", -2, 2**62))) == [-2, 2**62]


def test_the_wire_is_little_endian_on_a_big_endian_host_too(monkeypatch):
    native = int.from_bytes(b"\x01\x00\x00\x00", sys.byteorder)
    assert native == 1, "this test is for a little-endian host"
    monkeypatch.setattr(sys, "byteorder", "big")
    # Such a host reads the bytes the other way round, and swaps them back.
    assert list(IntegerFramer(32).feed(b"\x00\x00\x00\x01")) == [1]


@pytest.mark.parametrize(
    ("value", "wrapped", "saturated"),
    [
        (2**31 - 1, 2**31 - 1, 2**31 - 1),
        (-(2**31), -(2**31), -(2**31)),
        (2**31, -(2**31), 2**31 - 1),
        (-(2**31) - 1, 2**31 - 1, -(2**31)),
        (2**32 + 5, 5, 2**31 - 1),
    ],
)
def test_a_value_wraps_or_saturates_at_32_bits(value, wrapped, saturated):
    assert wrap(value, 32) == wrapped
    assert saturate(value, 32) == saturated
    assert encode(value, 32, "wrap") == struct.pack("<i", wrapped)
    assert encode(value, 32, "saturate") == struct.pack("<i", saturated)


@pytest.mark.parametrize("value", [2**31, -(2**31) - 1])
def test_a_value_that_must_not_bend_is_refused(value):
    with pytest.raises(IntegerOverflow, match="32 bits"):
        encode(value, 32, "close")
    assert encode(value, 64, "close") == struct.pack("<q", value)


@given(st.integers(), st.sampled_from([32, 64]))
def test_wrapping_keeps_the_value_modulo_its_width(value, width):
    assert (wrap(value, width) - value) % 2**width == 0
    assert -(2 ** (width - 1)) <= wrap(value, width) < 2 ** (width - 1)
