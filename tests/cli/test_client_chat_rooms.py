"""``socketsuite chat`` and the chat's own line frontend: what one says the other understands."""

from __future__ import annotations

from pathlib import Path

from socketsuite.testing import Daemon
from tests.cli.screen import Terminal


def test_the_client_follows_what_the_chat_says(tmp_path: Path) -> None:
    with Daemon(tmp_path, "socketsuite-chat", "--port", "0") as daemon, daemon.connect() as bob:
        options = ("--bell", "--nick", "alice", "--room", "den", "127.0.0.1", daemon.port())
        terminal = Terminal("chat", *options, columns=80)

        def ends(*lines: str) -> None:
            terminal.until(lambda screen: [x for x in screen if x][-len(lines) :] == list(lines))

        def types(keys: str, *lines: str) -> None:
            terminal.type(keys)
            ends(*lines)

        try:
            ends("* alice joined #den", "[den]")
            bob.sendall(b"/nick bob\n/join den\n/me waves\n/msg alice psst\n")
            ends("* bob joined #den", "-> #den * bob waves", "-> (bob) psst", "[den]")
            assert terminal.raw.count(b"\x07") == 1
            types("/who\r", "* bob is bob!lines@127.0.0.1", "[den]")
            types("b\t", "[den] bob:")
            types("\x15/rooms\r", "* #lobby* 2 people", "* #den* 2 people", "[den]")
            types("/room l\t\r", "* you speak in #lobby", "[lobby]")
            types("/leave\r", "* alice left #lobby", "* you speak in #den", "[den]")
            types("/nick bob\r", "* bob: somebody has that nick", "[den]")
            bob.sendall(b"alice?\n")
            ends("-> <bob> alice?", "[den]")
            assert terminal.raw.count(b"\x07") == 2  # still called so
            types("/leave\r", "* alice left #den", "[no room]")
            terminal.type("/quit see you\r")
            assert terminal.wait() == 0
        finally:
            terminal.close()
