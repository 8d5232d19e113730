"""PROXY headers wherever they may come first: every listener, on both transports."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from socketsuite.testing import Certificate, Daemon, read_all, read_line
from tests.daemons.conftest import Start

CLIENT, DENIED = "192.0.2.7", "192.0.2.8"
LOCAL = "local=198.51.100.1:443"
TRANSPORTS = ("burst", "twisted")
UNIX, UNIX_ENDPOINT = "unix.sock", "endpoint.sock"

Call = Callable[[bytes], socket.socket]


def header(version: int, client: str = CLIENT) -> bytes:
    """Return what a proxy says of *client*, who called from port 5000."""
    if version == 1:
        return f"PROXY TCP4 {client} 198.51.100.1 5000 443\r\n".encode()
    ends = socket.inet_aton(client) + socket.inet_aton("198.51.100.1") + b"\x13\x88\x01\xbb"
    extension = b"\xea\x00\x04zone"
    return b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x13" + ends + extension


def callers(daemon: Daemon, certificate: Certificate | None = None) -> dict[str, Call]:
    """Return what calls each listener of *daemon*, and says its first bytes; TLS comes after."""

    def plain(port: int, first: bytes) -> socket.socket:
        made = daemon.connect(port=port)
        made.sendall(first)
        return made

    def secured(port: int, first: bytes) -> socket.socket:
        assert certificate is not None
        return certificate.client().wrap_socket(plain(port, first), server_hostname="localhost")

    def local(path: str, first: bytes) -> socket.socket:
        made = daemon.connect_unix(path)
        made.sendall(first)
        return made

    ways: dict[str, Call] = {UNIX: lambda first: local(UNIX, first)}
    if certificate is None:
        ways["tcp"] = lambda first: plain(daemon.port(), first)
        return ways
    tcp, tls = daemon.ports("endpoint")[:2]
    ways["--tls-cert"] = lambda first: secured(daemon.port("tls"), first)
    ways["--listen tcp:"] = lambda first: plain(tcp, first)
    ways["--listen ssl:"] = lambda first: secured(tls, first)
    ways["--listen unix:"] = lambda first: local(UNIX_ENDPOINT, first)
    return ways


def served(caller: socket.socket) -> bool:
    """Whether this caller is answered."""
    with caller:
        caller.sendall(b"a\n")
        return read_line(caller) == b"n\n"


def ends(call: Call, first: bytes) -> None:
    """Call, say *first*, and return when the daemon has ended the connection."""
    with contextlib.suppress(OSError), call(first) as caller:  # in a handshake, perhaps
        assert read_all(caller) == b""


def refusals(daemon: Daemon) -> dict[str, int]:
    """Return how many were refused, by the reason."""
    found: dict[str, int] = {}
    for name, count in daemon.metrics().items():
        if count and (label := re.match(r'socketsuite_refusals_total{.*reason="(\w+)"', name)):
            found[label[1]] = found.get(label[1], 0) + int(count)
    return found


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_every_listener_hears_of_the_real_client_from_the_header(
    serve: Start, tmp_path: Path, transport: str
) -> None:
    certificate = Certificate.make(tmp_path)
    file = certificate.path.name
    secured = f"ssl:0:interface=127.0.0.1:privateKey={file}:certKey={file}"
    daemon = serve(
        *("acme-rot13", "--transport", transport, *certificate.arguments, "--port", "0"),
        *("--unix", UNIX, "--listen", "tcp:0:interface=127.0.0.1", "--listen", secured),
        *("--listen", "haproxy:tcp:0:interface=127.0.0.1", "--listen", f"unix:{UNIX_ENDPOINT}"),
        *("--proxy-from", "127.0.0.1", "--proxy-from", "unix", "--deny", DENIED),
        *("--log-data", "sizes", "--metrics-port", "0"),
    )
    ways = callers(daemon, certificate)
    for name, call in ways.items():
        for version in (1, 2):
            told = len(daemon.lines)
            assert served(call(header(version))), name
            daemon.wait_for_line(rf" connected transport=\w+ peer={CLIENT}:5000 {LOCAL}", told)
            daemon.wait_for_line(rf" received transport=\w+ peer={CLIENT}:5000 ", told)
            daemon.wait_for_line(rf" closed transport=\w+ peer={CLIENT}:5000 ", told)
        ends(call, header(2, DENIED))
        ends(call, b"GET / HTTP/1.0\r\n")
    assert refusals(daemon) == {"deny": len(ways), "bad_proxy_header": len(ways)}
    assert daemon.has_line(rf" refused transport=\w+ peer={DENIED}:5000 reason=deny$")
    # Its own parser reads the header, and nothing of ours asks for a second one.
    with daemon.connect(port=daemon.ports("endpoint")[2]) as caller:
        caller.sendall(header(1))
        assert served(caller)
    daemon.wait_for_line(" closed transport=tcp peer=127.0.0.1:")
    # Whose header is still awaited when a drain begins need not be waited for.
    with contextlib.ExitStack() as stack:
        plain = [name for name in ways if name not in ("--tls-cert", "--listen ssl:")]
        for name in plain:
            stack.enter_context(ways[name](header(1)[:20]))
        assert daemon.stop() == 0
    assert "draining connections=3 " in daemon.log
    assert daemon.has_line(r" refused transport=\w+ .*reason=drained$")
    assert "stopped aborted=0" in daemon.log
    assert "Traceback" not in daemon.log


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_the_time_limits_are_those_of_other_connections(serve: Start, transport: str) -> None:
    daemon = serve(
        *("acme-rot13", "--transport", transport, "--port", "0", "--unix", UNIX),
        *("--proxy-from", "127.0.0.1", "--proxy-from", "unix"),
        *("--first-byte-timeout", "0.3", "--idle-timeout", "0.5", "--metrics-port", "0"),
    )
    for call in callers(daemon).values():
        told = len(daemon.lines)
        # Who has not sent its header is cut off; the others' connections end in good order.
        with call(b""), call(header(1)) as mute, call(header(2) + b"a\n") as idle:
            assert [read_all(one) for one in (mute, idle)] == [b"", b"n\n"]
        of_client = rf" closed transport=\w+ peer={CLIENT}:5000 .*reason="
        daemon.wait_for_line(f"{of_client}first_byte_timeout$", told)
        daemon.wait_for_line(f"{of_client}idle_timeout$", told)
    assert refusals(daemon) == {"first_byte_timeout": 2}


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_unix_and_tcp_listeners_are_asked_for_apart_and_changed_by_a_restart_alone(
    serve: Start, tmp_path: Path, transport: str
) -> None:
    file = tmp_path / "rot13.toml"
    settings = f'port = 0\nunix = "{tmp_path / UNIX}"\ntransport = "{transport}"\n'

    def say(proxies: str) -> None:
        file.write_text(f"{settings}proxy-from = [{proxies}]\n")

    say("'unix'")
    daemon = serve("acme-rot13", "--unix", UNIX, "--config", str(file))
    ways = callers(daemon)

    def as_before() -> None:
        assert served(ways["tcp"](b""))
        assert served(ways[UNIX](header(2)))
        ends(ways[UNIX], b"hello\n")

    as_before()
    for proxies in ("'unix', '127.0.0.1'", "'127.0.0.1'", ""):
        told = len(daemon.lines)
        say(proxies)
        daemon.send_signal(signal.SIGHUP)
        daemon.wait_for_line("socketsuite reloaded", told)
        assert daemon.has_line("needs a restart to take effect: proxy-from$", told)
        as_before()


ODD = """
from twisted.internet.defer import succeed
from twisted.internet.interfaces import IStreamServerEndpointStringParser
from twisted.plugin import IPlugin
from zope.interface import implementer

