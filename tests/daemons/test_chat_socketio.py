"""The chat by the unmodified npm ``socket.io-client``: each transport, in everybody's rooms."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from socketsuite.testing import Daemon, read_line
from tests.daemons.conftest import Start
from tests.support.node_packages import packages
from tests.support.outside import NODE
from tests.support.peers import program
from tests.support.web_people import SECONDS, SERVER, WebPerson

TRANSPORTS = ("polling", "websocket", "upgrade")


class Client:
    """What one Node process with the client prints."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def next(self, wanted: str) -> Any:
        """Return what came next by that name."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            name, found = json.loads(line)
            if isinstance(found, dict) and name not in ("greeting",):
                SERVER.validate(found)
            if name == wanted:
                return found
        raise AssertionError(f"ended without {wanted}")


@contextmanager
def client(address: str, transport: str) -> Iterator[Client]:
    with subprocess.Popen(
        [program("node"), NODE / "chat.js", address, transport],
        env={**os.environ, "NODE_PATH": str(packages())},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Client(process)
            process.terminate()
            process.wait(SECONDS)
        finally:
            process.kill()


def web(daemon: Daemon) -> str:
    return f"http://127.0.0.1:{daemon.port(frontend='web')}"


def test_people_by_every_transport_hear_those_with_nc_and_json_and_are_heard(
    serve: Start,
) -> None:
    chat = serve("socketsuite-chat", "--web-port", "0")
    with chat.connect() as nc, WebPerson(chat.port(frontend="web"), "ann") as ann:
        ann.done("join", room="lobby")
        for transport in TRANSPORTS:
            with client(web(chat), transport) as caller:
                assert caller.next("hello")["nick"] == f"by-{transport}"
                assert {"ann"} < {one["nick"] for one in caller.next("join")["room"]["members"]}
                said = caller.next("say")["message"]
                assert read_line(nc) == f"-> <by-{transport}> hello by {transport}\n".encode()
                assert ann.event("message") == said
                assert caller.next("wrong")["code"] == "bad_request"
                nc.sendall("привет\n".encode())
                assert caller.next("message")["text"] == "привет"
                ann.done("say", to=f"by-{transport}", text="only you")
                assert caller.next("message")["to"] == f"by-{transport}"
                assert ann.event("message")["text"] == "привет"
            assert ann.event("quit")["nick"] == f"by-{transport}"


@pytest.mark.parametrize("transport", ["polling", "websocket"])
def test_who_is_put_out_is_told_why(serve: Start, transport: str, tmp_path: Path) -> None:
    admin = str(tmp_path / "admin")
    chat = serve("socketsuite-chat", "--web-port", "0", "--admin", admin)
    with client(web(chat), transport) as first:
        first.next("wrong")
        words = ["--admin", admin, "close", f"by-{transport}", "enough"]
        command = [sys.executable, "-m", "socketsuite.cli", "admin", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        assert done.returncode == 0, done.stderr
        assert first.next("closed")["reason"] == "you are out: enough"
        first.next("disconnect")


def test_who_is_there_at_the_end_is_told_why(serve: Start) -> None:
    chat = serve("socketsuite-chat", "--web-port", "0")
    with client(web(chat), "upgrade") as second:
        second.next("wrong")
        chat.process.send_signal(signal.SIGTERM)
        assert second.next("closed")["reason"] == "the server stops"
        second.next("disconnect")
        assert chat.process.wait(SECONDS) == 0


def test_pages_of_other_origins_and_too_many_sessions_of_one_host_are_refused(
    serve: Start,
) -> None:
    chat = serve("socketsuite-chat", "--web-port", "0", "--web-max-sessions-per-host", "2")

    def opened(origin: str = "") -> int:
        with chat.connect(port=chat.port(frontend="web")) as caller:
            caller.sendall(
                b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: chat\r\n"
                + (f"Origin: {origin}\r\n".encode() if origin else b"")
                + b"\r\n"
            )
            return int(caller.recv(65536).split(b" ")[1])

    assert opened("https://evil.example") == 403
    assert [opened(), opened()] == [200, 200]
    assert opened() >= 400
