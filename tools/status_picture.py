"""Draws ``socketsuite status --watch`` of real daemons: ``python -m tools.status_picture FILE``.

Two services in one process, with callers on loopback, asked twice for the rates.
"""

from __future__ import annotations

import io
import re
import socket
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from socketsuite.cli import status_view
from socketsuite.cli.status_connections import Status, connections
from socketsuite.testing import Daemon

_WIDTH = 100
_SETTINGS = """\
admin = "admin.sock"
[chat]
port = 0
[echo]
port = 0
udp = false
"""


def main(path: Path) -> None:
    """Start the daemons, call them, and write the picture to *path*."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "two.toml").write_text(_SETTINGS)
        with Daemon(folder, "socketsuite", "--config", "two.toml") as daemon:
            chat, echo = (
                int(daemon.wait_for_line(rf"{one} listening .* port=(\d+)")[1])
                for one in ("socketsuite-chat", "socketsuite-echo")
            )
            callers = [daemon.connect(port=chat) for _ in range(4)]
            callers += [daemon.connect(port=echo) for _ in range(2)]
            _talk(callers)
            before = daemon.ask("status")
            _talk(callers)
            now = daemon.ask("status")
            for one in callers:
                one.close()
    _draw(before, now, path)


def _talk(callers: list[socket.socket]) -> None:
    for turn in range(8):
        callers[0].sendall(b"good morning, everybody\n" * 40)
        callers[-1].sendall(bytes(2000 * (turn + 1)))
        time.sleep(0.2)


def _draw(before: Status, now: Status, path: Path) -> None:
    rates = status_view.rates_of(before, now)
    headings, lines = connections(now, rates, _WIDTH)
    console = Console(record=True, width=_WIDTH, file=io.StringIO())
    for line in (*status_view.head(now, rates, _WIDTH), "", headings, *lines):
        console.print(line, soft_wrap=True)
    drawn = console.export_svg(title="socketsuite status --watch")
    # Fonts of the reader's machine, and none from elsewhere.
    drawn = re.sub(r"@font-face \{.*?\}\s*|<!--.*?-->\s*", "", drawn, flags=re.S)
    path.write_text(re.sub(r"[ \t]+\n", "\n", drawn))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
