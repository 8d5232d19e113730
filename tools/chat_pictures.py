"""Draws the chat as its clients show it: ``python -m tools.chat_pictures FOLDER``.

One daemon, and four people in its lobby: with nc, irssi, weechat and ``socketsuite chat``, each
at a terminal of tmux.  What they show has no times, ports or paths, so that it is the same
wherever it is drawn.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from socketsuite.testing import Daemon

_COLUMNS, _ROWS = 62, 14
_SECONDS = 20.0

# Who says what; each line is seen by all before the next is said.
_TALK = [
    ("nc", "good morning"),
    ("irssi", "hello nora, is anybody else here?"),
    ("weechat", "/me has just made tea"),
    ("client", "one for me, please"),
    ("nc", "/topic tea at five"),
    ("weechat", "five it is, then"),
    ("client", "ilse: do you bring the cake?"),
    ("irssi", "chris: I do"),
]
_TITLES = {"nc": "nc", "irssi": "irssi", "weechat": "weechat", "client": "socketsuite chat"}

# Sixteen colours, all legible on each other's bars; the tuples are red, green and blue.
_NORMAL = [(12, 12, 12), (224, 92, 92), (72, 186, 112), (216, 190, 80)]
_NORMAL += [(52, 108, 196), (184, 110, 200), (64, 190, 205), (214, 214, 214)]
_BRIGHT = [(128, 128, 128), (255, 120, 120), (110, 225, 145), (250, 230, 120)]
_BRIGHT += [(110, 165, 255), (225, 150, 240), (110, 230, 245), (255, 255, 255)]
_THEME = TerminalTheme((30, 30, 34), (214, 214, 214), _NORMAL, _BRIGHT)

_BACKGROUND = re.compile(r"\x1b\[(?:[0-9;]*;)?4[0-8](?=[;m])")

_IRSSI = """\
servers = ({{ address = "127.0.0.1"; chatnet = "example"; port = "{port}"; autoconnect = "yes"; }});
chatnets = {{ example = {{ type = "IRC"; }}; }};
channels = ({{ name = "#lobby"; chatnet = "example"; autojoin = "yes"; }});
settings = {{
  core = {{ nick = "ilse"; user_name = "ilse"; real_name = "Ilse"; }};
  "fe-common/core" = {{ timestamps = "no"; show_nickmode_empty = "no"; term_charset = "UTF-8"; }};
  "irc/core" = {{ cmd_queue_speed = "1msec"; }};
}};
statusbar = {{ default = {{ window = {{ items = {{
  barstart = {{ priority = "100"; }}; user = {{ }}; window = {{ }};
  barend = {{ priority = "100"; alignment = "right"; }};
}}; }}; }}; }};
"""
_WEECHAT = [
    "/set weechat.look.buffer_time_format ''",
    "/set weechat.bar.status.items buffer_name+(buffer_modes)+{buffer_nicklist_count}",
    "/set weechat.bar.buflist.hidden on",
    "/set weechat.bar.title.hidden off",
    "/set irc.look.smart_filter off",
    "/set irc.server_default.anti_flood_prio_high 0",
    "/set irc.server_default.anti_flood_prio_low 0",
    "/server add example 127.0.0.1/{port} -notls -nicks=wim -username=wim -autojoin=#lobby",
    "/connect example",
]


class Terminals:
    """Programs at terminals of one tmux server.

    :param folder: a folder for nothing else.
    """

    def __init__(self, folder: Path) -> None:
        (folder / "conf").write_text("set -g status off\nset -g default-terminal tmux-256color\n")
        self._tmux = ["tmux", "-S", str(folder / "tmux"), "-f", str(folder / "conf")]

    def start(self, name: str, *command: str) -> None:
        """Run *command* at a terminal that is called *name*."""
        size = ("-x", str(_COLUMNS), "-y", str(_ROWS))
        self._do("new-session", "-d", "-s", name, *size, *command)

    def type(self, name: str, text: str) -> None:
        """Type a line there."""
        self._do("send-keys", "-t", name, "-l", text)
        self._do("send-keys", "-t", name, "Enter")

    def press(self, name: str, key: str) -> None:
        """Press a key there, by tmux's name of it."""
        self._do("send-keys", "-t", name, key)

    def wipe(self, name: str) -> None:
        """Have that terminal be as a new one."""
        self._do("send-keys", "-t", name, "-R")
        self._do("clear-history", "-t", name)

    def screen(self, name: str) -> str:
        """Return what stands there, with its colours."""
        return self._do("capture-pane", "-t", name, "-p", "-e", "-N")

    def wait_for(self, name: str, pattern: str) -> None:
        """Wait until *pattern* stands there; nothing tells when a screen has changed."""
        deadline = time.monotonic() + _SECONDS
        while not re.search(pattern, plain := Text.from_ansi(self.screen(name)).plain):
            if time.monotonic() > deadline:
                raise SystemExit(f"{name} does not show {pattern!r}:\n{plain}")
            time.sleep(0.05)

    def end(self) -> None:
        """End all of them; those that still write into the folder have a while for it."""
        deadline = time.monotonic() + _SECONDS
        for name in ("irssi", "weechat", "client", "nc"):
            with contextlib.suppress(subprocess.CalledProcessError):
                self.type(name, "/quit")
        with contextlib.suppress(subprocess.CalledProcessError):
            while time.monotonic() < deadline:
                self._do("list-sessions")
                time.sleep(0.05)
        subprocess.run([*self._tmux, "kill-server"], capture_output=True, check=False)

    def _do(self, *words: str) -> str:
        environment = {**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC", "COLORTERM": ""}
        done = subprocess.run(
            [*self._tmux, *words], capture_output=True, check=True, env=environment
        )
        return done.stdout.decode()


@contextlib.contextmanager
def people(folder: Path) -> Iterator[Terminals]:
    """Four people in the lobby of a new chat, whose terminals show nothing of how they came in."""
    flags = ("--port", "0", "--irc-port", "0", "--network-name", "example")
    terminals = Terminals(folder)
    with Daemon(folder, "socketsuite-chat", *flags) as daemon:
        lines, irc = daemon.port(frontend="lines"), daemon.port(frontend="irc")
        try:
            terminals.start("nc", "nc.openbsd", "127.0.0.1", str(lines))
            terminals.type("nc", "/nick nora")
            terminals.wait_for("nc", "is now nora")
            (folder / "irssi").mkdir()
            (folder / "irssi" / "config").write_text(_IRSSI.format(port=irc))
            terminals.start("irssi", "irssi", f"--home={folder / 'irssi'}")
            terminals.wait_for("nc", "ilse joined")
            commands = ";".join(_WEECHAT).replace("{port}", str(irc))
            terminals.start("weechat", "weechat", "--dir", str(folder / "weechat"), "-r", commands)
            terminals.wait_for("nc", "wim joined")
            client = ("-m", "socketsuite.cli", "chat", "--nick", "chris")
            terminals.start("client", sys.executable, *client, "127.0.0.1", str(lines))
            terminals.wait_for("nc", "is now chris")
            _clear(terminals)
            yield terminals
        finally:
            terminals.end()


def _clear(terminals: Terminals) -> None:
    terminals.type("irssi", "/window goto 2")
    terminals.wait_for("irssi", "synced")
    terminals.type("irssi", "/clear")
    terminals.wait_for("weechat", "chris")
    terminals.type("weechat", "/buffer clear")
    terminals.wait_for("client", "chris")
    terminals.wipe("nc")
    terminals.press("client", "C-l")


def draw(screen: str, title: str, path: Path) -> None:
    """Write a picture of a terminal that shows *screen*."""
    console = Console(record=True, width=_COLUMNS, file=io.StringIO(), color_system="truecolor")
    # Spaces at the end of a line are seen where they have a colour of their own, and else chance.
    lines = [
        line if _BACKGROUND.search(line) else line.rstrip(" ")
        for line in screen.removesuffix("\n").split("\n")
    ]
    console.print(Text.from_ansi("\n".join(lines)), no_wrap=True, overflow="crop")
    drawn = console.export_svg(title=title, theme=_THEME)
    # Fonts of the reader's machine, and none from elsewhere.
    drawn = re.sub(r"@font-face \{.*?\}\s*|<!--.*?-->\s*", "", drawn, flags=re.S)
    path.write_text(re.sub(r"[ \t]+\n", "\n", drawn))


def main(pictures: Path) -> None:
    """Have them talk, and write what each sees into the folder *pictures*."""
    pictures.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name, people(Path(name)) as terminals:
        for who, text in _TALK:
            terminals.type(who, text)
            said = text.partition(" ")[2] if text.startswith("/") else text
            for hearer in _TITLES:
                terminals.wait_for(hearer, re.escape(said))
        for who, title in _TITLES.items():
            draw(terminals.screen(who), title, pictures / f"chat-{who}.svg")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
