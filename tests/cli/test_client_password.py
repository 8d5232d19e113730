"""``socketsuite password``: from a pipe, from a terminal, and what is refused."""

from __future__ import annotations

import fcntl
import os
import signal
import termios
import time
from typing import Any

import pytest
from argon2 import PasswordHasher

from socketsuite.wire.account_line import AccountLine
from socketsuite.wire.scram import Verifier
from tests.cli.conftest import Client, Start
from tests.cli.contract import read
from tests.cli.screen import Terminal
from tests.cli.servers import TIMEOUT


def test_the_first_line_of_standard_input_is_the_password(client: Client) -> None:
    done = client("password", "--scram", "alice", input=b"pen cil\r\nno more\n")
    assert (done.returncode, done.stderr) == (0, b"")
    (line,) = done.stdout.decode().splitlines()
    account = AccountLine.parse(line)
    assert account.name == "alice"
    assert PasswordHasher().verify(account.hash, "pen cil")
    verifier = account.scram
    assert verifier is not None
    assert verifier == Verifier.of(b"pen cil", verifier.salt, 100_000)


def test_json_has_the_line_and_without_scram_there_is_no_verifier(client: Client) -> None:
    rows, result = read(client("password", "--json", "alice", input=b"pencil").stdout)
    (row,) = rows
    assert (row["event"], row["name"]) == ("account", "alice")
    account = AccountLine.parse(row["line"])
    assert account.scram is None
    assert PasswordHasher().verify(account.hash, "pencil")
    assert (result["command"], result["status"]) == ("password", 0)


@pytest.mark.parametrize(
    ("name", "typed", "status", "words"),
    [
        ("alice", b"\n", 2, "the password is empty."),
        ("alice", b"x" * 257, 2, "a password has at most 256 bytes."),
        ("alice", b"x" * 9999, 2, "a password has at most 256 bytes."),
        ("alice", b"a\x07b\n", 2, "a password has no characters of control."),
        ("alice", b"\xff\n", 2, "the password is not UTF-8."),
        ("al:ice", b"pencil\n", 2, "NAME: a name has no space, no colon, "),
        ("", b"pencil\n", 2, "NAME: it has no name."),
        ("4lice", b"pencil\n", 2, "NAME: a nick begins with a letter."),
        ("al*ce", b"pencil\n", 2, "NAME: a nick has letters, digits and "),
        ("alice", b"", 1, "no password: standard input has ended."),
    ],
)
def test_what_makes_no_account_is_one_line(
    client: Client, name: str, typed: bytes, status: int, words: str
) -> None:
    done = client("password", name, input=typed)
    (line,) = done.stderr.decode().splitlines()
    assert words in line
    assert (done.returncode, done.stdout) == (status, b"")


def test_a_closed_standard_input_is_one_line(client: Client) -> None:
    done = client("password", "alice", stdin=None, preexec_fn=lambda: os.close(0))
    assert done.stderr == b"no password: standard input has ended.\n"
    assert (done.returncode, done.stdout) == (1, b"")


def shown(*words: str) -> Any:
    return lambda lines: any(line.startswith(words) for line in lines)


def test_a_terminal_is_asked_twice_and_shows_nothing_of_the_answer() -> None:
    terminal = Terminal("password", "alice", columns=200)
    for prompt in ("Password for alice:", "Once more:"):
        terminal.until(shown(prompt))
        terminal.type("pencil\n")
    assert terminal.wait() == 0
    (line,) = [line for line in terminal.lines if line.startswith("alice:")]
    assert PasswordHasher().verify(AccountLine.parse(line).hash, "pencil")
    assert b"pencil" not in terminal.raw
    assert terminal.is_as_before
    terminal.close()


def test_two_different_answers_make_no_account() -> None:
    terminal = Terminal("password", "alice", columns=200)
    for prompt, word in (("Password for alice:", "pencil"), ("Once more:", "pensil")):
        terminal.until(shown(prompt))
        terminal.type(f"{word}\n")
    assert terminal.wait() == 2
    assert any("the two passwords are not the same." in line for line in terminal.lines)
    assert not any(line.startswith("alice:") for line in terminal.lines)
    terminal.close()


def test_a_terminal_shows_again_what_is_typed_after_ctrl_c() -> None:
    terminal = Terminal("password", "alice", columns=80)
    terminal.until(shown("Password for alice:"))
    terminal.type("pen\x03")
    assert terminal.wait() == 130
    assert terminal.is_as_before
    terminal.close()


def test_a_signal_ends_the_wait_for_a_pipe(start: Start) -> None:
    running = start("password", "--json", "alice")
    assert running.stdin is not None
    running.stdin.write(b"pen")
    running.stdin.flush()
    deadline = time.monotonic() + TIMEOUT
    while int.from_bytes(fcntl.ioctl(running.stdin, termios.FIONREAD, bytes(4)), "little"):
        assert time.monotonic() < deadline
        time.sleep(0.01)  # between two looks; nothing else tells that it reads
    running.send_signal(signal.SIGTERM)
    told, complaints = running.communicate(timeout=TIMEOUT)
    assert (running.returncode, complaints) == (143, b"")
    assert read(told)[1]["error"]["code"] == "terminated"
