"""``socketsuite chat`` on a terminal, and over a connection that is lost."""

from __future__ import annotations

import re
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from socketsuite.testing import Daemon
from tests.cli.chat_room import Room
from tests.cli.conftest import Authority, Serve
from tests.cli.screen import Terminal
from tests.support.ports import free_port

OnTerminal = Callable[..., Terminal]
COLOUR = re.compile(rb"\x1b\[[0-9;]*\b(?:3[0-7]|9[0-7]|38;[0-9;]*)m")


@pytest.fixture
def on_terminal(serve: Serve) -> Iterator[OnTerminal]:
    """Start the client on terminals; all are killed after the test, before the servers close."""
    opened: list[Terminal] = []

    def begin(*arguments: object, columns: int = 80, **more: Any) -> Terminal:
        opened.append(Terminal("chat", *arguments, columns=columns, **more))
        return opened[-1]

    yield begin
    for one in opened:
        one.close()


def has(*lines: str) -> Callable[[list[str]], bool]:
    """Whether the screen ends with *lines*, one below the other."""
    return lambda screen: [line for line in screen if line][-len(lines) :] == list(lines)


def test_lines_leave_what_is_typed_whole_and_a_restarted_daemon_is_found_again(
    on_terminal: OnTerminal, tmp_path: Path
) -> None:
    port = free_port()
    with Daemon(tmp_path, "socketsuite-chat", "--port", str(port)) as daemon:
        terminal = on_terminal("127.0.0.1", port)
        terminal.until(has("[lobby]"))
        with daemon.connect() as other:
            terminal.type("half a li")
            terminal.until(has("[lobby] half a li"))
            other.sendall(b"one\ntwo \x1b[2J\x1b]0;title\x07\n" + b"x" * 100 + b"\n")
            shown = ["-> one", "-> two ^[[2J^[]0;title^G", "-> " + "x" * 77, "x" * 23]
            terminal.until(has(*shown, "[lobby] half a li"))
            terminal.resize(40, 12)
            other.sendall(b"narrow\n")
            terminal.until(has("-> narrow", "[lobby] half a li"))
            terminal.type("ne\r")
            assert other.recv(100) == b"-> half a line\n"
            daemon.stop()
    terminal.until(lambda screen: "[not connected]" in screen)
    with Daemon(tmp_path, "socketsuite-chat", "--port", str(port)) as daemon:
        terminal.until(has("-- connected again", "[lobby]"))
        with daemon.connect() as other:
            # Who has been heard is in the room, and so is who hears.
            other.sendall(b"anybody?\n")
            terminal.until(has("-> anybody?", "[lobby]"))
            terminal.type("\x1b[A again\r")  # the line before
            assert other.recv(100) == b"-> half a line again\n"
            terminal.type("\x04")
            assert terminal.wait() == 0
    assert terminal.is_as_before


def test_tab_completes_nicks_rooms_and_commands(on_terminal: OnTerminal, serve: Serve) -> None:
    room = Room()
    terminal = on_terminal("127.0.0.1", serve(room).port)
    room.say("* #lobby has 3 people: @barbara +bob carl", "-> <dora> hello")
    terminal.until(has("-> <dora> hello", "[lobby]"))
    terminal.type("b\t")
    terminal.until(lambda screen: any("barbara" in x and "bob" in x for x in screen[2:]))
    terminal.type("o\thow is d\t?\r/jo\tden\r")
    assert [room.hear(), room.hear()] == ["bob: how is dora ?", "/join den"]
    room.say("* guest1 joined #den")
    terminal.until(has("* guest1 joined #den", "[den]"))
    terminal.type("/leave d\t\r")
    assert room.hear() == "/leave den "
    terminal.type("/Quit bye\r")
    assert [room.hear(), room.hear(), terminal.wait()] == ["/Quit bye", "(end)", 0]


def test_a_new_connection_is_told_who_and_where_we_were(
    on_terminal: OnTerminal, serve: Serve
) -> None:
    room = Room()
    options = ("--nick", "alice", "--room", "den", "127.0.0.1", serve(room).port)
    terminal = on_terminal(*options)
    assert [room.hear(), room.hear()] == ["/nick alice", "/join den"]
    room.say("* guest1 is now alice", "* alice joined #den")
    terminal.until(has("* alice joined #den", "[den]"))
    room.drop()
    assert room.hear() == "(end)"
    assert [room.hear(), room.hear()] == ["/nick alice", "/join den"]
    room.say("* alice: somebody has that nick")  # the connection that was lost
    assert room.hear() == "/nick alice"
    room.say("* guest2 is now alice")
    lines = terminal.until(lambda screen: "-- connected again" in screen)
    (lost,) = [line for line in lines if "trying" in line]
    assert re.fullmatch(r"-- no server \(it closed the connection\); trying again in 0\.\d s", lost)


