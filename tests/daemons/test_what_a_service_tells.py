"""docs/extending.md at work: its service as it stands there, and one that does everything wrong."""

from __future__ import annotations

import json
import re
import shlex
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme

from socketsuite.testing import Daemon, read_line, until
from tests.daemons.conftest import Start
from tests.daemons.strangers import install
from tests.support.peers import program

TEXT = (Path(__file__).parents[2] / "docs/extending.md").read_text()
SECTION = TEXT.partition("\n## What a service may tell\n")[2].partition("\n## ")[0]
SOURCES = re.findall(r"```python\n(.*?)```", SECTION, re.S)
PLUGIN = """\
from socketsuite.plugin import ServicePlugin
one = ServicePlugin("acme-hall", "acme_hall:Hall", port=0, description="X")
"""
OPTIONS = ("--port", "0", "--admin", "admin.sock", "--metrics-port", "0", "--log-format", "json")


Hall = Callable[..., Daemon]


@pytest.fixture
def hall(tmp_path: Path, launch: Start) -> Hall:
    (source,) = SOURCES
    plugins = tmp_path / "twisted" / "plugins"
    plugins.mkdir(parents=True)
    (tmp_path / "acme_hall.py").write_text(source)
    (plugins / "acme_hall_plugin.py").write_text(PLUGIN)
    env = {"PYTHONPATH": str(tmp_path)}
    return lambda *more: started(launch("acme-hall", *OPTIONS, *more, env=env))


def started(daemon: Daemon) -> Daemon:
    daemon.wait_for_line('"ready, pid')
    return daemon


def port(daemon: Daemon) -> int:
    return int(
        daemon.wait_for_line(r'"transport":"(?:tcp|tls)","address":"127.0.0.1","port":(\d+)')[1]
    )


def page(daemon: Daemon, path: str) -> tuple[int, str]:
    """Return a page, whose port stands in a line of JSON."""
    metrics = daemon.wait_for_line(r"metrics http://127\.0\.0\.1:(\d+)/metrics")[1]
    with socket.create_connection(("127.0.0.1", int(metrics)), 20) as asking:
        asking.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        head, _, body = asking.makefile("rb").read().partition(b"\r\n\r\n")
    return int(head.split()[1]), body.decode()


def told(daemon: Daemon, event: str) -> dict[str, Any]:
    """Return the line of JSON that tells of *event*, once it is there."""
    line: dict[str, Any] = json.loads(daemon.wait_for_line(f'"event":"{event}"').string)
    return line


def client(daemon: Daemon, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "socketsuite.cli", *words],
        cwd=daemon.folder,
        env={"SOCKETSUITE_ADMIN": str(daemon.folder / "admin.sock")},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def ask(daemon: Daemon, **request: Any) -> dict[str, Any]:
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(20)
        asking.connect(str(daemon.folder / "admin.sock"))
        asking.sendall(json.dumps(request).encode() + b"\n")
        answer: dict[str, Any] = json.loads(read_line(asking))
        return answer


def columns(daemon: Daemon) -> list[dict[str, Any]]:
    return [row["own"] for row in ask(daemon, command="status")["connections"]]


def enter(daemon: Daemon, nick: str) -> socket.socket:
    """Return one who is in the hall."""
    made = daemon.connect(port=port(daemon))
    made.sendall(nick.encode() + b"\n")
    until(lambda: columns(daemon), lambda seen: {"nick": nick} in seen)
    return made


def test_the_service_of_the_document_tells_all_that_the_document_says(hall: Hall) -> None:
    daemon = hall()
    status, text = page(daemon, "/health")
    said = json.loads(text)
    assert (status, said["status"]) == (503, "failing")
    assert said["checks"] == {"acme-hall": {"moderator": "no moderator is here"}}
    assert "failing acme-hall moderator: no moderator is here" in client(daemon, "status").stdout
    with enter(daemon, "mod") as moderator, enter(daemon, "bob") as bob:
        bob.sendall(b"hello\n")
        assert read_line(moderator) == b"hello\n"
        status, text = page(daemon, "/health")
        assert (status, json.loads(text)["checks"]) == (200, {"acme-hall": {"moderator": "ok"}})

        _, text = page(daemon, "/metrics")
        shown = re.search(r"```\n(socketsuite_service_.*?)```", SECTION, re.S)
        assert shown is not None
        assert set(shown[1].splitlines()) <= set(text.splitlines())
        assert 'socketsuite_health_check{check="moderator",service="acme-hall"} 1.0' in text
        checked = subprocess.run(
            [program("promtool"), "check", "metrics"], input=text, capture_output=True, text=True
        )
        assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
        (service,) = ask(daemon, command="status")["services"]
        assert service["figures"]['lines_total{role="guest"}'] == 1
        assert service["checks"] == {"moderator": "ok"}

        *_, heading, first, second = client(daemon, "status").stdout.splitlines()
        assert heading.split()[-1] == "NICK"
        assert {first.split()[-1], second.split()[-1]} == {"mod", "bob"}

        listing, kick = (
            line.removeprefix("$ ") for line in SECTION.splitlines() if line.startswith("$ ")
        )
        done = client(daemon, *shlex.split(listing)[1:])
        assert done.stdout.split(maxsplit=4) == [
            *("acme-hall", "kick", "NICK", "[BY]", "Close a guest's connection.\n")
        ]
        done = client(daemon, *shlex.split(kick)[1:])
        assert (done.returncode, done.stdout, done.stderr) == (0, "kicked bob\n", "")
        assert bob.recv(1) == b""
        kicked = told(daemon, "kicked")
        assert kicked["message"] == "kicked nick=bob by=operator"
        assert (kicked["service"], kicked["nick"], kicked["by"]) == ("acme-hall", "bob", "operator")
        done = client(daemon, "admin", "kick", "bob")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == "kick raised LookupError: nobody is called bob\n"
        assert client(daemon, "admin", "kick").returncode == 2
    assert '"traceback"' in daemon.wait_for_line('"acme-hall: kick raised"').string
    assert daemon.stop() == 0


