"""Writes the tables of docs/chat-irc.md anew, from those that the IRC frontend obeys.

python -m tools.irc_page docs/chat-irc.md
"""

from __future__ import annotations

import sys
from pathlib import Path

from socketsuite.services.chat.irc.capabilities import CAPABILITIES
from socketsuite.services.chat.irc.server import USER_MODES
from socketsuite.services.chat.irc.tables import COMMANDS
from socketsuite.services.chat.room import FLAGS, LISTS
from tools.marked_tables import table, with_tables


def tables() -> dict[str, str]:
    """Return the tables by their names, as they stand between the page's marks."""
    return {
        "commands": table(
            ("command", "what it does", "who"),
            [
                (f"`{name} {one.usage}`".replace(" `", "`"), one.about, _who(name))
                for name, one in COMMANDS.items()
            ],
        ),
        "capabilities": table(
            ("capability", "what a client has of it"),
            [(f"`{name}`", one.about) for name, one in CAPABILITIES.items()],
        ),
        "room modes": table(
            ("mode", "what it is"),
            [
                ("`o NICK`", "operator of the room"),
                ("`v NICK`", "voice: speaks where the room is moderated"),
                ("`k KEY`", "a key, without which nobody comes in"),
                ("`l NUMBER`", "how many may be in"),
                *((f"`{letter}`", about) for letter, about in FLAGS.items()),
                *((f"`{letter} MASK`", about) for letter, about in LISTS.items()),
            ],
        ),
        "user modes": table(
            ("mode", "what it is"),
            [(f"`{letter}`", about) for letter, about in USER_MODES.items()],
        ),
    }


def _who(name: str) -> str:
    return "operators of the server" if COMMANDS[name].operators else ""


def written(page: str) -> str:
    """Return *page* with its tables as they are to be."""
    return with_tables(page, tables())


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(written(path.read_text()))
