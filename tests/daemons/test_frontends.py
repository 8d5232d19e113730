"""One service with several frontends: each on ports of its own, all under one set of limits."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

import pytest

from socketsuite.testing import Certificate, Daemon, read_all, read_line
from tests.daemons.activation import activated
from tests.daemons.conftest import Start

BOARD = "acme-noticeboard"
ANY = ("--port", "0", "--web-port", "0")


def get(connection: socket.socket) -> str:
    """Return the answer to one HTTP request, whole."""
    connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    return read_all(connection).decode()


def pinned(connection: socket.socket, text: str) -> bytes:
    connection.sendall(text.encode() + b"\n")
    return read_line(connection)


def to(daemon: Daemon, frontend: str, kind: str = "tcp") -> socket.socket:
    """Return a TCP connection to a frontend of *daemon*."""
    return daemon.connect(port=daemon.port(kind, frontend=frontend))


def by_tls(daemon: Daemon, frontend: str, certificate: Certificate) -> socket.socket:
    plain = to(daemon, frontend, "tls")
    return certificate.client().wrap_socket(plain, server_hostname="localhost")


@pytest.mark.parametrize("transport", ["burst", "twisted"])
def test_each_frontend_has_its_own_plain_tls_and_unix_sockets(
    serve: Start, tmp_path: Path, transport: str
) -> None:
    certificate = Certificate.make(tmp_path)
    daemon = serve(
        *(BOARD, *ANY, *certificate.arguments, "--transport", transport),
        *("--tls-port", "0", "--web-tls-port", "0", "--web-unix", "web.sock"),
        *("--web-listen", "tcp:0:interface=127.0.0.1", "--web-title", "Board & Co"),
    )
    with to(daemon, "lines") as plain, by_tls(daemon, "lines", certificate) as secure:
        assert pinned(plain, "in the clear") == b"pinned in the clear\n"
        assert pinned(secure, "by TLS") == b"pinned by TLS\n"
    pages = []
    with to(daemon, "web") as plain, by_tls(daemon, "web", certificate) as secure:
        pages += [get(plain), get(secure)]
    endpoint = daemon.port("endpoint", frontend="web")
    with daemon.connect_unix("web.sock") as local, daemon.connect(port=endpoint) as other:
        pages += [get(local), get(other)]
    for page in pages:
        assert "<title>Board &amp; Co</title>" in page
        assert "<li>by TLS<li>in the clear</ul>" in page
    assert daemon.stop() == 0
    seen = {
        (kind, frontend)
        for kind, frontend in (
            (line.split("transport=")[1].split()[0], line.rsplit("frontend=")[1])
            for line in daemon.lines
            if " connected " in line
        )
    }
    assert seen == {(k, f) for k in ("tcp", "tls") for f in ("lines", "web")} | {("unix", "web")}


def test_a_certificate_without_any_tls_port_is_for_the_ports_of_all_frontends(
    serve: Start, tmp_path: Path
) -> None:
    certificate = Certificate.make(tmp_path)
    daemon = serve(BOARD, *ANY, *certificate.arguments)
    assert daemon.ports("tcp") == []
    with by_tls(daemon, "lines", certificate) as lines, by_tls(daemon, "web", certificate) as web:
        assert pinned(lines, "notice") == b"pinned notice\n"
        assert "<li>notice</ul>" in get(web)


def test_a_tls_port_of_one_frontend_leaves_the_ports_of_all_plain(
    serve: Start, tmp_path: Path
) -> None:
    certificate = Certificate.make(tmp_path)
    daemon = serve(BOARD, "--port", "0", "--web-tls-port", "0", *certificate.arguments)
    with to(daemon, "lines") as lines, by_tls(daemon, "web", certificate) as web:
        assert pinned(lines, "notice") == b"pinned notice\n"
        assert "<li>notice</ul>" in get(web)
    assert daemon.ports("tls", frontend="lines") == daemon.ports("tcp", frontend="web") == []


def test_only_the_first_frontend_listens_unless_another_is_asked_for(serve: Start) -> None:
    daemon = serve(BOARD)
    assert len(daemon.ports("tcp", frontend="lines")) == 1
    assert daemon.ports("tcp", frontend="web") == []


def test_frontends_share_limits_and_drain_but_are_told_apart(serve: Start) -> None:
    daemon = serve(BOARD, *ANY, "--max-connections", "2")
    with to(daemon, "lines") as one, to(daemon, "web") as two:
        daemon.wait_for_line(r" connected .*frontend=lines$")
        daemon.wait_for_line(r" connected .*frontend=web$")
        with to(daemon, "web") as third:
            assert read_all(third) == b""
        daemon.wait_for_line(r" refused .*reason=max_connections frontend=web$")
        two.sendall(b"GET / HTTP/1.1\r\n")
        assert pinned(one, "x") == b"pinned x\n"
        daemon.send_signal(signal.SIGTERM)
        daemon.wait_for_line(r" draining connections=2 ")
        assert pinned(one, "y") == b"pinned y\n"
        two.sendall(b"Host: localhost\r\n\r\n")
        answer = read_all(two).decode()
        assert "Connection: close" in answer
        assert answer.endswith("<li>y<li>x</ul>\n")
        one.close()
        assert daemon.wait() == 0


def test_sockets_are_inherited_by_the_name_of_a_frontend(launch: Start, tmp_path: Path) -> None:
    certificate = Certificate.make(tmp_path)
    before = activated("web:noticeboard:web-tls", "tcp=0,tcp=0,tcp=0")
    daemon = launch(BOARD, *certificate.arguments, before=before).wait_until_ready()
    with to(daemon, "lines") as lines, to(daemon, "web") as web:
        assert pinned(lines, "notice") == b"pinned notice\n"
        assert "<li>notice</ul>" in get(web)
    with by_tls(daemon, "web", certificate) as web:
        assert "<li>notice</ul>" in get(web)


def test_a_reload_changes_what_a_frontend_declares_and_names_what_it_cannot(
    launch: Start, tmp_path: Path
) -> None:
    file = tmp_path / "board.toml"
    head = f'service = "{BOARD}"\nport = 0\n'
    file.write_text(f"[b]\n{head}most = 3\n\n")
    daemon = launch("socketsuite", "--config", str(file)).wait_until_ready()
    with to(daemon, "lines") as one:
        for text in "xyz":
            pinned(one, text)
        file.write_text(f'[b]\n{head}most = 1\nweb-port = 0\nweb-title = "New"\n')
        daemon.send_signal(signal.SIGHUP)
        late = daemon.wait_for_line(r"needs a restart to take effect: (.*)$")[1]
        assert set(late.split(", ")) == {"web-port", "web-title"}
        daemon.wait_for_line(r" reloaded$")
        one.sendall(b"\n")
        assert read_line(one) == b"3 z\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--web-tls-port", "0"), "--web-tls-port needs --tls-cert FILE beside it"),
        (
            ("--web-port", "7", "--port", "7"),
            "acme-noticeboard and acme-noticeboard web-port would",
        ),
        (("--web-prot", "7"), "No such option '--web-prot'"),
        (("--web-port", "80000"), "web-port = '80000' (--web-port) is not valid"),
        (("--web-port", "7", "--web-port", "7"), "web-port 7 is given twice (--web-port)"),
        (("--web-listen", "nonsense:1"), "web-listen = 'nonsense:1' (--web-listen) is not valid"),
    ],
)
def test_what_is_said_wrongly_of_a_frontend_is_one_line_and_status_2(
    launch: Start, arguments: tuple[str, ...], said: str
) -> None:
    daemon = launch(BOARD, *arguments)
    assert daemon.wait() == 2
    assert said in daemon.errors
    assert daemon.errors.count("\n") == 1


def test_a_port_of_a_frontend_in_use_is_one_line_that_names_its_flag(launch: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        daemon = launch(BOARD, "--port", "0", "--web-port", port)
        assert daemon.wait() == 1
    assert "say another --web-port" in daemon.errors


KINDS = """
class Datagrams(ServerFactory):
    def __init__(self, service):
        self.service = service

    def buildDatagramProtocol(self):
        return EchoDatagram()

    def buildProtocol(self, addr):
        raise AssertionError("no stream here")

