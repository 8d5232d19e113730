"""What an operator sees of a daemon: the admin socket's answers and the metrics page.

Must not know how the daemon was started.
"""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import Any


def ask(path: Path, command: str, seconds: float, **more: Any) -> dict[str, Any]:
    """Return what the admin socket at *path* answers to one request.

    :raises OSError: when there is nobody there, or no answer within *seconds*.
    """
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(seconds)
        asking.connect(str(path))
        asking.sendall(json.dumps({"command": command, **more}).encode() + b"\n")
        with asking.makefile("rb") as lines:
            answer: dict[str, Any] = json.loads(lines.readline())
            return answer


def page(port: int, path: str, seconds: float) -> tuple[int, str]:
    """Return the HTTP status and the text of a page on loopback.

    :raises OSError: when there is no answer within *seconds*.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def figures(text: str) -> dict[str, float]:
    """Return the figures of a page in Prometheus' text format, by name and labels."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}
