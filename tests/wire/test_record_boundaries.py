"""Where the last whole record of a file ends."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socketsuite.wire.records import LengthRecords, LineRecords, RawFramer


@pytest.fixture(scope="module")
def boundary(tmp_path_factory):
    """Return where the last whole record ends of a file with these bytes."""
    path = tmp_path_factory.mktemp("records") / "file"

    def found(framer, data, start=0, end=None):
        path.write_bytes(data)
        with path.open("rb") as file:
            return framer.last_boundary(file, start, len(data) if end is None else end)

    return found


def test_of_raw_bytes_each_is_whole(boundary):
    assert boundary(RawFramer(), b"abc\nd", 2, 4) == 4


@pytest.mark.parametrize("far", [0, 1, 65535, 65536, 65537, 200000])
def test_a_line_is_whole_up_to_its_lf_however_far_that_is(boundary, far):
    data = b"head\n" + b"line\n" + b"x" * far
    lines = LineRecords(9, "drop")
    assert boundary(lines, data) == 10
    assert boundary(lines, data, 5) == 10
    assert boundary(lines, data, 10) == 10
    assert boundary(lines, data, 5, 9) == 5


def test_of_lines_that_are_whole_nothing_is_left_out(boundary):
    assert boundary(LineRecords(9, "drop"), b"a\nb\n" * 50000) == 200000


@given(st.lists(st.binary(max_size=6)), st.integers(0, 100))
def test_records_behind_lengths_are_whole_up_to_their_last_byte(boundary, payloads, end):
    records = [struct.pack(">I", len(one)) + one for one in payloads]
    data = b"".join(records)
    expected = 0
    for record in records:
        if expected + len(record) > min(end, len(data)):
            break
        expected += len(record)
    assert boundary(LengthRecords(9, "drop"), data, 0, min(end, len(data))) == expected


@pytest.mark.parametrize("size", [65531, 65532, 65533, 65536, 300000])
def test_a_record_may_be_longer_than_what_is_read_at_once(boundary, size):
    record = struct.pack(">I", size) + bytes(size)
    many = b"\0\0\0\1a" * 40000
    lengths = LengthRecords(9, "drop")
    data = many + record + many + record[:-1]
    assert boundary(lengths, data) == len(many + record + many)
    assert boundary(lengths, data, len(many), len(many) + 3) == len(many)
    assert boundary(lengths, data[: len(many + record) + 2]) == len(many + record)


@pytest.mark.parametrize("framer", [LineRecords(9, "drop"), LengthRecords(9, "drop")])
def test_a_file_that_is_shorter_than_was_said_ends_where_it_ends(boundary, framer):
    assert boundary(framer, b"", 0, 100000) == 0
