"""The web frontend behind proxies: who is named by PROXY or by HTTP, and who is not believed."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from socketsuite.testing import Certificate, Daemon

OPENING = (
    b"GET /ws HTTP/1.1\r\nHost: chat\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: MDAwMDAwMDAwMDAwMDAwMA==\r\nSec-WebSocket-Version: 13\r\n"
)
PROXY = b"PROXY TCP4 192.0.2.9 198.51.100.1 5000 443\r\n"
FORWARDED = b"X-Forwarded-For: 203.0.113.1, 192.0.2.7\r\n"


@pytest.fixture(scope="module", params=["burst", "twisted"])
def chat(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("chat")
    words = ["--port", "0", "--web-port", "0", "--max-connections-per-host", "2"]
    words += ["--proxy-from", "127.0.0.1", "--transport", request.param]
    daemon = Daemon(folder, "socketsuite-chat", *words)
    try:
        yield daemon.wait_until_ready()
    finally:
        daemon.kill()


def asked(daemon: Daemon, *pieces: bytes) -> tuple[socket.socket, bytes]:
    """Say *pieces*, each once the one before was taken; return the connection, and the status."""
    caller = daemon.connect(port=daemon.port(frontend="web"))
    for piece in pieces:
        caller.sendall(piece)
    return caller, caller.recv(65536).split(b" ")[1]


def wait_until_read(caller: socket.socket) -> None:
    """Return when the daemon has taken what was sent: nothing of it waits in its socket."""
    local = caller.getsockname()[1]
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            _, _, remote, state, queues, *_ = line.split()
            theirs = state == "01" and int(remote.split(":")[1], 16) == local
            if theirs and int(queues.split(":")[1], 16) == 0:
                return
        time.sleep(0.01)
    raise AssertionError("the daemon does not read")


def test_a_proxy_names_the_client_by_either_header_and_limits_are_the_clients(
    chat: Daemon,
) -> None:
    answers = [asked(chat, OPENING, FORWARDED, b"\r\n") for _ in range(3)]
    assert [status for _, status in answers] == [b"101", b"101", b"503"]
    answers += [asked(chat, PROXY, OPENING, b"\r\n") for _ in range(2)]
    assert [status for _, status in answers[3:]] == [b"101", b"101"]
    chat.wait_for_line("refused .*peer=192.0.2.7 reason=max_connections_per_host")
    chat.wait_for_line("request peer=192.0.2.9 method=GET path=/ws status=101")
    for caller, _ in answers:
        caller.close()
    chat.wait_for_line(r"closed .*peer=192\.0\.2\.7 ")
    chat.wait_for_line(r"closed .*peer=192\.0\.2\.9:5000 ")


def test_a_request_whose_first_letter_a_header_has_too_is_read_whole(chat: Daemon) -> None:
    port = chat.port(frontend="web")
    with chat.connect(port=port) as caller:
        caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        caller.sendall(b"P")
        wait_until_read(caller)
        caller.sendall(b"OST /ws HTTP/1.1\r\nHost: chat\r\nContent-Length: 0\r\n\r\n")
        assert re.match(rb"HTTP/1\.1 4\d\d ", caller.recv(65536))


def test_nobody_else_is_believed(tmp_path: Path) -> None:
    daemon = Daemon(tmp_path, "socketsuite-chat", "--port", "0", "--web-port", "0")
    try:
        daemon.wait_until_ready()
        caller, status = asked(daemon, OPENING, FORWARDED, b"\r\n")
        assert status == b"101"
        daemon.wait_for_line("request peer=127.0.0.1 method=GET path=/ws status=101")
        caller.close()
        caller, status = asked(daemon, PROXY, OPENING, b"\r\n")
        assert status == b"400"
        caller.close()
    finally:
        daemon.kill()


def test_over_tls_the_proxy_says_it_inside_or_before_the_handshake(tmp_path: Path) -> None:
    certificate = Certificate.make(tmp_path)
    words = ["--port", "0", "--web-tls-port", "0", *certificate.arguments]
    daemon = Daemon(tmp_path, "socketsuite-chat", *words, "--proxy-from", "127.0.0.1")
    try:
        daemon.wait_until_ready()
        for first, header in ((b"", FORWARDED), (PROXY, b"")):
            caller = daemon.connect(port=daemon.port("tls", frontend="web"))
            caller.sendall(first)
            with certificate.client().wrap_socket(caller, server_hostname="localhost") as secured:
                secured.sendall(OPENING + header + b"\r\n")
                assert secured.recv(65536).startswith(b"HTTP/1.1 101 ")
        daemon.wait_for_line("request peer=192.0.2.7 method=GET path=/ws status=101")
        daemon.wait_for_line("request peer=192.0.2.9 method=GET path=/ws status=101")
        with daemon.connect(port=daemon.port("tls", frontend="web")) as caller:
            caller.sendall(b"PO")
            wait_until_read(caller)
            caller.sendall(b"ST / HTTP/1.1\r\n\r\n")
            assert caller.recv(100) == b""
    finally:
        daemon.kill()