def test_a_line_is_kept_while_there_is_no_connection(on_terminal: OnTerminal, serve: Serve) -> None:
    room = Room()
    server = serve(room)
    terminal = on_terminal("127.0.0.1", server.port)
    terminal.until(has("[lobby]"))
    assert room.connection is not None
    terminal.type("in time\r")
    assert room.hear() == "in time"
    listener = server._listener
    listener.shutdown(socket.SHUT_RDWR)  # whoever comes is refused
    room.drop()
    terminal.until(has("[not connected]"))
    terminal.type("too late\r")
    terminal.until(has("-- not connected; your line waits here", "[not connected] too late"))
    terminal.type("\x15/quit\r")
    assert terminal.wait() == 0


@pytest.mark.parametrize("rudely", [False, True])
def test_without_reconnecting_the_end_is_the_server_s(
    on_terminal: OnTerminal, serve: Serve, rudely: bool
) -> None:
    room = Room()
    port = serve(room).port
    terminal = on_terminal("--no-reconnect", "127.0.0.1", port)
    terminal.until(has("[lobby]"))
    room.drop(rudely=rudely)
    assert terminal.wait() == (1 if rudely else 0)
    said = f"No server at 127.0.0.1 {port}: connection lost" in terminal.lines
    assert said == rudely
    assert terminal.is_as_before


def test_a_password_is_neither_shown_nor_remembered(on_terminal: OnTerminal, serve: Serve) -> None:
    room = Room()
    terminal = on_terminal("127.0.0.1", serve(room).port)
    terminal.until(has("[lobby]"))
    terminal.type("/login bob\r")
    assert room.hear() == "/login bob"
    room.say("* password of bob?")
    terminal.until(has("* password of bob?", "password:"))
    terminal.type("hunter2\r")
    assert room.hear() == "hunter2"
    room.say("* you are logged in as bob", "* guest1 is now bob")
    terminal.until(has("* guest1 is now bob", "[lobby]"))
    terminal.type("\x1b[A")
    terminal.until(has("[lobby] /login bob"))
    terminal.type(" hunter3\r")
    assert room.hear() == "/login bob hunter3"
    room.say("* password of carl?")
    terminal.until(has("* password of carl?", "password:"))
    terminal.type("hunter4")
    terminal.until(has("* password of carl?", "password: *******"))
    room.drop()  # who asked is gone, and what was typed is no line for others
    terminal.until(has("-- connected again", "[lobby]"))
    terminal.type("hello\r")
    assert [room.hear() for _ in range(4)] == ["(end)", "/login bob hunter2", "/nick bob", "hello"]
    assert b"hunter" not in terminal.raw


@pytest.mark.parametrize("coloured", [True, False])
def test_nicks_have_colours_where_colours_are_wanted(
    on_terminal: OnTerminal, serve: Serve, coloured: bool
) -> None:
    room = Room()
    variables = {} if coloured else {"NO_COLOR": "1"}
    terminal = on_terminal("127.0.0.1", serve(room).port, **variables)
    room.say("-> <bob> one", "-> <carl> two", "* bob left #lobby")
    terminal.until(has("-> <bob> one", "-> <carl> two", "* bob left #lobby", "[lobby]"))
    assert bool(COLOUR.search(terminal.raw)) == coloured
    assert b"\x07" not in terminal.raw


def test_the_bell_rings_where_our_nick_is_said(on_terminal: OnTerminal, serve: Serve) -> None:
    room = Room()
    terminal = on_terminal("--bell", "--nick", "al", "127.0.0.1", serve(room).port)
    room.say("* guest1 is now al", "-> <bob> also alas", "-> [2026-11-21 14:02Z] <bob> al?")
    terminal.until(has("-> [2026-11-21 14:02Z] <bob> al?", "[lobby]"))
    assert b"\x07" not in terminal.raw
    room.say("-> <bob> what, Al?")
    terminal.until(has("-> <bob> what, Al?", "[lobby]"))
    assert terminal.raw.count(b"\x07") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_gives_the_terminal_back(
    on_terminal: OnTerminal, serve: Serve, authority: Authority, number: int
) -> None:
    room = Room()
    trust = ("--tls", "--cafile", authority.cafile)
    terminal = on_terminal(*trust, "localhost", serve(room, tls=authority.server()).port)
    room.say("-> by TLS")
    terminal.until(has("-> by TLS", "[lobby]"))
    during = terminal.is_as_before
    if number == signal.SIGINT:
        terminal.type("typed\x03")
    else:
        terminal.process.send_signal(number)
    assert terminal.wait() == 128 + number
    assert (during, terminal.is_as_before) == (False, True)
    assert b"Traceback" not in terminal.raw


def test_no_server_is_one_line(on_terminal: OnTerminal) -> None:
    port = free_port()
    terminal = on_terminal("127.0.0.1", port)
    assert terminal.wait() == 1
    assert terminal.raw == f"No server at 127.0.0.1 {port}: connection refused\r\n".encode()
