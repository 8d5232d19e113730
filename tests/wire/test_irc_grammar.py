"""IRC's grammar: lines and modes, whatever is sent."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from socketsuite.wire.irc import (
    LONGEST_BODY,
    BadLineError,
    Line,
    ModeKinds,
    cut,
    modes_text,
    packed,
    parse,
    parse_modes,
    parse_tags,
    pieces,
    serialise,
    tags_text,
)
from socketsuite.wire.lines import LineFramer

KINDS = ModeKinds("beI", "kov", "l", "imnt")
SAFE = st.characters(
    exclude_categories=["Cc", "Zl", "Zp"],
    exclude_characters="\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",
    codec="utf-8",
)
TEXT = st.text(SAFE)
WORD = st.text(SAFE, min_size=1).filter(lambda word: word[0] != ":" and " " not in word)
SENT = b"@a=1;+b=\\:\\s PRIVMSG #x :hi there\r\nNICK bob\r\n:src JOIN  #a,#b key\r\n"


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        (b"nick bob", Line("NICK", ["bob"])),
        (b":me PRIVMSG  #x  :a  :b", Line("PRIVMSG", ["#x", "a  :b"], {}, "me")),
        (b"PRIVMSG #x ::)", Line("PRIVMSG", ["#x", ":)"])),
        (b"AWAY :", Line("AWAY", [""])),
        (b"TOPIC #a:b", Line("TOPIC", ["#a:b"])),
        (b"@a=\\s\\x\\;b;c= TAGMSG x", Line("TAGMSG", ["x"], {"a": " x", "b": "", "c": ""})),
        (b"  LIST ", Line("LIST")),
    ],
)
def test_a_line_has_these_parts(raw: bytes, line: Line) -> None:
    assert parse(raw) == line


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "malformed"),
        (b":only", "malformed"),
        (b"A\0B", "malformed"),
        (b"N\xc3\x84 x", "malformed"),
        (b"PRIVMSG x :\xff", "utf8"),
        (b"PRIVMSG x :" + b"y" * 500, "too_long"),
        (b"@" + b"y" * 4096 + b" PING x", "too_long"),
        (b"X " + b"a " * 16, "malformed"),
    ],
)
def test_what_is_no_line_is_refused_for_that_reason(raw: bytes, code: str) -> None:
    with pytest.raises(BadLineError) as caught:
        parse(raw)
    assert caught.value.code == code


def test_a_line_may_be_510_bytes_long_beside_its_tags() -> None:
    body = b"PRIVMSG x :".ljust(510, b"y")
    assert parse(b"@" + b"t" * 4094 + b" " + body).parameters[1] == "y" * 499


@pytest.mark.parametrize("at", range(len(SENT) + 1))
def test_a_cut_anywhere_changes_no_line(at: int) -> None:
    framer = LineFramer(4608)
    lines = [parse(raw) for part in (SENT[:at], SENT[at:]) for raw in framer.feed(part)]
    assert lines == [
        Line("PRIVMSG", ["#x", "hi there"], {"a": "1", "+b": "; "}),
        Line("NICK", ["bob"]),
        Line("JOIN", ["#a,#b", "key"], {}, "src"),
    ]


@given(st.binary(max_size=600))
def test_any_bytes_are_a_line_or_a_reason(raw: bytes) -> None:
    try:
        line = parse(raw)
    except BadLineError:
        return
    assert line.command
    assert len(line.parameters) <= 15


@given(st.lists(WORD, max_size=13), TEXT, st.dictionaries(st.sampled_from("abc"), TEXT))
def test_what_is_serialised_is_parsed_as_it_was(
    words: list[str], last: str, tags: dict[str, str]
) -> None:
    raw = serialise("PRIVMSG", [*words, last], source="a!b@c", tags=tags)
    body = raw[raw.index(b" ") + 1 :] if tags else raw
    assert len(body) <= LONGEST_BODY
    if len(body) < LONGEST_BODY - 4 and len(tags_text(tags).encode()) < 4000:
        assert parse(raw[:-2]) == Line("PRIVMSG", [*words, last], tags, "a!b@c")


@given(st.dictionaries(st.from_regex(r"\+?[ab/]+", fullmatch=True), st.text(SAFE, max_size=9)))
def test_tags_are_read_as_they_were_written(tags: dict[str, str]) -> None:
    assert parse_tags(tags_text(tags)) == tags


def test_what_commands_a_terminal_goes_out_visible_and_formats_go_as_they_are() -> None:
    wire = serialise("TOPIC", ["a\x1bb", "\x02bold\x0f \x1b[2J\x9b \u202e"], tags={"+a": "\x1b\r"})
    assert wire.decode() == ("@+a=^[\\r TOPIC a^[b :\x02bold\x0f ^[[2J\\x9b \\u202e\r\n")


def test_what_cannot_be_a_tag_s_key_is_no_tag() -> None:
    assert parse_tags("+a/b.c-1=x;\x1b=1;+=2;ñ;a+b=3;=4;ok") == {"+a/b.c-1": "x", "ok": ""}


def test_nobody_s_text_becomes_another_line() -> None:
    assert serialise("NOTICE", ["x", "a\r\nQUIT\0"]) == b"NOTICE x :a  QUIT \r\n"


@given(st.text(), st.integers(0, 40))
def test_a_cut_text_is_whole_characters(text: str, most: int) -> None:
    short = cut(text.encode("utf-8", "replace"), most)
    assert len(short) <= most
    assert text.encode("utf-8", "replace").startswith(short)
    short.decode()


@given(st.text(min_size=1), st.integers(4, 40))
def test_pieces_are_the_text_again(text: str, most: int) -> None:
    raw = text.encode("utf-8", "replace")
    parts = pieces(raw, most)
    assert b"".join(parts) == raw
    assert all(0 < len(part) <= most for part in parts)
    [part.decode() for part in parts]


@given(st.lists(st.text("abñ", min_size=1, max_size=9)), st.integers(18, 30))
def test_packed_words_are_all_there_and_fit(words: list[str], room: int) -> None:
    texts = packed(words, room)
    assert " ".join(texts).split() == words
    assert all(len(text.encode()) <= room for text in texts)


def test_modes_take_the_parameters_that_are_theirs() -> None:
    found = parse_modes("+ok-l+lb-kZ+b", ["bob", "key", "5", "*!*@x", "gone"], KINDS)
    assert [(c.sign, c.letter, c.about) for c in found] == [
        (True, "o", "bob"),
        (True, "k", "key"),
        (False, "l", None),
        (True, "l", "5"),
        (True, "b", "*!*@x"),
        (False, "k", "gone"),
        (False, "Z", None),
        (True, "b", None),
    ]


def test_modes_are_written_with_a_sign_where_it_changes() -> None:
    changes = [(True, "o", "bob"), (True, "m", None), (False, "b", "x!*@*")]
    assert modes_text(changes) == ["+om-b", "bob", "x!*@*"]


@pytest.mark.parametrize(
    "raw",
    [b"@" + b"a=\\s;" * 800, b"@" + b";" * 4000, b" " * 65536, b"x " * 32768, b":" * 65536],
)
def test_the_worst_lines_cost_little(raw: bytes) -> None:
    began = time.perf_counter()
    with pytest.raises(BadLineError):
        parse(raw)
    assert time.perf_counter() - began < 0.05
