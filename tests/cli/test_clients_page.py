"""docs/clients.md: its commands run as they are shown, and its tables are complete."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from socketsuite.testing import Daemon
from socketsuite.transport.dial.failed import Code
from tests.cli.conftest import Client
from tests.cli.contract import KEYS, read
from tests.cli.screen import Terminal
from tests.cli.servers import TIMEOUT
from tests.support.ack_sink import AckSink
from tests.support.ports import free_port

TEXT = (Path(__file__).parents[2] / "docs" / "clients.md").read_text()
COMMANDS = re.findall(r"^\$ (.*)$", TEXT, re.M)
# What they do is tried in test_client_send_ack.py and test_client_verify.py.
NEEDS_A_SINK = re.compile("socketsuite (send|verify)")


def cells(heading: str, column: int) -> list[str]:
    """Return the names between backquotes in one column of the table with that heading."""
    table = TEXT.partition(f"| {heading} |")[2].partition("\n\n")[0].splitlines()[2:]
    return [name for line in table for name in re.findall(r"`([^`]+)`", line.split("|")[column])]


def test_every_code_is_in_the_table_and_no_other() -> None:
    assert sorted(cells("code", 1)) == sorted(get_args(Code))


def test_every_common_key_is_in_the_table_in_its_order() -> None:
    assert cells("key", 1) == KEYS


@pytest.fixture
def echo(tmp_path: Path) -> Iterator[Daemon]:
    """A daemon on a free port of TCP and UDP, whose admin socket is where a unit has it."""
    folder = tmp_path / "socketsuite-echo"
    folder.mkdir()
    options = ("--port", "0", "--admin", str(folder / "admin.sock"))
    daemon = Daemon(tmp_path, "socketsuite-echo", *options)
    yield daemon.wait_until_ready()
    daemon.kill()


@pytest.mark.parametrize("command", [c for c in COMMANDS if not NEEDS_A_SINK.search(c)])
def test_a_shown_command_does_what_it_says(command: str, echo: Daemon, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "XDG_RUNTIME_DIR": str(tmp_path),
    }
    if "--watch" in command:
        terminal = Terminal(*command.split()[1:], columns=80, **environment)  # type: ignore[arg-type]
        terminal.until(lambda lines: any("socketsuite-echo" in line for line in lines))
        terminal.type("q")
        status = terminal.wait()
        terminal.close()
        assert status == 0
        return
    here = re.sub(r"\b9000\b", str(echo.port()), command)
    done = subprocess.run(
        ["sh", "-c", here], capture_output=True, timeout=TIMEOUT, env=environment, check=False
    )
    assert done.stderr == b""
    assert done.returncode == (1 if "40000" in command or "http" in command else 0)
    assert done.stdout
    if "probe" in command:
        assert f"localhost:{echo.port()}" in done.stdout.decode() or "[::1]" in command
    if "--json" in command and "jq" not in command:
        read(done.stdout)


def test_the_keys_of_each_event_are_those_of_the_table(
    client: Client, echo: Daemon, tmp_path: Path
) -> None:
    here, sink = Path(__file__), AckSink()
    admin = tmp_path / "socketsuite-echo" / "admin.sock"
    runs = [
        ("probe", "--json", "localhost", echo.port()),
        ("udp", "--json", "--data", "x", "--count", "1", "127.0.0.1", echo.port("udp")),
        ("ports", "--json"),
        ("chat", "--json", "--nick", "alice", "127.0.0.1", echo.port()),
        ("status", "--json", "--admin", admin),
        ("status", "--json", "--drain", "--admin", admin),
        ("send", "--ack", "--json", "--receipts", tmp_path / "r", f"localhost:{sink.port}", here),
        ("verify", "--json", here, tmp_path / "r"),
    ]
    shown = {}
    for words in runs:
        rows, _ = read(client(*words).stdout)
        shown.update({row["event"]: list(row)[len(KEYS) :] for row in rows})
    sink.close()
    table = TEXT.partition("| event | of | more keys |")[2].partition("\n\n")[0]
    for event, keys in shown.items():
        (line,) = re.findall(rf"^\| `{event}` \|.*$", table, re.M)
        for key in keys:
            assert f"`{key}`" in line
    assert set(shown) == {
        *("port", "answer", "socket", "line", "status", "draining", "stream", "verified"),
    }


@pytest.mark.parametrize(
    ("words", "code", "status"),
    [
        (("accumulate", "--values", "1,x", "localhost", "1"), "usage", 2),
        (("accumulate", "127.0.0.1", "{closed}"), "refused", 1),
        (("connect", "127.0.0.1", "{closed}"), "refused", 1),
        (("connect", "--unix", "/nowhere"), "not-found", 1),
        (("connect", "--timeout", "0.1", "127.0.0.1", "{full}"), "timeout", 1),
        (("connect", "nosuch.invalid", "1"), "unknown-host", 1),
        (("connect", "--frob"), "usage", 2),
        (("probe", "127.0.0.1", "{closed}"), "not-open", 1),
        (("send", "127.0.0.1", "{closed}", "/dev/null"), "refused", 1),
        (("send", "127.0.0.1", "1", "/nowhere"), "usage", 2),
        (("status", "--admin", "/nowhere"), "not-found", 1),
        (("status",), "no-daemon", 1),
        (("udp", "--connect", "--data", "x", "127.0.0.1", "{closed}"), "refused", 1),
        (("udp", "--wait", "0", "--count", "1", "--data", "x", "::1", "9"), "too-few-answers", 1),
        (("send", "--ack", "127.0.0.1", "{closed}", "/dev/null"), "refused", 1),
        (("verify", "/dev/null", "/nowhere"), "usage", 2),
        (("verify", "/dev/null", "/dev/null"), "not-found", 1),
        (("frob",), "usage", 2),
    ],
)
def test_a_failure_has_its_code(
    client: Client, words: tuple[str, ...], code: str, status: int, tmp_path: Path
) -> None:
    if words == ("status",) and list(Path("/run").glob("socketsuite*/*admin.sock")):
        pytest.skip("a daemon of this machine would be found")
    with socket.socket() as full, socket.socket() as first:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        first.connect(full.getsockname())  # the backlog is full: SYNs are dropped
        ports = {"closed": free_port(), "full": full.getsockname()[1]}
        command, *others = [word.format(**ports) for word in words]
        env = {"XDG_RUNTIME_DIR": str(tmp_path), "SOCKETSUITE_ADMIN": ""}
        done = client(command, "--json", *others, env=env)
    told, other = (done.stderr, done.stdout) if command == "connect" else (done.stdout, done.stderr)
    _, result = read(told)
    assert (done.returncode, result["status"], result["error"]["code"]) == (status, status, code)
    assert other == b""
    assert result["command"] == (None if command == "frob" else command)
