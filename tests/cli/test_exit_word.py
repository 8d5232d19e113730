"""The exit word is found however the typed bytes were cut."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from socketsuite.cli.exit_word import ExitWord


def feed_all(word: ExitWord, chunks: list[bytes]) -> tuple[bytes, bool]:
    passed = b""
    for chunk in chunks:
        data, found = word.feed(chunk)
        passed += data
        if found:
            return passed, True
    data, found = word.end()
    return passed + data, found


def expected(typed: bytes, word: bytes) -> tuple[bytes, bool]:
    passed = b""
    for line in typed.splitlines(keepends=True):
        if line.removesuffix(b"\n").removesuffix(b"\r") == word:
            return passed, True
        passed += line
    return passed, False


def test_the_word_is_found_at_every_split() -> None:
    typed = b"one\nexit\ntwo"
    for cut in range(len(typed)):
        assert feed_all(ExitWord(b"exit"), [typed[:cut], typed[cut:]]) == (b"one\n", True)


def test_a_beginning_of_the_word_waits_and_anything_else_does_not() -> None:
    word = ExitWord(b"exit")
    assert word.feed(b"ex") == (b"", False)
    assert word.feed(b"am") == (b"exam", False)
    assert word.feed(b"exit") == (b"exit", False)


@given(st.lists(st.sampled_from([b"e", b"x", b"ex", b"exit", b"it", b"\r\n", b"\n", b" "])))
def test_it_agrees_with_reading_the_whole_text_at_once(chunks: list[bytes]) -> None:
    typed = b"".join(chunks)
    assert feed_all(ExitWord(b"exit"), chunks) == expected(typed, b"exit")