@implementer(IPlugin, IStreamServerEndpointStringParser)
class Parser:
    prefix = "odd"

    def parseStreamServer(self, reactor, *words):
        return self

    def listen(self, factory):
        return succeed(self)

    def getHost(self):
        return None

    def stopListening(self):
        print("closed again", flush=True)

one = Parser()
"""


@pytest.mark.parametrize(
    ("endpoint", "line"),
    [
        ("odd:", "opens no port of Twisted's own, whose connections could begin with the PROXY"),
        ("stdio:", "opens nothing to be listened on"),
    ],
)
def test_an_endpoint_that_cannot_have_headers_first_is_refused_at_start(
    launch: Start, tmp_path: Path, endpoint: str, line: str
) -> None:
    plugins = tmp_path / "twisted" / "plugins"
    plugins.mkdir(parents=True)
    (plugins / "odd_endpoint.py").write_text(ODD)
    path = f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"
    arguments = ("--listen", endpoint, "--proxy-from", "127.0.0.1")
    daemon = launch("acme-rot13", *arguments, env={"PYTHONPATH": path})
    assert daemon.wait() == 1
    assert f"--listen '{endpoint}' {line}" in daemon.errors
    assert daemon.errors.count("\n") == 1
    assert ("closed again" in daemon.log) == (endpoint == "odd:")


def test_a_real_haproxy_is_understood_on_a_unix_socket_and_by_twisteds_own_transport(
    serve: Start, haproxy: Callable[[str], socket.socket], tmp_path: Path
) -> None:
    both = ("--proxy-from", "127.0.0.1", "--proxy-from", "unix")
    stock = serve("acme-rot13", "--transport", "twisted", "--port", "0", "--unix", UNIX, *both)
    burst = serve("acme-rot13", "--unix", "burst.sock", *both)
    for daemon, back, transport in (
        (stock, f"127.0.0.1:{stock.port()} send-proxy-v2", "tcp"),
        (stock, f"unix@{tmp_path / UNIX} send-proxy-v2", "unix"),
        (burst, f"unix@{tmp_path / 'burst.sock'} send-proxy-v2", "unix"),
    ):
        with haproxy(back) as caller:
            caller.sendall(b"a\n")
            assert read_line(caller) == b"n\n"
            peer = "{}:{}".format(*caller.getsockname())
        daemon.wait_for_line(f"closed transport={transport} peer={peer} bytes_in=2")
