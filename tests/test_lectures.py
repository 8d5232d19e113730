"""The course by hand, played: each console block, with the real programs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.peers import program
from tests.support.transcripts import Stage, blocks, matches, play_alone, programs

PAGE = (Path(__file__).parents[1] / "docs" / "lectures.md").read_text()
SECTIONS = {part.split(" ", 1)[0]: part for part in re.split(r"^## (?=S\d)", PAGE, flags=re.M)[1:]}
PLAYS = [
    pytest.param(block, id=f"{row}-{number}")
    for row, text in SECTIONS.items()
    for number, block in enumerate(blocks(text))
]
PEERS = ("ncat", "socat", "telnet")


@pytest.mark.parametrize("block", PLAYS)
def test_what_the_course_shows_happens(block: str, tmp_path: Path) -> None:
    program("nc.openbsd")
    for peer in PEERS:
        if re.search(rf"\b{peer}\b", block):
            program(peer)
    play_alone(block, tmp_path)


def test_every_row_of_the_course_has_its_section_in_order() -> None:
    assert list(SECTIONS) == [f"S{number}" for number in range(1, 23)]
    missing = [row for row, text in SECTIONS.items() if not blocks(text)]
    assert all("not there yet" in SECTIONS[row] for row in missing), missing


def test_an_ellipsis_stands_for_anything_and_nothing_else_does() -> None:
    assert matches("at … UTC", "at 08:12:03 UTC")
    assert matches("…", "")
    assert not matches("at … UTC", "at 08:12:03 CET")
    assert not matches("a.c", "abc")


def test_what_does_not_happen_as_shown_is_found(tmp_path: Path) -> None:
    stage = Stage(tmp_path, programs(tmp_path / "bin"))
    stage.play("$ printf 'one\\ntwo\\n'\none\ntwo\n")
    for wrong in ("$ echo one\n", "$ echo one\ntwo\n", "$ true\none\n", "ann walks away\n"):
        with pytest.raises(AssertionError):
            stage.play(wrong)
