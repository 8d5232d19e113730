"""twisted.web as a stranger's service: large answers, slow readers, HTTP/1.1 and HTTP/2, drain."""

from __future__ import annotations

import hashlib
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from socketsuite.testing import Daemon, read_all, read_exactly
from tests.daemons.conftest import Start
from tests.support.outside import SECONDS, piped
from tests.support.stranger import package

FILE_BYTES = 3_000_000
BODY_BYTES = 5 << 20

SITE = f"""
import os

from twisted.internet.interfaces import IPushProducer
from twisted.internet.task import deferLater
from twisted.protocols.basic import FileSender
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site
from twisted.web.static import File
from zope.interface import implementer

CONTENT = os.environ["CONTENT"]


class Body(Resource):
    isLeaf = True

    def render_GET(self, request):
        return b"b" * {BODY_BYTES}


class Sender(Resource):
    isLeaf = True

    def render_GET(self, request):
        file = open(CONTENT, "rb")
        done = FileSender().beginFileTransfer(file, request)
        done.addCallbacks(lambda _: request.finish(), lambda _: None)
        done.addBoth(lambda _: file.close())
        return NOT_DONE_YET


class Late(Resource):
    isLeaf = True

    def __init__(self, reactor):
        super().__init__()
        self.reactor = reactor

    def render_GET(self, request):
        print("asked", flush=True)
        seconds = float(request.args[b"seconds"][0])
        later = deferLater(self.reactor, seconds, request.write, b"late\\n")
        later.addCallback(lambda _: request.finish())
        later.addErrback(lambda _: None)
        return NOT_DONE_YET


@implementer(IPushProducer)
class Counting:
    \"\"\"Forgives no pause too many, as those do that count.\"\"\"

    def __init__(self, request, reactor):
        self.request, self.reactor, self.left, self.pauses = request, reactor, 200, 0
        request.registerProducer(self, True)
        self.produce()

    def produce(self):
        if self.request is None or self.pauses:
            return
        self.left -= 1
        self.request.write(b"p" * 20_000)
        if not self.left:
            self.request.unregisterProducer()
            self.request.finish()
            self.request = None
        else:
            self.reactor.callLater(0, self.produce)

    def pauseProducing(self):
        self.pauses += 1

    def resumeProducing(self):
        self.pauses -= 1
        assert self.pauses == 0, self.pauses
        self.produce()

    def stopProducing(self):
        self.request = None


class Pushed(Late):
    def render_GET(self, request):
        Counting(request, self.reactor)
        return NOT_DONE_YET


def factory(reactor):
    root = Resource()
    root.putChild(b"file", File(CONTENT))
    root.putChild(b"body", Body())
    root.putChild(b"sender", Sender())
    root.putChild(b"late", Late(reactor))
    root.putChild(b"pushed", Pushed(reactor))
    return Site(root, reactor=reactor)
"""


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    made = random.Random(7).randbytes(FILE_BYTES)
    (tmp_path / "content.bin").write_bytes(made)
    return made


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def site(serve: Start, tmp_path: Path, content: bytes, authority: trustme.CA) -> Start:
    """Start the site, on a port of the kind asked for, on one of the transports."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    leaf = authority.issue_cert("localhost")
    leaf.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "cert.pem"))
    env = {**package(tmp_path, SITE), "CONTENT": str(tmp_path / "content.bin")}

    def start(kind: str, transport: str = "burst", *more: str) -> Daemon:
        where = {
            "tcp": ("--port", "0"),
            "unix": ("--unix", str(tmp_path / "sock")),
            "tls": ("--port", "0", "--tls-cert", str(tmp_path / "cert.pem")),
        }[kind]
        return serve("acme-service", *where, "--transport", transport, *more, env=env)

    return start


def caller_of(daemon: Daemon, kind: str, folder: Path, buffer: int = 0) -> socket.socket:
    """Return a connection; *buffer* bytes are what the kernel holds for it."""
    made = socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET)
    made.settimeout(SECONDS)
    if buffer:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    made.connect(str(folder / "sock") if kind == "unix" else ("127.0.0.1", daemon.port(kind)))
    if kind == "tls":
        context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
        return context.wrap_socket(made, server_hostname="localhost")
    return made


def ask(connection: socket.socket, path: str) -> None:
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    connection.sendall(request.encode())


def body_of(answer: bytes) -> bytes:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), head
    if b"chunked" not in head:
        return body
    pieces = []
    while body:
        size, _, body = body.partition(b"\r\n")
        pieces.append(body[: int(size, 16)])
        body = body[int(size, 16) + 2 :]
    return b"".join(pieces)


def read_slowly(connection: socket.socket) -> bytes:
    """Return all of it, taken in pieces so small that the sender has to wait in between."""
    pieces = []
    while piece := connection.recv(20_000):
        pieces.append(piece)
        if len(pieces) % 16 == 0:
            time.sleep(0.001)  # the subject: a reader who is slower than the sender
    return b"".join(pieces)


KINDS = [(kind, transport) for kind in ("tcp", "tls", "unix") for transport in ("burst", "twisted")]
every_kind = pytest.mark.parametrize(("kind", "transport"), KINDS)
READERS: dict[str, Callable[[socket.socket], bytes]] = {"fast": read_all, "slow": read_slowly}


@every_kind
def test_large_answers_arrive_whole_at_fast_and_at_slow_readers(
    site: Start, tmp_path: Path, content: bytes, kind: str, transport: str
) -> None:
    daemon = site(kind, transport)
    wanted = {
        "/file": content,
        "/sender": content,
        "/body": b"b" * BODY_BYTES,
        "/pushed": b"p" * 4_000_000,
    }
    for reader in READERS.values():
        for path, body in wanted.items():
            buffer = 8192 if reader is read_slowly else 0
            with caller_of(daemon, kind, tmp_path, buffer) as connection:
                ask(connection, path)
                got = body_of(reader(connection))
            assert (len(got), got == body) == (len(body), True), (path, kind, transport)
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.log


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
@pytest.mark.parametrize("transport", ["burst", "twisted"])
@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_curl_gets_large_answers_by_every_version_of_http(
    site: Start, tmp_path: Path, content: bytes, version: str, transport: str
) -> None:
    pytest.importorskip("h2")
    daemon = site("tls", transport)
    base = f"https://localhost:{daemon.port('tls')}"
    trust = ("--cacert", str(tmp_path / "ca.pem"), "--max-time", str(SECONDS))
    for path, body in (("/file", content), ("/body", b"b" * BODY_BYTES)):
        name = str(tmp_path / "got")
        command = ("curl", "-sS", version, *trust, "-o", name, "-w", "%{http_version}")
        said = piped(b"", *command, "--limit-rate", "20M", base + path)
        assert said == {"--http1.1": b"1.1", "--http2": b"2"}[version]
        assert hashlib.sha256(Path(name).read_bytes()).digest() == hashlib.sha256(body).digest()
    # Three at once, on one connection where the version allows it.
    each = [word for n in range(3) for word in ("-o", f"{tmp_path}/many{n}", base + "/file")]
    piped(b"", "curl", "-sS", version, *trust, "--parallel", *each)
    assert all((tmp_path / f"many{n}").read_bytes() == content for n in range(3))


def answer_of(connection: socket.socket) -> tuple[bytes, bytes]:
    """Return the head and the body of one response that tells its length."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += connection.recv(1)
    found = re.search(rb"Content-Length: (\d+)", head, re.IGNORECASE)
    if found is not None:
        return head, read_exactly(connection, int(found[1]))
    body = b""
    while not body.endswith(b"0\r\n\r\n"):
        body += connection.recv(1)
    return head, body


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


