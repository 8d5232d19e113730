"""What the page on WebSocket shows, run as it stands."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
from pathlib import Path

from socketsuite.testing import read_exactly
from socketsuite.wire.websocket import encode_text
from tests.support.ports import free_port
from tests.support.websocket_frames import BINARY, TEXT, frame, opening, take_frame

PAGE = (Path(__file__).parents[1] / "docs/websocket.md").read_text()
SECONDS = 20.0


def opened(port: int) -> socket.socket:
    """Return a WebSocket to *port*, as soon as somebody listens there."""
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            made = socket.create_connection(("127.0.0.1", port), SECONDS)
            break
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.02)  # another process's start, which nothing else tells of
    made.sendall(opening("/chat"))
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += made.recv(1)
    assert head.startswith(b"HTTP/1.1 101 ")
    return made


def test_the_page_is_a_server_as_it_stands(tmp_path: Path) -> None:
    [code] = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    port = free_port()
    script = tmp_path / "server.py"
    script.write_text(code.replace("8080", str(port)))
    with subprocess.Popen([sys.executable, script]) as server:
        try:
            with opened(port) as one, opened(port) as other:
                one.sendall(frame(TEXT, "grüße".encode()))
                said = encode_text("127.0.0.1: grüße".encode())
                assert read_exactly(one, len(said)) == said
                assert read_exactly(other, len(said)) == said
                other.sendall(frame(BINARY, b"x"))
                taken = take_frame(read_exactly(other, 13))
                assert taken is not None
                assert (taken[0].code, taken[0].payload[2:]) == (1003, b"text only")
        finally:
            server.kill()


def test_the_page_names_only_what_there_is() -> None:
    package = Path(__file__).parents[1] / "socketsuite"
    folders = (package / "web", package / "wire")
    text = "".join(each.read_text() for folder in folders for each in folder.glob("*.py"))
    names = re.findall(r"`(\w+)(?:\([^`]*)?`", PAGE.partition("## A connection")[2])
    assert len(names) > 20
    assert {name for name in names if not re.search(rf"\b{name}\b", text)} == set()
