"""WebSockets in a real daemon: on every kind of listener, with every client, under its limits."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from socketsuite.testing import Daemon
from tests.daemons.web_service import SERVICE
from tests.support.outside import SECONDS
from tests.support.stranger import package
from tests.support.websocket_frames import (
    BINARY,
    PING,
    PONG,
    TEXT,
    Got,
    close_frame,
    frame,
    opening,
    take_frame,
)

UNIX = "web.sock"
AUTHORITY = trustme.CA(key_type=trustme.KeyType.ECDSA)


class Caller:
    """A WebSocket's client on a socket of any kind."""

    def __init__(self, connection: socket.socket, path: str = "/ws") -> None:
        self.socket, self.data = connection, b""
        connection.settimeout(SECONDS)
        connection.sendall(opening(path) + frame(TEXT, b"early"))
        while b"\r\n\r\n" not in self.data:
            self._take()
        head, _, self.data = self.data.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        assert self.frame().payload == b"early"

    def _take(self) -> None:
        piece = self.socket.recv(1 << 16)
        assert piece, f"ended after {self.data[:500]!r}"
        self.data += piece

    def frame(self, *, pings: bool = False) -> Got:
        while True:
            while (taken := take_frame(self.data)) is None:
                self._take()
            got, self.data = taken
            if pings or got.opcode != PING:
                return got

    def ask(self, text: str) -> str:
        self.socket.sendall(frame(TEXT, text.encode()))
        return self.frame().payload.decode()

    def ended(self) -> bool:
        with contextlib.suppress(ConnectionResetError):
            while piece := self.socket.recv(1 << 16):
                self.data += piece
        return True


TRANSPORTS = [
    pytest.param(transport, marks=pytest.mark.xdist_group(f"web layer on {transport}"))
    for transport in ("burst", "twisted")
]


def started(folder: Path, transport: str, idle: str = "60") -> Daemon:
    leaf = AUTHORITY.issue_cert("localhost")
    leaf.private_key_and_cert_chain_pem.write_to_path(str(folder / "cert.pem"))
    return Daemon(
        folder,
        "acme-service",
        *("--port", "0", "--tls-port", "0", "--tls-cert", str(folder / "cert.pem")),
        *("--unix", str(folder / UNIX), "--proxy-from", "unix"),
        *("--transport", transport, "--idle-timeout", idle, "--send-queue", "200000"),
        *("--drain-timeout", "10"),
        env=package(folder, SERVICE),
    ).wait_until_ready()


@pytest.fixture(scope="module", params=TRANSPORTS)
def daemon(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Daemon]:
    made = started(tmp_path_factory.mktemp("web"), request.param)
    yield made
    made.kill()


@pytest.fixture
def launched(tmp_path: Path) -> Iterator[Callable[..., Daemon]]:
    """Start a daemon that a test may end."""
    made: list[Daemon] = []

    def launch(transport: str, idle: str = "60") -> Daemon:
        made.append(started(tmp_path, transport, idle))
        return made[-1]

    yield launch
    for each in made:
        each.kill()


def tcp(daemon: Daemon) -> socket.socket:
    return socket.create_connection(("127.0.0.1", daemon.port("tcp")))


def tls(daemon: Daemon) -> socket.socket:
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    made = socket.create_connection(("127.0.0.1", daemon.port("tls")))
    return context.wrap_socket(made, server_hostname="localhost")


