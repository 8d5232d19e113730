"""Real twistd processes as fixtures; all of them are ended after the test."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from socketsuite.testing import Daemon
from tests.daemons.strangers import install
from tests.support.outside import SECONDS
from tests.support.peers import program
from tests.support.ports import free_port

Start = Callable[..., Daemon]


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Start]:
    """Start daemons that may fail to start; all of them are ended after the test."""
    started: list[Daemon] = []

    def start(name: str, *arguments: str, **more: Any) -> Daemon:
        started.append(Daemon(tmp_path, name, *arguments, **more))
        return started[-1]

    yield start
    for one in started:
        one.kill()


@pytest.fixture
def serve(launch: Start) -> Start:
    """Start daemons on free ports, and return them when they are ready."""

    def start(name: str, *arguments: str, **more: Any) -> Daemon:
        where = ("--port", "--unix", "--listen")
        free = () if any(a in where for a in arguments) else ("--port", "0")
        return launch(name, *free, *arguments, **more).wait_until_ready()

    return start


@pytest.fixture
def stranger(launch: Start, tmp_path: Path) -> Start:
    """Start a stranger's ``acme-odd`` from its source; *more* is what its plugin says further."""

    def start(source: str, *arguments: str, more: str = "", **variables: str) -> Daemon:
        install(tmp_path, "acme-odd", source, more=more)
        path = f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"
        return launch("acme-odd", *arguments, env={"PYTHONPATH": path, **variables})

    return start


@pytest.fixture
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[socket.socket]:
    """A service manager's notify socket, as NOTIFY_SOCKET names it."""
    path = tmp_path_factory.mktemp("run") / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.bind(str(path))
        made.settimeout(SECONDS)
        yield made


@pytest.fixture
def haproxy(tmp_path: Path) -> Iterator[Callable[[str], socket.socket]]:
    """Start a real HAProxy before a server, named as its configuration does; return a caller."""
    running: list[subprocess.Popen[bytes]] = []

    def start(back: str) -> socket.socket:
        port = free_port()
        config = tmp_path / f"haproxy-{len(running)}.cfg"
        config.write_text(
            "defaults\n mode tcp\n timeout connect 5s\n timeout client 20s\n timeout server 20s\n"
            f"listen front\n bind 127.0.0.1:{port}\n server back {back}\n"
        )
        running.append(subprocess.Popen([program("haproxy"), "-db", "-f", str(config)]))
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                return socket.create_connection(("127.0.0.1", port), SECONDS)
            except ConnectionRefusedError:
                assert time.monotonic() < deadline

    yield start
    for one in running:
        one.kill()
        one.wait()
