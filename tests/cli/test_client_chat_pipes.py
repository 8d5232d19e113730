"""``socketsuite chat`` through pipes: lines in, lines or JSON out."""

from __future__ import annotations

import socket
import subprocess

import pytest

from tests.cli.chat_room import Room
from tests.cli.conftest import Client, Serve, Start
from tests.cli.contract import read
from tests.cli.servers import TIMEOUT, goodbye, swallow


def test_through_pipes_every_line_is_said_and_what_comes_is_harmless(
    client: Client, serve: Serve
) -> None:
    heard = []

    def answer(connection: socket.socket) -> None:
        while data := connection.recv(1 << 16):
            heard.append(data)
        connection.sendall(b"-> <bob> hi\x1b[2J\r\n* that was it")
        goodbye(connection)

    port = serve(answer).port
    options = ("--nick", "alice", "--room", "den", "--bell", "127.0.0.1", port)
    done = client("chat", *options, input=b"/me waves\n\nno end")
    assert b"".join(heard) == b"/nick alice\n/join den\n/me waves\n\nno end\n"
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == b"-> <bob> hi^[[2J\n* that was it\n"


def test_json_tells_of_each_line_and_of_the_end(client: Client, serve: Serve) -> None:
    def answer(connection: socket.socket) -> None:
        connection.sendall(b"-> #den <bob> hi\n* bob left #den\n")
        swallow(connection)

    port = serve(answer).port
    done = client("chat", "--json", "--nick", "alice", "127.0.0.1", port, input=b"hello\n")
    rows, result = read(done.stdout)
    told = [{key: row[key] for key in ("room", "nick", "text", "kind", "said")} for row in rows]
    assert told == [
        {"room": "den", "nick": "bob", "text": "hi", "kind": "message", "said": None},
        {"room": None, "nick": None, "text": "bob left #den", "kind": "server", "said": None},
    ]
    assert {row["event"] for row in rows} == {"line"}
    assert (result["status"], result["lines_in"], result["lines_out"]) == (0, 2, 2)


def test_lines_come_as_they_are_said(start: Start, serve: Serve) -> None:
    room = Room()
    process: subprocess.Popen = start("chat", "127.0.0.1", serve(room).port)
    assert process.stdin is not None
    assert process.stdout is not None
    for text in ("one", "two"):
        process.stdin.write(f"{text}\n".encode())
        process.stdin.flush()
        assert room.hear() == text
        room.say(f"-> {text}")
        assert process.stdout.readline() == f"-> {text}\n".encode()
    process.communicate(timeout=TIMEOUT)
    assert [room.hear(), process.returncode] == ["(end)", 0]


@pytest.mark.parametrize("name", ["two words", "x" * 65])
def test_a_name_that_is_no_word_is_a_usage_error(client: Client, name: str) -> None:
    done = client("chat", "--nick", name, "127.0.0.1", "1")
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (2, b"", 1)
    assert b"1 to 64 characters" in done.stderr