def proxied(daemon: Daemon) -> socket.socket:
    made = daemon.connect_unix(UNIX)
    made.sendall(b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 80\r\n")
    return made


def test_a_websocket_is_the_same_on_every_kind_of_listener(daemon: Daemon) -> None:
    before = len(daemon.lines)
    callers = [Caller(tcp(daemon)), Caller(tls(daemon)), Caller(proxied(daemon))]
    assert [caller.ask("who") for caller in callers] == ["127.0.0.1", "127.0.0.1", "192.0.2.7"]
    data = bytes(range(256)) * 250
    for caller in callers:
        caller.socket.sendall(frame(BINARY, data)[:30_000])
        caller.socket.sendall(frame(BINARY, data)[30_000:] + frame(PING, b"ping"))
        assert caller.frame().payload == data
        assert caller.frame() == Got(PONG, b"ping")
    callers[0].socket.sendall(frame(TEXT, "all grüße".encode()))
    assert [caller.frame().payload.decode() for caller in callers] == ["grüße"] * 3
    # A peer that breaks a rule hears why, on every kind; so does one whose handler fails.
    for caller in callers[:2]:
        caller.socket.sendall(frame(TEXT, b"\xff"))
        assert caller.frame().code == 1007
        assert caller.ended()
    callers[2].socket.sendall(frame(TEXT, b"fail"))
    assert callers[2].frame().code == 1011
    assert callers[2].ended()
    daemon.wait_for_line("reason=closed_by_service .*not UTF-8", before)
    callers[2].socket.close()
    daemon.wait_for_line("reason=error_in_protocol", before)
    refused = tcp(daemon)
    refused.sendall(b"GET nothing\r\n\r\n")
    assert refused.recv(100).startswith(b"HTTP/1.1 400 ")
    refused.close()
    daemon.wait_for_line("reason=closed_by_service .*HTTP 400", before)
    again = Caller(tcp(daemon))
    before = len(daemon.lines)
    again.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    again.socket.close()
    daemon.wait_for_line("closed code=1006", before)


@pytest.mark.parametrize("transport", ["burst", "twisted"])
def test_the_daemons_limits_hold_for_websockets_as_for_all(
    transport: str, launched: Callable[..., Daemon]
) -> None:
    daemon = launched(transport, idle="1")
    # Pings keep one from being idle, and whoever does not answer them is.
    answering, silent = Caller(tcp(daemon)), Caller(tcp(daemon), "/quiet")
    began = time.monotonic()
    while time.monotonic() < began + 1.8:
        assert answering.frame(pings=True).opcode == PING
        answering.socket.sendall(frame(PONG))
    assert silent.ended()
    peer = "{}:{}".format(*silent.socket.getsockname())
    daemon.wait_for_line(rf"peer={peer} .*reason=idle_timeout")
    daemon.wait_for_line("closed code=1006")
    # One that leaves too much unread is dropped, and nobody else.
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.connect(("127.0.0.1", daemon.port("tcp")))
    Caller(deaf)
    text = b"all " + b"x" * 60_000
    for _ in range(400):
        answering.socket.sendall(frame(TEXT, text))
        assert len(answering.frame().payload) == 60_000
        if any("reason=send_queue_full" in line for line in daemon.lines):
            break
    daemon.wait_for_line("reason=send_queue_full")
    assert answering.ask("still here") == "still here"
    answering.socket.sendall(close_frame(1000))
    assert answering.frame().code == 1000


@pytest.mark.parametrize("transport", ["burst", "twisted"])
def test_a_drain_says_1001_and_waits_for_the_answers(
    transport: str, launched: Callable[..., Daemon]
) -> None:
    daemon = launched(transport)
    daemon.send_signal(signal.SIGHUP)  # a reload changes nothing for those who are connected
    daemon.wait_for_line("reloaded")
    half = tcp(daemon)
    half.settimeout(SECONDS)
    half.sendall(opening()[:40])  # read before the next three are
    callers = [Caller(tcp(daemon)), Caller(tls(daemon)), Caller(proxied(daemon))]
    began = time.monotonic()
    daemon.send_signal(signal.SIGTERM)
    for caller in callers:
        assert caller.frame().code == 1001
        caller.socket.sendall(close_frame(1001))
        assert caller.ended()
    half.sendall(opening()[40:])
    assert half.recv(1 << 16).startswith(b"HTTP/1.1 503 ")
    assert half.recv(1) == b""
    assert daemon.wait() == 0
    assert time.monotonic() < began + 8
    assert daemon.log.count("closed code=1001") == 3


def test_real_clients_speak_with_it(daemon: Daemon, tmp_path: Path) -> None:
    url = f"ws://127.0.0.1:{daemon.port('tcp')}/ws"
    in_node(url, tmp_path)
    websockets = pytest.importorskip("websockets.asyncio.client")

    async def speak() -> None:
        async with websockets.connect(url, origin=url[:-3].replace("ws", "http")) as client:
            for message in ("", "grüße", "x" * 60_000, b"", bytes(60_000)):
                await client.send(message)
                assert await client.recv() == message
            await (await client.ping(b"here"))
            await client.send(["in ", "three ", "pieces"])
            assert await client.recv() == "in three pieces"
            await client.send("x" * 70_000)
            with pytest.raises(Exception, match="1009"):
                await client.recv()

    asyncio.run(speak())


WS = """
const WebSocket = require(process.argv[2]);
const client = new WebSocket(process.argv[3]);
const sent = ['', 'grüße', 'x'.repeat(60000), Buffer.alloc(60000, 7)];
const heard = [];
client.on('open', () => { client.ping('here'); sent.forEach(each => client.send(each)); });
client.on('message', (data, binary) => {
  heard.push([binary, data.length]);
  if (heard.length === sent.length) client.close(1000, 'done');
});
client.on('close', (code, reason) => {
  console.log(JSON.stringify({heard, code, reason: String(reason), what: client.extensions}));
});
"""


def in_node(url: str, folder: Path) -> None:
    """Debian's ws, where it is installed."""
    library = Path("/usr/share/nodejs/ws")
    if shutil.which("node") is None or not library.exists():
        return
    (folder / "client.js").write_text(WS)
    command = ["node", str(folder / "client.js"), str(library), url]
    said = json.loads(subprocess.run(command, capture_output=True, timeout=SECONDS).stdout)
    assert said["heard"] == [[False, 0], [False, 7], [False, 60000], [True, 60000]]
    assert (said["code"], said["what"]) == (1000, "permessage-deflate")