@pytest.mark.parametrize("transport", ["burst", "twisted"])
def test_columns_are_asked_of_the_service_s_own_protocol_once_there_is_one(
    hall: Hall, tmp_path: Path, transport: str
) -> None:
    authority = trustme.CA()
    leaf = authority.issue_cert("localhost")
    leaf.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "cert.pem"))
    daemon = hall("--tls-cert", "cert.pem", "--transport", transport)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with (
        daemon.connect(port=port(daemon)),
        daemon.connect(port=port(daemon)) as plain,
        trusting.wrap_socket(plain, server_hostname="localhost") as guest,
    ):
        guest.sendall(b"bob\n")
        seen = until(lambda: columns(daemon), lambda seen: {"nick": "bob"} in seen)
        assert sorted(seen, key=len) == [{}, {"nick": "bob"}]
    assert daemon.stop() == 0
    assert "raised" not in daemon.log


WRONG = """
import time
from twisted.internet.defer import Deferred
from twisted.protocols.policies import WrappingFactory

class Wrong(Both):
    def __init__(self, emit):
        self.emit = emit

    def metrics(self):
        time.sleep(0.3)
        return [7]

    def health(self):
        raise RuntimeError("no\\x1b[2J")

    def status_columns(self, protocol):
        self.emit(protocol)
        raise RuntimeError("no")

    def admin_commands(self):
        return {"wait": self.wait, "leave": lambda: None, "No": 7}

    def wait(self):
        self.waiting = Deferred(lambda _: self.emit(Cancelled("by\\x1b[2J\\nhim")))
        return self.waiting

@dataclass
class Cancelled:
    who: str

def make(emit):
    return WrappingFactory(Wrong(emit))
"""


def test_a_service_that_does_everything_wrong_costs_what_it_would_have_told(
    tmp_path: Path, launch: Start
) -> None:
    install(tmp_path, "acme-wrong", WRONG)
    daemon = started(launch("acme-wrong", *OPTIONS, env={"PYTHONPATH": str(tmp_path)}))
    with daemon.connect(port=port(daemon)) as caller:
        caller.sendall(b"hello")
        for _ in range(3):
            status, text = page(daemon, "/health")
            assert (status, json.loads(text)["checks"]) == (
                503,
                {"acme-wrong": {"health": "raised RuntimeError: no^[[2J"}},
            )
            status, text = page(daemon, "/metrics")
            assert status == 200
            assert "socketsuite_connections_opened_total" in text
            assert "\nsocketsuite_service_" not in text
            (row,) = ask(daemon, command="status")["connections"]
            assert row["own"] == {}
        assert caller.recv(5) == b"hello"
    with socket.socket(socket.AF_UNIX) as operator:
        operator.settimeout(20)
        operator.connect(str(tmp_path / "admin.sock"))
        request = json.dumps({"command": "run", "name": "wait"}).encode() + b"\n"
        operator.sendall(2 * request)
        assert json.loads(read_line(operator)) == {"error": "a command is under way; one at a time"}
    assert told(daemon, "cancelled")["who"] == "by^[[2J^Jhim"
    assert daemon.stop() == 0
    complaints = [json.loads(line) for line in daemon.lines]
    words = [one["message"] for one in complaints if one["level"] in ("error", "critical")]
    assert sorted(one.partition("(")[0] for one in words) == [
        "acme-wrong: admin_commands",
        "acme-wrong: events of Echo are not logged: it is no dataclass",
        "acme-wrong: health",
        "acme-wrong: metrics",
        "acme-wrong: metrics",
        "acme-wrong: status_columns",
    ]
