"""Factories that connect elsewhere for their callers: SOCKS4, and a forwarded port."""

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Generator, Iterator
from functools import partial

from tests.strangers.subject import SECONDS, Listener, Stranger
from tests.strangers.taking import ran, slowly

SOCKS_SOURCE = """
from twisted.protocols.socks import SOCKSv4Factory


def factory():
    return SOCKSv4Factory(None)
"""
# The origin's port is known only when it runs: the file says it to each new connection.
FORWARD_SOURCE = """
from twisted.protocols.portforward import ProxyFactory


class Forward(ProxyFactory):
    @property
    def port(self):
        with open("origin-port") as file:
            return int(file.read())

    @port.setter
    def port(self, value):
        pass


def factory():
    return Forward("127.0.0.1", 0)
"""


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


@contextlib.contextmanager
def origin(where: Listener) -> Iterator[int]:
    """A web server of somebody else's, which serves the large file."""
    handler = partial(_Quiet, directory=str(where.folder / "content"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        (where.folder / "origin-port").write_text(str(server.server_port))
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def socks(port: int, target: int, path: str) -> list[str]:
    common = ["curl", "-sS", "--max-time", str(SECONDS), "--socks4", f"127.0.0.1:{port}"]
    return [*common, f"http://127.0.0.1:{target}{path}"]


def socks_talk(where: Listener) -> None:
    large = (where.folder / "content" / "large.bin").read_bytes()
    with origin(where) as target, where.as_tcp() as port:
        assert ran(*socks(port, target, "/small.txt")) == b"a small file\n"
        assert ran(*socks(port, target, "/large.bin")) == large
    with where.as_tcp() as port:  # nobody is there any more
        ran(*socks(port, target, "/small.txt"), status=97)


def socks_transfer(where: Listener) -> Generator[None]:
    large = (where.folder / "content" / "large.bin").read_bytes()
    with origin(where) as target, where.as_tcp() as port:
        yield from slowly(socks(port, target, "/large.bin"), large)


def forward_talk(where: Listener) -> None:
    large = (where.folder / "content" / "large.bin").read_bytes()
    words, base = where.curl("http")
    common = ("curl", "-sS", "--max-time", str(SECONDS), *words)
    with origin(where):
        assert ran(*common, base + "/small.txt") == b"a small file\n"
        assert ran(*common, base + "/large.bin") == large


def forward_transfer(where: Listener) -> Generator[None]:
    large = (where.folder / "content" / "large.bin").read_bytes()
    words, base = where.curl("http")
    with origin(where):
        yield from slowly(["curl", "-sS", *words, base + "/large.bin"], large)


SOCKS = Stranger(
    "socks",
    "`twisted.protocols.socks.SOCKSv4Factory`",
    "curl --socks4",
    SOCKS_SOURCE,
    socks_talk,
    socks_transfer,
    "a download through it",
    note="the connections that it makes are its own: no limits nor figures see them",
    programs=("curl",),
)
FORWARD = Stranger(
    "forward",
    "`twisted.protocols.portforward.ProxyFactory`",
    "curl",
    FORWARD_SOURCE,
    forward_talk,
    forward_transfer,
    "a download through it",
    note="as SOCKS",
    programs=("curl",),
)
