"""What a sink does with a file that is there already, and of which it knows nothing."""

from __future__ import annotations

import struct

import pytest

from socketsuite.services.filesink.records import headed
from socketsuite.services.filesink.records import record_header as header_of
from socketsuite.wire.headed_records import HeadedRecords
from socketsuite.wire.records import LengthRecords, LineRecords
from tests.support.disk import Disk

LIMIT = 100
LENGTHS = LengthRecords(LIMIT, "drop")
LINES = LineRecords(LIMIT, "drop")


def record(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def with_header(framer, data: bytes) -> bytes:
    pieces, _ = headed([data], framer, header_of("127.0.0.1", 1e9))
    return b"".join(map(bytes, pieces))


@pytest.fixture
def taken_over(tmp_path):
    """Return what is in which file, when *written* came to a file that held *before*."""

    def write(framer, before: bytes, written: bytes) -> dict[str, bytes]:
        (tmp_path / "a").write_bytes(before)
        disk = Disk(tmp_path, framer=framer, longest=LIMIT + 4, journaled=False)
        disk.write(written)
        disk.run()
        with disk.folder:
            return {name: disk.read(name) for name in disk.names()}

    return write


@pytest.mark.parametrize(
    ("framer", "whole", "torn", "new"),
    [
        (LINES, b"one\ntwo\n", b"thr", b"new\n"),
        (LENGTHS, record(b"one") + record(b""), record(b"three")[:-1], record(b"new")),
        (LENGTHS, record(b"one"), b"\0\0", record(b"new")),
    ],
)
def test_a_torn_record_is_cut_off(taken_over, framer, whole, torn, new):
    assert taken_over(framer, whole + torn, new) == {"a": whole + new}
    assert taken_over(framer, whole, new) == {"a": whole + new}


@pytest.mark.parametrize("framer", [LINES, LENGTHS])
@pytest.mark.parametrize("end", [None, -1, -7, -40])
def test_with_headers_a_record_and_its_header_are_cut_off_together(taken_over, framer, end):
    payload = b"a record of some length"
    one = payload + b"\n" if framer is LINES else record(payload)
    whole, last = with_header(framer, one * 2), with_header(framer, one)
    kept = whole if end else whole + last
    found = taken_over(HeadedRecords(framer), whole + last[:end], b"new")
    assert found == {"a": kept + b"new"}


@pytest.mark.parametrize("framer", [LINES, LENGTHS, HeadedRecords(LINES), HeadedRecords(LENGTHS)])
@pytest.mark.parametrize(
    "before", [b"no record at all: " * 1000, bytes(range(11, 256)) * 99], ids=["text", "bytes"]
)
def test_what_is_no_record_is_never_cut_off(taken_over, framer, before):
    found = taken_over(framer, before, b"new\n")
    assert found == {"a": b"new\n", "a~000001": before}


def test_the_end_that_is_cut_off_is_no_longer_than_a_record(taken_over):
    many = b"line\n" * 50000
    assert taken_over(LINES, many + b"x" * LIMIT, b"new\n") == {"a": many + b"new\n"}
    longer = many + b"x" * (LIMIT + 5)
    assert taken_over(LINES, longer, b"new\n") == {"a": b"new\n", "a~000001": longer}
