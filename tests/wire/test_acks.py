"""The acknowledgement protocol's parsers: however the network cuts it, and whatever comes."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socketsuite.wire.acks import (
    LARGEST,
    LONGEST_LINE,
    Ack,
    Data,
    Done,
    End,
    Error,
    Go,
    Held,
    Payload,
    Ping,
    Pong,
    ProtocolError,
    Ready,
    ReplyParser,
    RequestParser,
    Stream,
    Wait,
    encode_base64,
    signed_text,
)

HASH, SIGNATURE, KEY = bytes(range(32)), bytes(range(64)), bytes(range(32, 64))
REQUESTS: list[Any] = [
    Stream("a/b ü%"),
    Data(0, 5),
    b"PING\n",
    Data(5, 1),
    b"\n",
    End(6),
    Ping(),
    Stream("c"),
]
REPLIES: list[Any] = [
    Ready("always", "raw", 1 << 20, 65536),
    Ready("none", "lines", 1, 65536, KEY),
    Held("a/b ü%", 0, HASH),
    Wait("disk-full"),
    Go(),
    Ack(LARGEST, HASH, 1),
    Ack(7, HASH, 1_790_000_000_000, SIGNATURE),
    Pong(),
    Done(7, HASH, 2, SIGNATURE),
    Error("gap", "byte 3  was never sent"),
]
SENT = b"".join(one if isinstance(one, bytes) else one.encode() for one in REQUESTS)
ANSWERED = b"".join(one.encode() for one in REPLIES)


def read(parser, chunks):
    """Return what *parser* finds in *chunks*, a DATA's pieces joined, and the code of its error."""
    found: list[Any] = []
    for chunk in chunks:
        parser.feed(chunk)
        try:
            while (event := parser.next_event()) is not None:
                if isinstance(event, Payload):
                    if isinstance(found[-1], bytes):
                        found[-1] += bytes(event.data)
                    else:
                        found.append(bytes(event.data))
                else:
                    found.append(event)
        except ProtocolError as error:
            return found, error.code
    return found, None


def requests(*chunks, most=1 << 20):
    return read(RequestParser(most), chunks)


def replies(*chunks):
    return read(ReplyParser(), chunks)


def test_a_cut_anywhere_in_requests_changes_nothing():
    for cut in range(len(SENT) + 1):
        assert requests(SENT[:cut], SENT[cut:]) == (REQUESTS, None), cut


def test_a_cut_anywhere_in_replies_changes_nothing():
    for cut in range(len(ANSWERED) + 1):
        assert replies(ANSWERED[:cut], ANSWERED[cut:]) == (REPLIES, None), cut


PIECES = [b"STREAM a\n", b"DATA 0 3\n", b"abc", b"END 3\r\n", b"x", b"\n", b"PING\n", b"9" * 700]


@given(st.lists(st.sampled_from(PIECES)), st.lists(st.integers(0, 900)))
def test_any_chunking_gives_the_same_requests_and_the_same_error(pieces, cuts):
    data = b"".join(pieces)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    assert requests(*(data[a:b] for a, b in pairwise(edges))) == requests(data)


def test_the_reader_may_stop_after_any_message_and_nothing_of_a_payload_is_copied():
    chunk = b"STREAM a\nDATA 0 4\nabcdEND 4\n"
    parser = RequestParser(10)
    parser.feed(chunk)
    assert parser.next_event() == Stream("a")
    parser.feed(b"PING\n")
    assert parser.next_event() == Data(0, 4)
    piece = parser.next_event()
    assert isinstance(piece, Payload)
    assert piece.last
    assert piece.data.obj is chunk
    assert parser.pending == len(b"END 4\nPING\n")
    assert [parser.next_event() for _ in range(3)] == [End(4), Ping(), None]


