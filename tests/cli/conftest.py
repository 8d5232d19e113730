"""The real ``socketsuite`` command as a process, and small servers for it to talk to."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.cli.servers import TIMEOUT, Handler, Server

COMMAND = [sys.executable, "-m", "socketsuite.cli"]

Client = Callable[..., subprocess.CompletedProcess]
Start = Callable[..., subprocess.Popen]
Serve = Callable[..., Server]


def _environment(extra: dict[str, str] | None) -> dict[str, str]:
    clean = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    return {**clean, **(extra or {})}


@pytest.fixture
def client() -> Client:
    """Run the command to its end, within the deadline; its output is bytes."""

    def run(
        *arguments: object, input: bytes = b"", env: dict[str, str] | None = None, **more: Any
    ) -> subprocess.CompletedProcess:
        if "stdin" not in more:
            more["input"] = input
        more.setdefault("stdout", subprocess.PIPE)
        return subprocess.run(
            [*COMMAND, *map(str, arguments)],
            stderr=subprocess.PIPE,
            timeout=TIMEOUT,
            env=_environment(env),
            **more,
        )

    return run


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers; each is closed after the test, and its failure is the test's."""
    started: list[Server] = []

    def begin(handler: Handler, **more: Any) -> Server:
        started.append(Server(handler, **more))
        return started[-1]

    yield begin
    for server in started:
        server.close()


@pytest.fixture
def start(serve: Serve) -> Iterator[Start]:
    """Start the command with pipes; all are killed after the test, before the servers close."""
    started: list[subprocess.Popen] = []

    def begin(*arguments: object, **more: Any) -> subprocess.Popen:
        # A shell that runs the tests in the background has SIGINT ignored, by all its children.
        more.setdefault("preexec_fn", lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen(
            [*COMMAND, *map(str, arguments)], **{"env": _environment(None), **pipes, **more}
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


class Authority:
    """A certificate authority of the test's own, and what it has signed."""

    def __init__(self, folder: Path) -> None:
        self.ca = trustme.CA()
        self.folder = folder
        self.cafile = folder / "ca.pem"
        self.ca.cert_pem.write_to_path(str(self.cafile))

    def server(self, name: str = "localhost", **more: Any) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(name, **more).configure_cert(context)
        return context

    def client_certificate(self) -> Path:
        """Return a PEM file with a key and a certificate."""
        path = self.folder / "client.pem"
        self.ca.issue_cert("alice@example.org").private_key_and_cert_chain_pem.write_to_path(
            str(path)
        )
        return path


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)
