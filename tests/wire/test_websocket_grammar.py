"""WebSocket's grammar: what an opening offers, what a close says, frames of every length."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socketsuite.wire.websocket import (
    BINARY,
    CloseError,
    Extension,
    HandshakeError,
    accept_deflate,
    accept_value,
    deflate_frame,
    encode_binary,
    encode_close,
    encode_text,
    may_be_sent,
    parse_close,
    parse_opening,
)
from tests.support.websocket_frames import ACCEPT, KEY, take_frame

GOOD = [
    (b"Upgrade", b"websocket"),
    (b"Connection", b"keep-alive, Upgrade"),
    (b"Sec-WebSocket-Key", KEY.encode()),
    (b"Sec-WebSocket-Version", b"13"),
]


def test_an_opening_offers_what_it_says_in_its_order() -> None:
    offer = parse_opening(
        b"GET",
        b"HTTP/1.1",
        [
            *GOOD,
            (b"sec-websocket-protocol", b"chat, irc.ircv3.net"),
            (b"sec-websocket-protocol", b"text"),
            (b"sec-websocket-extensions", b'a; b=1; c="2"; d, e'),
        ],
    )
    assert offer.key == KEY.encode()
    assert offer.subprotocols == ("chat", "irc.ircv3.net", "text")
    assert offer.extensions == (
        Extension("a", (("b", "1"), ("c", "2"), ("d", None))),
        Extension("e"),
    )
    assert accept_value(offer.key).encode() == ACCEPT


@given(
    st.binary(max_size=8),
    st.lists(
        st.tuples(
            st.sampled_from(
                [
                    *(name for name, _ in GOOD),
                    b"sec-websocket-protocol",
                    b"sec-websocket-extensions",
                ]
            ),
            st.binary(max_size=40) | st.sampled_from([value for _, value in GOOD]),
        ),
        max_size=6,
    ),
)
def test_no_headers_are_more_than_refused(
    method: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    for sent in (headers, GOOD + headers):
        for asked in (method, b"GET"):
            assert outcome(asked, sent) in (101, 400, 405, 426)


def outcome(method: bytes, headers: list[tuple[bytes, bytes]]) -> int:
    try:
        offer = parse_opening(method, b"HTTP/1.1", headers)
    except HandshakeError as error:
        return error.status if "\n" not in str(error) else 0
    accept_deflate(offer.extensions)
    return 101


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536])
def test_a_frame_is_what_it_carries(size: int) -> None:
    data = b"x" * size
    for made, opcode in ((encode_text(data), 1), (encode_binary(data), 2)):
        taken = take_frame(made)
        assert taken is not None
        got, rest = taken
        assert (got.opcode, got.payload, got.compressed, rest) == (opcode, data, False, b"")


@given(st.binary(max_size=5000))
def test_a_compressed_frame_needs_a_small_window_and_nothing_before_it(data: bytes) -> None:
    taken = take_frame(deflate_frame(data * 3, BINARY))
    assert taken is not None
    got, rest = taken
    assert (got.opcode, got.compressed, rest) == (BINARY, True, b"")
    assert zlib.decompressobj(-12).decompress(got.payload + b"\0\0\xff\xff") == data * 3


def test_a_close_says_its_code_and_reason_both_ways() -> None:
    for code, reason in ((1000, ""), (4999, "grüße"), (3000, "x" * 123)):
        taken = take_frame(encode_close(code, reason))
        assert taken is not None
        assert parse_close(taken[0].payload) == (code, reason)
    assert parse_close(b"") == (1005, "")
    assert encode_close(1005, "never said") == b"\x88\x00"
    with pytest.raises(CloseError):
        parse_close(b"\x03")


def test_the_codes_that_may_be_sent_are_those_of_the_registry_and_of_programs() -> None:
    assert [code for code in range(3000) if may_be_sent(code)] == [
        *range(1000, 1004),
        *range(1007, 1015),
    ]
    assert all(may_be_sent(code) for code in range(3000, 5000))
    assert not any(may_be_sent(code) for code in (-1, 5000, 65535))
