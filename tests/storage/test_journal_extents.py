"""Extents that are written anew: fewer lines, and the same bytes of each stream."""

from __future__ import annotations

import binascii
import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from socketsuite.storage import journal_extents
from socketsuite.storage.journal_file import compacted, lines_of
from socketsuite.storage.journal_lines import (
    HEADER,
    Entry,
    Extent,
    FileAdded,
    FileGone,
    JournalError,
    Skipped,
    StreamAdded,
    StreamGone,
    decode,
    encode,
    encode_pieces,
    read,
)
from socketsuite.storage.journal_state import JournalState, add_extent, cut_extents

BEGUN: list[Entry] = [
    *(FileAdded(file, f"f{file}", file, 0) for file in (1, 2)),
    *(StreamAdded(stream, f"s{stream}") for stream in (1, 2, 3)),
]


@st.composite
def journals(draw: st.DrawFn) -> bytes:
    """Draw what a sink may have said: records of three streams in two files, losses, failures."""
    lines = [encode(BEGUN)]
    offsets, ends, gone = {1: 0, 2: 0, 3: 0}, {1: 0, 2: 0}, set[int]()
    steps = st.tuples(st.integers(0, 9), st.integers(1, 3), st.integers(1, 2), st.integers(1, 9))
    for what, stream, file, length in draw(st.lists(steps, max_size=60)):
        if what == 0 and stream not in gone and offsets[stream]:
            offsets[stream] = max(0, offsets[stream] - length)
            lines.append(encode([Skipped(stream, offsets[stream])]))
        elif what == 1 and stream == 3:
            lines.append(encode([StreamGone(stream)]) if stream not in gone else b"damaged\n")
            gone.add(stream)
        elif stream not in gone:
            lines.append(encode([Extent(stream, offsets[stream], length, file, ends[file])]))
            offsets[stream] += length
            ends[file] += length + (what == 2)
    if draw(st.booleans()):
        lines.append(encode([FileGone(2)]))
    return HEADER + b"".join(lines)


def meaning(text: bytes) -> tuple[dict[int, int], dict[tuple[int, int], tuple[int, int]]]:
    """Return how far streams are, and for each of their bytes where it lies."""
    state, extents = state_of(text), dict[int, list[Extent]]()
    for entries in read(io.BytesIO(text[len(HEADER) :])):
        for one in [] if isinstance(entries, JournalError) else entries:
            if isinstance(one, Extent):
                add_extent(extents.setdefault(one.stream, []), one)
            elif isinstance(one, Skipped):
                cut_extents(extents.setdefault(one.stream, []), one.offset)
    where = {
        (number, one.offset + byte): (one.file, one.at + byte)
        for number, stream in state.streams.items()
        for one in extents.get(number, [])
        if one.file in state.files
        for byte in range(one.length)
        if one.offset + byte < stream.offset
    }
    return {number: stream.offset for number, stream in state.streams.items()}, where


def state_of(text: bytes) -> JournalState:
    state = JournalState()
    for entries in read(io.BytesIO(text[len(HEADER) :])):
        if not isinstance(entries, JournalError):
            state.apply(entries)
    return state


def anew(text: bytes) -> bytes:
    return b"".join(compacted(state_of(text), io.BytesIO(text)))


# What was sent again is in a file that is gone: what was lost before does not come back.
SENT_AGAIN_AND_GONE = HEADER + b"".join(
    encode(entries)
    for entries in (BEGUN, [Extent(1, 0, 1, 1, 0)], [Skipped(1, 0)], [Extent(1, 0, 1, 2, 0)])
)


@example(most=1, journal=SENT_AGAIN_AND_GONE + encode([FileGone(2)]))
@given(most=st.sampled_from([1, 3, 500]), journal=journals())
def test_what_is_written_anew_says_the_same_once_and_twice(most: int, journal: bytes) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal_extents, "_MOST_OF_A_LINE", most)
        patch.setattr(journal_extents, "_MOST_OF_ALL", 4 * most)
        once = anew(journal)
        assert meaning(once) == meaning(journal)
        assert meaning(anew(once)) == meaning(journal)


def test_small_records_between_others_take_a_few_bytes_each() -> None:
    lines = [
        encode([Extent(1 + record % 2, record // 2 * 100, 100, 1, record * 100)])
        for record in range(10_000)
    ]
    journal = HEADER + encode(BEGUN) + b"".join(lines)
    once = anew(journal)
    assert len(once) < 9 * 10_000 < len(journal) / 3
    # What was written so before is copied.
    added = encode([Extent(1, 500_000, 7, 2, 0)])
    twice = anew(once + added)
    assert set(once.splitlines()) - set(twice.splitlines()) == set()
    assert added in lines_of(io.BytesIO(twice))


@given(st.data())
def test_pieces_are_whole_or_nothing(data: st.DataObject) -> None:
    extents = [Extent(1, 0, 5, 2, 9), Extent(1, 5, 7, 2, 100), Extent(1, 12, 1, 2, 108)]
    line = encode_pieces(extents)
    assert decode(line[:-1]) == extents
    assert b"M 1 0 13 2 9 5,86,7,1,1" in line
    at = data.draw(st.integers(0, len(line) - 2))
    damaged = line[:at] + bytes([data.draw(st.integers(0, 255))]) + line[at + 1 :]
    if damaged != line:
        with pytest.raises(JournalError):
            decode(damaged[:-1])


@pytest.mark.parametrize(
    "said",
    ["M 1 0 13 2 9 5,86,7,1,2", "M 1 0 12 2 9 5,86,7,1", "M 1 0 5 2 9 ", "M 1 0 5 2 9 -5", "M 1"],
)
def test_pieces_that_cannot_be_are_an_error(said: str) -> None:
    body = said.encode()
    line = b"%08x %s" % (binascii.crc32(body), body)
    with pytest.raises(JournalError):
        decode(line)
