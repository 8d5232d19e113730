"""Unmodified irssi and weechat at terminals, and somebody with nc: all in one room."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from socketsuite.testing import Daemon, read_line
from tests.daemons.irc_client import Caller, caller
from tests.support.peers import program
from tests.support.terminal import Terminal, irssi


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("irc")
    with Daemon(folder, "socketsuite-chat", "--port", "0", "--irc-port", "0") as daemon:
        yield daemon


# Both clients hold back what is typed quickly, for servers that end those who flood.


def weechat(folder: Path, port: int) -> list[str]:
    server = f"/server add here 127.0.0.1/{port} -notls -nicks=wim"
    slow = "".join(f"/set irc.server_default.anti_flood_prio_{p} 0;" for p in ("high", "low"))
    commands = f"{slow}{server};/set irc.look.smart_filter off;/connect here"
    return [program("weechat", "weechat-curses"), "--dir", str(folder), "-r", commands]


@pytest.mark.parametrize(("make", "nick"), [(irssi, "ilse"), (weechat, "wim")])
def test_a_client_of_irc_and_nc_talk_in_the_lobby(
    chat: Daemon, tmp_path: Path, make: Callable[[Path, int], list[str]], nick: str
) -> None:
    port = chat.port(frontend="irc")
    terminal = Terminal(tmp_path, *make(tmp_path / "home", port))
    try:
        with caller(chat, "anna") as anna:
            anna.ask("JOIN #lobby")
            with chat.connect(port=chat.port(frontend="lines")) as nc:
                anna.expect("guest.* JOIN #lobby")
                by = in_the_lobby(terminal, anna, nick)
                talk(terminal, nc, anna, by)
    finally:
        terminal.end()


def in_the_lobby(terminal: Terminal, anna: Caller, nick: str) -> str:
    terminal.sees("Welcome to the socketsuite network")
    terminal.type("/join #lobby")
    anna.expect(f"^:{nick}!.* JOIN #lobby$")
    terminal.sees(r"guest\d+")
    anna.send(f"TOPIC #lobby :Tea with {nick}")
    terminal.sees(f"Tea with {nick}")
    terminal.type(f"/nick {nick}2")
    anna.expect(f"^:{nick}!.* NICK :?{nick}2$")
    return f"{nick}2"


def talk(terminal: Terminal, nc: socket.socket, anna: Caller, nick: str) -> None:
    terminal.type("grüß dich, nc")
    assert read_line(nc) == f"-> <{nick}> grüß dich, nc\n".encode()
    nc.sendall(b"hello from nc\n")
    terminal.sees(r"guest\d+.*hello from nc")
    terminal.type("/me waves")
    assert read_line(nc) == f"-> * {nick} waves\n".encode()
    terminal.type("/msg anna in private")
    anna.expect(f"^:{nick}!.* PRIVMSG anna :in private$")
    anna.send(f"PRIVMSG {nick} :so do I")
    terminal.type("/whois anna")
    anna.send(f"NOTICE {nick} :noted")
    anna.send("PRIVMSG #lobby :\x01ACTION smiles\x01")
    terminal.type("/quit so long")
    anna.expect(f"^:{nick}!.* QUIT :Quit: so long$")
