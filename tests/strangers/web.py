"""twisted.web's Site: files, HTTP/1.1 and HTTP/2 by curl, by hand through openssl, WebSocket."""

from __future__ import annotations

from collections.abc import Generator

from tests.strangers.subject import SECONDS, Listener, Stranger
from tests.strangers.taking import ran, slowly

SOURCE = """
from twisted.web.resource import Resource
from twisted.web.server import Site
from twisted.web.static import File
from twisted.web.websocket import WebSocketResource


class Echo:
    def negotiationStarted(self, transport):
        self.transport = transport

    def textMessageReceived(self, message):
        self.transport.sendTextMessage(message)

    def bytesMessageReceived(self, data):
        self.transport.sendBytesMessage(bytes(data))

    def negotiationFinished(self):
        pass

    pongReceived = connectionLost = lambda self, what: None


class Echoes:
    def buildProtocol(self, request):
        return Echo()


def factory():
    root = Resource()
    root.putChild(b"files", File("content"))
    root.putChild(b"echo", WebSocketResource(Echoes()))
    return Site(root)
"""


def versions(where: Listener) -> list[str]:
    """HTTP/2 is chosen by ALPN, and so needs TLS."""
    return ["--http1.1", "--http2"] if where.kind == "tls" else ["--http1.1"]


def fetched(where: Listener, url: str, *more: str) -> bytes:
    words, base = where.curl("http")
    return ran("curl", "-sS", "--max-time", str(SECONDS), *words, *more, base + url)


def talk(where: Listener) -> None:
    large = (where.folder / "content" / "large.bin").read_bytes()
    for version in versions(where):
        told = "%{stderr}%{http_version}"
        assert fetched(where, "/files/small.txt", version, "-w", told) == b"a small file\n"
        assert fetched(where, "/files/large.bin", version) == large
        ranged = fetched(where, "/files/large.bin", version, "-r", "1000-1999")
        assert ranged == large[1000:2000]
    if where.kind == "tls":
        words = ("-quiet", "-connect", f"127.0.0.1:{where.port}", "-CAfile", where.authority)
        request = b"GET /files/small.txt HTTP/1.0\r\n\r\n"
        said = ran("openssl", "s_client", *words, text=request)
        assert said.endswith(b"\r\n\r\na small file\n")
    web_socket(where, "/echo")


def web_socket(where: Listener, path: str) -> None:
    """An echo by WebSocket gives back what it is sent, small and large, and closes when asked."""
    from websockets.sync.client import connect

    url = f"ws://127.0.0.1{path}"
    # Over TLS Twisted leaves the close to the client.
    with connect(url, sock=where.dial(), max_size=None, close_timeout=1) as client:
        for message in ("hello", b"\0\1\2", "w" * 200_000):
            client.send(message)
            assert client.recv(SECONDS) == message


def transfer(where: Listener) -> Generator[None]:
    words, base = where.curl("http")
    command = ["curl", "-sS", versions(where)[-1], *words, f"{base}/files/large.bin"]
    return slowly(command, (where.folder / "content" / "large.bin").read_bytes())


SITE = Stranger(
    "site",
    "`twisted.web.server.Site`: files, HTTP/1.1, HTTP/2, WebSocket",
    "curl, openssl s_client, websockets",
    SOURCE,
    talk,
    transfer,
    "a file",
    note="HTTP/2 by ALPN, so over TLS; there the close of a WebSocket is left to the client, since"
    " Twisted's HTTP channel stays registered as a producer",
    programs=("curl", "openssl"),
    packages=("h2", "wsproto", "websockets"),
)
