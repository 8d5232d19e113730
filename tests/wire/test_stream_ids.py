"""Names of streams on the wire."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socketsuite.wire.stream_ids import BadIdError, check_id, decode_id, encode_id

BAD = ["", "/", "a//b", "a/", "/a", ".", "..", "a/../b", "a/.", "x\n", "\x7f", "\x9b1m", "\ud800",
       "a" * 201, "/".join("a" * 17), "/".join(["a" * 199] * 3)]  # fmt: skip


@pytest.mark.parametrize("stream", BAD, ids=ascii)
def test_what_is_no_id_is_refused(stream):
    with pytest.raises(BadIdError):
        check_id(stream)


@pytest.mark.parametrize(
    "text", ["", "a b", "a!", "%", "%4", "%zz", "%FF", "%2E%2e", "%00", "a%2F%2Fb", "ü"]
)
def test_what_is_no_encoded_id_is_refused(text):
    with pytest.raises(BadIdError):
        decode_id(text)


@pytest.mark.parametrize(
    "stream", ["a", "a" * 200, "/".join("a" * 16), "...", "~tmp", "%41", "ü" * 100]
)
def test_what_is_an_id_comes_back_from_the_wire(stream):
    assert decode_id(encode_id(check_id(stream))) == stream


@given(st.text(max_size=60))
def test_any_id_is_itself_again_and_has_one_form(stream):
    try:
        check_id(stream)
    except BadIdError:
        return
    wire = encode_id(stream)
    assert set(wire) <= set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-/@+=,:~%"
    )
    assert decode_id(wire) == decode_id(wire.lower() if stream.islower() else wire) == stream


def test_hex_is_read_in_either_case_and_written_in_upper():
    assert decode_id("a%c3%bC%41") == "aüA"
    assert encode_id("aü A~") == "a%C3%BC%20A~"
