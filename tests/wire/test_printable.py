"""Nothing one person types commands another person's terminal."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socketsuite.wire.printable import formatted, printable, without_controls


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (b"\x1b[31mred\x07", b"^[[31mred^G"),
        (b"\x00\x7f", b"^@^?"),
        (b"a\rb\nc", b"a^Mb^Jc"),
        ("\u009b31m\u0085".encode(), b"\\x9b31m\\x85"),
        ("a\u2028b\u2029c".encode(), b"a\\u2028b\\u2029c"),
        ("\u202eabc\u2066".encode(), b"\\u202eabc\\u2066"),
        (b"\xff\x9bq", "\ufffd\ufffdq".encode()),
    ],
)
def test_what_commands_a_terminal_becomes_visible(line, shown):
    assert printable(line) == shown


@pytest.mark.parametrize("line", ["", "tab\tand ~", "Сервер получил: привет", "日本 👋 é", "שלום"])
def test_what_people_write_stays(line):
    assert printable(line.encode()) == line.encode()


def test_each_byte_alone_is_seen_as_what_it_is():
    stay = {0x09, *range(0x20, 0x7F)}
    formats = {0x01, 0x02, 0x03, 0x04, 0x0F, 0x11, 0x16, 0x1D, 0x1E, 0x1F}
    for code in range(256):
        byte = bytes([code])
        assert (printable(byte) == byte) == (code in stay)
        assert (formatted(byte) == byte) == (code in stay | formats)


def test_a_plain_line_is_not_even_copied():
    line = b"plain ASCII, with a\ttab"
    assert printable(line) is line


@given(st.binary() | st.text().map(lambda text: text.encode()))
def test_the_result_is_utf8_without_controls_and_stable(line):
    shown = printable(line)
    text = shown.decode("utf-8")
    assert [c for c in text if unicodedata.category(c) == "Cc" and c != "\t"] == []
    assert [c for c in text if unicodedata.bidirectional(c) in {"LRO", "RLO", "LRE", "RLE"}] == []
    assert printable(shown) == shown


@given(st.binary())
def test_clients_of_irc_see_formats_and_nothing_else_that_commands(line):
    formats = dict.fromkeys(b"\1\2\3\4\x0f\x11\x16\x1d\x1e\x1f")
    shown = formatted(line)
    assert printable(line).decode() == printable(shown).decode()
    plain = shown.decode().translate(formats).encode()
    assert printable(plain) == plain


def test_formats_of_irc_go_as_they_are():
    line = b"\x02bold\x0f \x0304red\x03 \x1ditalic\t\x01"
    assert formatted(line) is line
    assert formatted(b"\x02\x1b[2J") == b"\x02^[[2J"


def test_controls_can_be_removed_instead():
    assert without_controls("a\x1b[1mb\u202ec\td") == "a[1mbc\td"
