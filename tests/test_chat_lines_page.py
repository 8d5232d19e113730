"""docs/chat-lines.md and chat-moderation.md: their blocks are played, and the tables are true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from socketsuite.services.chat.line_commands import COMMANDS
from socketsuite.services.chat.web.fields import MODE_LETTERS
from socketsuite.services.chat.web.requests import REQUESTS
from tests.support.peers import program
from tests.support.transcripts import blocks, play_alone

DOCS = Path(__file__).parents[1] / "docs"
LINES = (DOCS / "chat-lines.md").read_text()
MODERATION = (DOCS / "chat-moderation.md").read_text()


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(block, id=f"{name}-{number}")
        for name, page in (("lines", LINES), ("moderation", MODERATION))
        for number, block in enumerate(blocks(page))
    ],
)
def test_what_the_pages_show_happens(block: str, tmp_path: Path) -> None:
    program("nc.openbsd")
    play_alone(block, tmp_path)


def test_every_command_is_in_a_table_as_it_is_used() -> None:
    shown = re.findall(r"`/([^`]+)`", "\n".join(re.findall(r"^\| `/.*", LINES, re.M)))
    usages = {f"{name} {command.usage}".strip() for name, command in COMMANDS.items()}
    assert {usage.replace("\\|", "|") for usage in shown} == usages


def test_what_moderates_is_called_what_it_is() -> None:
    rows = [line.split("|")[4] for line in MODERATION.splitlines() if line.startswith("| ")][2:]
    named = {word for row in rows for word in re.findall(r"`([a-z-]+)`", row)}
    assert named <= {*REQUESTS, *MODE_LETTERS}
    assert len(named) > 10
