from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support.engine_caller import WebSocket, request

COMMAND = [sys.executable, "-m", "socketsuite.testing.socketio_conformance", "--port"]
OPENED = {"pingInterval": 300, "pingTimeout": 200, "maxPayload": 1_000_000}
TWO = '[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]'


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with subprocess.Popen([*COMMAND, "0"], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = re.fullmatch(r"listening at http://localhost:(\d+)\n", process.stdout.readline())
            assert said
            yield int(said[1])
        finally:
            process.kill()


def test_engine_io_sends_each_message_back(port: int) -> None:
    caller = WebSocket(port, "/engine.io/?EIO=4&transport=websocket", origin="https://any.example")
    opened = json.loads(caller.receive()[1:])
    assert opened.items() >= OPENED.items()
    caller.send("4hello", b"\x01\x02")
    assert [caller.receive(), caller.receive()] == ["4hello", b"\x01\x02"]
    status, text, _ = request(port, "/engine.io/?EIO=4&transport=polling")
    assert status == 200
    assert json.loads(text[1:]).items() >= OPENED.items()


@pytest.mark.parametrize(("namespace", "prefix"), [("", ""), ("/custom", "/custom,")])
def test_socket_io_answers_on_both_namespaces(port: int, namespace: str, prefix: str) -> None:
    caller = WebSocket(port)
    assert json.loads(caller.receive()[1:]).items() >= OPENED.items()
    caller.send(f'40{namespace},{{"token":"a"}}' if namespace else '40{"token":"a"}')
    assert caller.receive().startswith(f'40{prefix}{{"sid":')
    assert caller.receive() == f'42{prefix}["auth",{{"token":"a"}}]'
    caller.send(f'42{prefix}["message",1,{{"2":[]}}]', f'42{prefix}7["message-with-ack",1,"2"]')
    assert caller.receive() == f'42{prefix}["message-back",1,{{"2":[]}}]'
    assert caller.receive() == f'43{prefix}7[1,"2"]'
    caller.send(f'452-{prefix}8["message-with-ack",{TWO[1:]}', b"a", b"b")
    assert [caller.receive() for _ in range(3)] == [f"462-{prefix}8{TWO}", b"a", b"b"]


def test_a_port_in_use_is_one_line_and_status_1(port: int) -> None:
    done = subprocess.run([*COMMAND, str(port)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert re.fullmatch(rf"cannot listen at 127.0.0.1 port {port}: .*\n", done.stderr)