class Lines(Plain):
    def __init__(self, service):
        self.service = service

@dataclass(eq=False)
class Service:
    word: str = setting("x", "a word")

make = Service
"""


def test_a_datagram_frontend_is_served_over_udp_alone(stranger: Start) -> None:
    more = """, frontends=[
        Frontend("lines", "acme_odd:Lines"),
        Frontend("stats", "acme_odd:Datagrams", kind="datagram", enabled=True),
    ]"""
    daemon = stranger(KINDS, "--port", "0", more=more).wait_until_ready()
    assert daemon.ports("tcp", frontend="stats") == []
    assert daemon.ports("udp", frontend="lines") == []
    with socket.socket(type=socket.SOCK_DGRAM) as caller, to(daemon, "lines") as stream:
        caller.settimeout(20)
        caller.connect(("127.0.0.1", daemon.port("udp", frontend="stats")))
        caller.send(b"datagram")
        assert caller.recv(100) == b"datagram"
        stream.sendall(b"stream")
        assert stream.recv(100) == b"stream"
    assert daemon.stop() == 0


def test_a_service_may_have_datagrams_alone(stranger: Start) -> None:
    more = ', frontends=[Frontend("stats", "acme_odd:Datagrams", kind="datagram")]'
    daemon = stranger(KINDS, more=more).wait_until_ready()
    assert daemon.ports("tcp") == []
    with daemon.connect_udp() as caller:
        caller.send(b"datagram")
        assert caller.recv(100) == b"datagram"
    assert daemon.stop() == 0


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (', frontends=[Frontend("Bad Name")]', "a frontend cannot be called 'Bad Name'"),
        (', frontends=[Frontend("a"), Frontend("a")]', "two frontends are called 'a'"),
        (
            ', frontends=[Frontend("lines", "acme_odd:Nothing")]',
            "frontend lines of plugin acme-odd",
        ),
        (', frontends=[Frontend("lines")]', "acme_odd:make made an object of Service, which is no"),
        (', frontends=[Frontend("a", "acme_odd:Lines"), Frontend("word", "acme_odd:Lines")]', ""),
        (
            ', frontends=[Frontend("a", "acme_odd:Lines"), Frontend("tls", "acme_odd:Lines")]',
            "'tls_port' is a setting of every daemon",
        ),
    ],
)
def test_what_a_plugin_declares_wrongly_of_frontends_is_one_line(
    stranger: Start, more: str, said: str
) -> None:
    daemon = stranger(KINDS, "--port", "0", "--check-config", more=more)
    status = daemon.wait()
    assert (status == 0) == (said == "")
    assert said in daemon.errors
    assert "Traceback" not in daemon.errors or said.startswith(("a frontend", "two"))
