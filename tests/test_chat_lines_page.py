"""docs/chat-lines.md: its blocks are played, and its tables are those of the commands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from socketsuite.services.chat.line_commands import COMMANDS
from tests.support.peers import program
from tests.support.transcripts import blocks, play_alone

PAGE = (Path(__file__).parents[1] / "docs" / "chat-lines.md").read_text()


@pytest.mark.parametrize(
    "block", [pytest.param(block, id=str(number)) for number, block in enumerate(blocks(PAGE))]
)
def test_what_the_page_of_the_line_client_shows_happens(block: str, tmp_path: Path) -> None:
    program("nc.openbsd")
    play_alone(block, tmp_path)


def test_every_command_is_in_a_table_as_it_is_used() -> None:
    shown = re.findall(r"`/([^`]+)`", "\n".join(re.findall(r"^\| `/.*", PAGE, re.M)))
    usages = {f"{name} {command.usage}".strip() for name, command in COMMANDS.items()}
    assert {usage.replace("\\|", "|") for usage in shown} == usages
