"""``socketsuite admin``, against small servers that answer as a daemon's admin socket does."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest

from socketsuite.cli.admin import choose, lines_of
from tests.cli.conftest import Client, Serve
from tests.cli.contract import read

KICK = {"service": "chat", "name": "kick", "usage": "NICK [BY]", "help": "Close it."}
SAY = {"service": "chat", "name": "say", "usage": "[WORDS]…", "help": ""}
TARGET = SimpleNamespace(peer="unix:/run/admin.sock")
OTHER = {"service": "irc", "name": "say", "usage": "", "help": "Loud."}


class Admin:
    """Offers commands, and answers every run of one by *answer*."""

    def __init__(self, answer: Any, *commands: Any) -> None:
        self._answer = answer
        self._commands = commands
        self.runs: list[Any] = []

    def __call__(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as lines:
            for line in lines:
                request = json.loads(line)
                answer: Any = {"commands": self._commands}
                if request.pop("command") == "run":
                    self.runs.append(request)
                    answer = self._answer
                connection.sendall(json.dumps(answer).encode() + b"\n")


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "admin.sock")


def at(path: str) -> dict[str, Any]:
    return {"family": socket.AF_UNIX, "address": path}


def test_without_a_command_those_there_are_are_listed(
    client: Client, serve: Serve, path: str
) -> None:
    serve(Admin(None, KICK, SAY, {**OTHER, "help": "\x1b[2J"}), **at(path))
    done = client("admin", "--admin", path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode().splitlines() == [
        "chat  kick NICK [BY]  Close it.",
        "chat  say [WORDS]…",
        "irc   say             ^[[2J",
    ]
    rows, _ = read(client("admin", "--admin", path, "--json").stdout)
    assert [(row["event"], row["service"], row["name"]) for row in rows] == [
        ("command", "chat", "kick"),
        ("command", "chat", "say"),
        ("command", "irc", "say"),
    ]


def test_a_command_is_run_and_what_it_says_is_fit_for_a_terminal(
    client: Client, serve: Serve, path: str
) -> None:
    admin = Admin({"result": "done\x1b\nwell"}, KICK, SAY, OTHER)
    serve(admin, **at(path))
    done = client("admin", "--admin", path, "chat", "kick", "-x")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"done^[\nwell\n", b"")
    assert admin.runs == [{"service": "chat", "name": "kick", "arguments": ["-x"]}]


OFFERED = [SimpleNamespace(**one, target=TARGET) for one in (KICK, SAY, OTHER)]


@pytest.mark.parametrize(
    ("words", "service", "arguments"),
    [
        (["kick", "bob"], "chat", ["bob"]),
        (["chat", "kick"], "chat", []),
        (["irc", "say", "a", "b"], "irc", ["a", "b"]),
        (["kick", "chat"], "chat", ["chat"]),
    ],
)
def test_a_command_is_found_by_its_name_and_by_its_service(
    words: list[str], service: str, arguments: list[str]
) -> None:
    found, rest = choose(OFFERED, words)
    assert (found.service, rest) == (service, arguments)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["frob"], "no service has a command 'frob'"),
        (["say"], "Several services have 'say': say one first: chat, irc."),
        (["chat"], "say a command of chat;"),
        (["chat", "frob"], "chat has no command 'frob'"),
    ],
)
def test_words_that_name_no_command_or_several_are_a_usage_error(
    words: list[str], line: str
) -> None:
    with pytest.raises(click.UsageError) as error:
        choose(OFFERED, words)
    assert error.value.message.startswith(line)
    with pytest.raises(click.UsageError, match="Several daemons have it: say which by --admin"):
        choose([*OFFERED, *OFFERED], ["irc", "say"])


@pytest.mark.parametrize(
    ("answer", "status", "line"),
    [
        ({"error": "usage: kick NICK", "cause": "usage"}, 2, "usage: kick NICK."),
        ({"error": "kick raised LookupError: no"}, 1, "kick raised LookupError: no"),
        ({"nothing": 1}, 1, "is no admin socket"),
    ],
)
def test_a_command_that_fails_is_one_line_and_a_status(
    client: Client, serve: Serve, path: str, answer: Any, status: int, line: str
) -> None:
    serve(Admin(answer, KICK), **at(path))
    done = client("admin", "--admin", path, "kick", "x")
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (status, b"", 1)
    assert line in done.stderr.decode()


def test_a_dead_daemon_beside_does_not_keep_a_command_from_running(
    client: Client, serve: Serve, path: str
) -> None:
    admin = Admin({"result": 7}, KICK)
    serve(admin, **at(path))
    env = {"SOCKETSUITE_ADMIN": f"{path}:{path}.dead"}
    done = client("admin", "kick", "bob", env=env)
    assert (done.returncode, done.stdout) == (0, b"7\n")
    for words, said in (([], b"chat  kick"), (["frob"], b"")):
        done = client("admin", *words, env=env)
        assert done.returncode == 1
        assert done.stdout.startswith(said)
        assert f"No server at {path}.dead" in done.stderr.decode()


def test_results_of_every_kind_are_lines() -> None:
    told = [
        list(lines_of(one)) for one in (None, "", 7, [1, "a\x1b", [2]], {"a": 1, "b": {"c": 2}})
    ]
    assert told == [[], [], ["7"], ["1", "a^[", "[2]"], ["a=1", 'b={"c": 2}']]
