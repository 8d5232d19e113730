"""Programs at terminals: started in tmux, typed to, and read from their screens."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

from tests.support.outside import SECONDS
from tests.support.peers import program


class Terminal:
    """A program in tmux, on a server of its own."""

    def __init__(self, folder: Path, *command: str) -> None:
        self._tmux = [program("tmux"), "-S", str(folder / "tmux"), "-f", "/dev/null"]
        self._run("new-session", "-d", "-x", "150", "-y", "50", *command)

    def _run(self, *words: str) -> str:
        done = subprocess.run([*self._tmux, *words], capture_output=True, timeout=SECONDS)
        assert done.returncode == 0, done.stderr
        return done.stdout.decode()

    def type(self, text: str) -> None:
        self._run("send-keys", "-l", text)
        self._run("send-keys", "Enter")

    def sees(self, pattern: str) -> None:
        """Wait until the screen shows *pattern*; nothing tells when it has changed."""
        deadline = time.monotonic() + SECONDS
        while True:
            screen = self._run("capture-pane", "-p", "-J")
            if re.search(pattern, screen):
                return
            assert time.monotonic() < deadline, f"no {pattern!r} in:\n{screen}"
            time.sleep(0.02)

    def end(self) -> None:
        subprocess.run([*self._tmux, "kill-server"], capture_output=True, timeout=SECONDS)


def irssi(folder: Path, port: int) -> list[str]:
    """Return the command of an irssi whose home is *folder*, connected to a local port."""
    folder.mkdir()
    settings = 'settings = { "irc/core" = { cmd_queue_speed = "1msec"; }; };'
    (folder / "config").write_text(settings)
    return [program("irssi"), f"--home={folder}", "-c", "127.0.0.1", "-p", str(port), "-n", "ilse"]
