"""docs/chat-web.md: its slash commands are those of the line frontend."""

from __future__ import annotations

import re
from pathlib import Path

from socketsuite.services.chat.line_commands import COMMANDS

PAGE = Path(__file__).parents[1] / "socketsuite/services/chat/web/page"
# What there is by lines alone: nobody asks for an account by JSON.
LINES_ONLY = {"register"}


def test_the_page_has_the_commands_of_the_line_frontend() -> None:
    table = (PAGE / "commands.js").read_text().partition("export const COMMANDS = {")[2]
    named = set(re.findall(r"^  '?([\w-]+)'?: \['", table.partition("};")[0], re.M))
    assert set(COMMANDS) - LINES_ONLY <= named