@pytest.mark.parametrize("transport", ["burst", "twisted"])
@pytest.mark.parametrize("kind", ["tcp", "tls"])
def test_a_drain_closes_idle_http_connections_and_answers_what_was_asked(
    site: Start, tmp_path: Path, kind: str, transport: str
) -> None:
    daemon = site(kind, transport, "--drain-timeout", "10", "--log-data", "sizes")
    with (
        caller_of(daemon, kind, tmp_path) as idle,
        caller_of(daemon, kind, tmp_path) as waiting,
        caller_of(daemon, kind, tmp_path) as asking,
    ):
        idle.sendall(get("/late?seconds=0"))
        assert b"Connection: close" not in answer_of(idle)[0]
        waiting.sendall(get("/late?seconds=1"))
        asking.sendall(get("/late?seconds=0"))
        answer_of(asking)
        until_asked(daemon, 3)
        peer, before = "{}:{}".format(*asking.getsockname()), len(daemon.lines)
        asking.sendall(b"GET /late?seconds=0 HTTP/1.1\r\nHost: ")
        daemon.wait_for_line(rf"received transport=\S+ peer={peer} ", before)
        began = time.monotonic()
        daemon.send_signal(signal.SIGTERM)
        assert idle.recv(1) == b""
        head, body = answer_of(waiting)
        assert b"Connection: close" in head
        assert b"late\n" in body
        assert waiting.recv(1) == b""
        asking.sendall(b"localhost\r\n\r\n")
        head, body = answer_of(asking)
        assert b"Connection: close" in head
        assert asking.recv(1) == b""
        assert daemon.wait() == 0
    assert time.monotonic() - began < 8  # long before --drain-timeout
    assert "stopped aborted=0" in daemon.log


def until_asked(daemon: Daemon, count: int) -> None:
    """Return when *count* requests for ``/late`` have come to their resource."""
    found = daemon.follow(r" asked$")
    for _ in range(count):
        next(found)


@pytest.mark.parametrize("transport", ["burst", "twisted"])
def test_a_drain_says_goaway_and_finishes_the_streams_of_http2(
    site: Start, tmp_path: Path, transport: str
) -> None:
    pytest.importorskip("h2")
    daemon = site("tls", transport, "--log-data", "sizes")
    url = f"https://localhost:{daemon.port('tls')}/late?seconds=1"
    trust = ("--cacert", str(tmp_path / "ca.pem"), "--max-time", str(SECONDS))
    command = ["curl", "-sSv", "--http2", *trust, url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as curl:
        until_asked(daemon, 1)
        assert curl.stderr is not None
        for line in curl.stderr:  # the request has been sent
            if line.startswith(b"> GET"):
                break
        began = time.monotonic()
        daemon.send_signal(signal.SIGTERM)
        said, _ = curl.communicate(timeout=SECONDS)
    assert (curl.returncode, said) == (0, b"late\n")
    assert daemon.wait() == 0
    assert time.monotonic() - began < 8
    assert "stopped aborted=0" in daemon.log


@pytest.mark.parametrize("transport", ["burst", "twisted"])
@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_a_caller_who_half_closes_gets_an_answer_that_takes_its_time(
    site: Start, tmp_path: Path, kind: str, transport: str
) -> None:
    """The request is at work for longer than the time-out for those who may not be."""
    daemon = site(kind, transport, "--half-close-timeout", "0.2")
    with caller_of(daemon, kind, tmp_path) as connection:
        connection.sendall(b"GET /late?seconds=1 HTTP/1.0\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        assert read_all(connection).endswith(b"\r\n\r\nlate\n")