def test_a_payload_comes_in_pieces_and_only_the_last_is_called_so():
    parser = RequestParser(10)
    pieces = []
    for chunk in (b"STREAM a\nDATA 0 4\na", b"bc", b"dPI"):
        parser.feed(chunk)
        while (event := parser.next_event()) is not None:
            if isinstance(event, Payload):
                pieces.append((bytes(event.data), event.last, parser.torn))
    assert pieces == [(b"a", False, True), (b"bc", False, True), (b"d", True, False)]
    assert parser.torn


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"", "syntax"),
        (b"ping", "syntax"),
        (b"PING 1", "syntax"),
        (b"PING ", "syntax"),
        (b" PING", "syntax"),
        (b"END", "syntax"),
        (b"END 01", "syntax"),
        (b"END -1", "syntax"),
        (b"END +1", "syntax"),
        (b"END 1_0", "syntax"),
        (b"END \xd9\xa1", "syntax"),
        (b"END %d" % (LARGEST + 1), "syntax"),
        (b"END " + b"9" * 1000, "syntax"),
        (b"DATA 0  1", "syntax"),
        (b"DATA 0 0", "syntax"),
        (b"DATA %d 1" % LARGEST, "syntax"),
        (b"DATA 0 11", "too-much"),
        (b"STREAM", "syntax"),
        (b"STREAM a b", "syntax"),
        (b"STREAM ..", "bad-stream"),
        (b"STREAM a!", "bad-stream"),
        (b"STREAM \x00", "syntax"),
        (b"x" * LONGEST_LINE, "too-long"),
    ],
)
def test_a_bad_line_is_told_by_its_code_and_what_came_before_it_is_good(line, code):
    first = b"STREAM a\nEND 0\n"
    assert requests(first + line + b"\nPING\n", most=10) == ([Stream("a"), End(0)], code)


@pytest.mark.parametrize("line", [b"DATA 0 1\n", b"END 0\n"])
def test_bytes_without_a_stream_are_refused(line):
    assert requests(b"PING\n" + line) == ([Ping()], "no-stream")


def test_a_line_of_exactly_the_limit_passes_and_one_without_an_end_is_not_kept():
    longest = Error("gap", "x" * LONGEST_LINE).encode()
    assert len(longest) == LONGEST_LINE
    assert replies(longest)[1] is None
    parser = RequestParser(1)
    parser.feed(b"x" * (LONGEST_LINE - 1))
    assert parser.next_event() is None
    parser.feed(b"x")
    with pytest.raises(ProtocolError, match="too-long") as caught:
        parser.next_event()
    assert (caught.value.code, caught.value.text) == (
        "too-long",
        "a line is longer than 2048 bytes",
    )


@pytest.mark.parametrize(
    "line",
    [
        b"HTTP/1.1 400 Bad Request",
        b"READY 2 sync=always most=1 leaf=65536",
        b"READY 1 sync=always most=0 leaf=65536",
        b"READY 1 most=1 leaf=65536",
        b"READY 1 sync=always most=1 leaf=65536 key=AAAA",
        b"ACK 1 " + b"A" * 64 + b" 1",
        b"ACK 1 " + b"a" * 64,
        b"ACK 1 " + b"a" * 64 + b" 1 " + b"AAAA",
        b"DONE 1 " + b"a" * 64 + b" 1 " + b"A" * 88,
        b"STREAM .. 0 " + b"a" * 64,
        b"WAIT disk full",
        b"ERROR",
        b"ERROR Gap x",
        b"PONG\x1b",
    ],
)
def test_what_no_server_of_this_protocol_says_is_an_error(line):
    found, code = replies(b"GO\n" + line + b"\n")
    assert found == [Go()]
    assert code in ("syntax", "version")


def test_words_of_ready_that_nobody_knows_are_passed_over():
    line = b"READY 1 new=thing sync=always very framing=raw most=5 leaf=65536 x==\n"
    assert replies(line) == ([Ready("always", "raw", 5, 65536)], None)


def test_an_error_for_a_person_stays_one_printable_line():
    assert Error("failed", "a\nPONG \x1b[31m ü").encode() == b"ERROR failed a?PONG ?[31m ?\n"


def test_a_signature_is_over_the_id_as_on_the_wire():
    assert signed_text("a b/ü", 5, HASH, 17) == (
        b"socketsuite-receipt 1\na%20b/%C3%BC\n5\n" + HASH.hex().encode() + b"\n17\n"
    )
    assert encode_base64(b"\xff") == "/w=="
