"""docs/socketio.md, as it stands: its program run, its snippets tried, its table true."""

from __future__ import annotations

import dataclasses
import json
import re
import socket
import subprocess
import sys
from pathlib import Path

from twisted.internet.task import Clock

from socketsuite.settings import settings_of
from socketsuite.socketio import AckTimeoutError, Options, Refused, Server
from socketsuite.testing import Daemon, until
from tests.support.engine_caller import WebSocket
from tests.support.node_packages import node
from tests.support.ports import free_port

PAGE = (Path(__file__).parents[2] / "docs" / "socketio.md").read_text()
BLOCKS = re.findall(r"```(python|js|console)\n(.*?)```", PAGE, re.S)
PYTHON = [text for kind, text in BLOCKS if kind == "python"]


def test_the_program_and_its_client_do_what_the_page_shows(tmp_path: Path) -> None:
    port = str(free_port())
    script, client = tmp_path / "server.py", tmp_path / "client.js"
    script.write_text(PYTHON[0].replace("8080", port))
    (js,) = (text for kind, text in BLOCKS if kind == "js")
    client.write_text(js.replace("localhost:8080", f"127.0.0.1:{port}"))
    (shown,) = (text for kind, text in BLOCKS if kind == "console")
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        try:
            until(lambda: _listens(int(port)), bool)
            done = node(client)
            assert (done.returncode, done.stderr) == (0, "")
            assert f"$ node client.js\n{done.stdout}" == shown
            assert server.stdout.readline() == b"Ada is gone: client namespace disconnect\n"
        finally:
            server.kill()


def _listens(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


def test_the_snippets_name_what_there_is() -> None:
    names = {
        "server": Server(Clock()),
        "AckTimeoutError": AckTimeoutError,
        "Refused": Refused,
    }
    for text in PYTHON[1:]:
        if not text.startswith("#"):
            exec(text, names)  # the project's own page


def test_the_daemon_of_the_page_has_the_options_as_settings(tmp_path: Path) -> None:
    for text in PYTHON[1:]:
        if text.startswith("# "):
            path = tmp_path / text.split()[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    arguments = ("--port", "0", "--socketio-ping-interval", "7s")
    with Daemon(tmp_path, "acme-news", *arguments, env={"PYTHONPATH": str(tmp_path)}) as daemon:
        caller = WebSocket(daemon.port())
        assert json.loads(caller.receive()[1:])["pingInterval"] == 7000


def test_the_table_has_every_option_and_its_default() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \|$", PAGE, re.M)
    declared = {each.name: each for each in settings_of(Options)}
    assert [name for name, _, _ in rows] == [each.name for each in dataclasses.fields(Options)]
    assert [(text.strip(), words) for _, text, words in rows] == [
        (declared[name].default_text, declared[name].help) for name, _, _ in rows
    ]
