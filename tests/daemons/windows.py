"""A running daemon's windows, looked through from outside: its admin socket and its pages."""

from __future__ import annotations

import http.client
import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from socketsuite.testing import Daemon
from tests.daemons.outside import SECONDS

_Seen = TypeVar("_Seen")


def asked(path: Path, command: str = "status", **more: Any) -> dict[str, Any]:
    """Return what the admin socket at *path* answers."""
    with socket.socket(socket.AF_UNIX) as operator:
        operator.settimeout(SECONDS)
        operator.connect(str(path))
        operator.sendall(json.dumps({"command": command, **more}).encode() + b"\n")
        with operator.makefile("rb") as lines:
            answer: dict[str, Any] = json.loads(lines.readline())
            return answer


def page(daemon: Daemon, path: str) -> tuple[int, str]:
    """Return the status and the text of a page of the daemon's metrics port."""
    port = int(daemon.wait_for_line(r"metrics http://127\.0\.0\.1:(\d+)/metrics")[1])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def figures(daemon: Daemon) -> dict[str, float]:
    """Return the figures of the metrics page, by name and labels as they stand there."""
    status, text = page(daemon, "/metrics")
    assert status == 200
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def until(look: Callable[[], _Seen], wanted: Callable[[_Seen], bool]) -> _Seen:
    """Return what *look* sees once it is as *wanted*; fail when it never is."""
    deadline = time.monotonic() + SECONDS
    while not wanted(seen := look()):
        assert time.monotonic() < deadline, seen
        time.sleep(0.01)  # between two looks; nothing else tells
    return seen
