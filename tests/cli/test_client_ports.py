"""``socketsuite ports`` beside real daemons, and its reading of command lines."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from socketsuite.cli.command import main
from socketsuite.cli.socket_table import service_name
from socketsuite.testing import Daemon
from tests.cli.conftest import Client
from tests.cli.contract import read


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    started = Daemon(
        tmp_path, "socketsuite-echo", "--port", "0", "--unix", str(tmp_path / "echo.sock")
    )
    yield started.wait_until_ready()
    started.kill()


def rows_of(client: Client, daemon: Daemon, *options: str) -> list[dict[str, Any]]:
    done = client("ports", "--json", *options)
    assert done.returncode == 0, done.stderr
    rows, result = read(done.stdout)
    assert result["sockets"] == len(rows)
    return [row for row in rows if row["pid"] == daemon.process.pid]


def test_every_listener_of_a_daemon_is_shown(
    client: Client, daemon: Daemon, tmp_path: Path
) -> None:
    tcp, udp = daemon.port(), daemon.port("udp")
    rows = rows_of(client, daemon, "--listening")
    assert {row["service"] for row in rows} == {"socketsuite-echo"}
    shown = {(row["protocol"], row["local"], row["state"]) for row in rows}
    assert shown >= {
        ("tcp", f"127.0.0.1:{tcp}", "LISTEN"),
        ("tcp6", f"[::1]:{daemon.port(host='::1')}", "LISTEN"),
        ("udp", f"127.0.0.1:{udp}", ""),
        ("unix", str(tmp_path / "echo.sock"), "LISTEN"),
    }


def test_a_connection_is_shown_with_both_its_ends(client: Client, daemon: Daemon) -> None:
    with daemon.connect() as connection:
        connection.sendall(b"x")
        connection.recv(1)
        host, port = connection.getsockname()
        rows = rows_of(client, daemon, "--tcp")
    remotes = {row["peer"]: row["state"] for row in rows}
    assert remotes.pop(f"{host}:{port}") == "ESTABLISHED"
    assert set(remotes) == {None}


def test_the_filters_add_up(client: Client, daemon: Daemon) -> None:
    udp = {row["protocol"] for row in rows_of(client, daemon, "--udp")}
    assert udp == {"udp", "udp6"}
    more = {row["protocol"] for row in rows_of(client, daemon, "--udp", "--unix-sockets")}
    assert more >= {"udp", "udp6", "unix"}
    assert "tcp" not in more


def test_a_pipe_gets_plain_aligned_columns(client: Client, daemon: Daemon) -> None:
    lines = client("ports", "--tcp").stdout.decode().splitlines()
    assert lines[0].split() == ["PROTO", "LOCAL", "REMOTE", "STATE", "PID", "SERVICE"]
    start = lines[0].index("LOCAL")
    mine = [line for line in lines if line.split()[4] == str(daemon.process.pid)]
    assert {line[start:].split()[0] for line in mine} == {
        f"127.0.0.1:{daemon.port()}",
        f"[::1]:{daemon.port(host='::1')}",
    }


def test_all_shows_other_processes_too(client: Client, serve: Any) -> None:
    port = serve(lambda _: None).port
    rows, _ = read(client("ports", "--all", "--listening", "--json").stdout)
    found = [row for row in rows if row["local"] == f"127.0.0.1:{port}"]
    assert [row["pid"] for row in found] == [os.getpid()]


def test_what_other_users_hide_is_said(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    def refuse(process: psutil.Process) -> int:
        raise psutil.AccessDenied(process.pid)

    monkeypatch.setattr(psutil.Process, "num_fds", refuse)
    with pytest.raises(SystemExit, match="0"):
        main(["ports"])
    told = capfdbinary.readouterr()
    assert told.out
    pattern = rb"hidden from you, ask as root: the sockets of \d+ process\(es\)\n"
    assert re.fullmatch(pattern, told.err)
    with pytest.raises(SystemExit, match="0"):
        main(["ports", "--json"])
    told = capfdbinary.readouterr()
    _, result = read(told.out)
    assert result["hidden"] >= 1
    assert told.err == b""


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("python /usr/bin/twistd -n socketsuite-chat --port 1", "socketsuite-chat"),
        ("python -m twisted -n socketsuite-echo", "socketsuite-echo"),
        ("twistd --pidfile socketsuite -n acme-rot13", "acme-rot13"),
        ("twistd -n socketsuite --config x.toml", "socketsuite"),
        ("twistd --pidfile socketsuite-echo.pid -n web", None),
        ("socketsuite connect localhost", None),
        ("vim twistd-notes socketsuite-chat", None),
    ],
)
def test_the_service_is_told_from_the_command_line(words: str, name: str | None) -> None:
    assert service_name(words.split(), {"socketsuite-echo", "acme-rot13"}) == name
