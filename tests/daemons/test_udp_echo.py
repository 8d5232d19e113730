"""Echo over UDP: one datagram there, one back."""

from __future__ import annotations

import json
import random
import socket
import subprocess
from collections.abc import Iterator

import pytest

from socketsuite.testing import Daemon, read_exactly, read_line
from tests.daemons.conftest import Start
from tests.support.outside import NODE, SECONDS, at_work
from tests.support.peers import program

LARGEST = 65_507
HOSTS = ["127.0.0.1", "::1"]


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path_factory.mktemp("echo"), "socketsuite-echo", "--port", "0")
    try:
        yield daemon.wait_until_ready()
        assert daemon.stop() == 0
        assert "Traceback" not in daemon.log
    finally:
        daemon.kill()


def caller(host: str, port: int) -> socket.socket:
    """Return a datagram socket that hears of its peer only."""
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    made.settimeout(SECONDS)
    made.connect((host, port))
    return made


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("size", [0, 1, 8192, 8193, LARGEST])
def test_a_datagram_of_any_size_comes_back_unchanged(echo: Daemon, host: str, size: int) -> None:
    datagram = random.Random(size).randbytes(size)
    with caller(host, echo.port("udp", host)) as one:
        one.send(datagram)
        assert one.recv(1 << 16) == datagram


@pytest.mark.parametrize(
    ("interface", "asked"),
    [("0.0.0.0", ["127.0.0.1", "127.9.9.9"]), ("::", ["127.0.0.1", "127.9.9.9", "::1"])],
)
def test_on_every_address_the_one_that_was_asked_answers(
    serve: Start, interface: str, asked: list[str]
) -> None:
    daemon = serve("socketsuite-echo", "--no-tcp", "--interface", interface)
    port = int(daemon.wait_for_line(r"listening transport=udp .*port=(\d+)")[1])
    callers = [caller(host, port) for host in asked]
    for size in (0, 1, LARGEST):
        # All of them at once, so that the answers are made in one turn.
        for number, one in enumerate(callers):
            one.send(bytes([number]) * size)
        for number, one in enumerate(callers):
            assert one.recv(1 << 16) == bytes([number]) * size
    for one in callers:
        one.close()
    assert daemon.stop() == 0


@pytest.mark.parametrize("interface", ["0.0.0.0", "::"])
def test_a_broadcast_is_answered_from_an_address_that_can(serve: Start, interface: str) -> None:
    daemon = serve("socketsuite-echo", "--no-tcp", "--interface", interface)
    port = int(daemon.wait_for_line(r"listening transport=udp .*port=(\d+)")[1])
    with socket.socket(type=socket.SOCK_DGRAM) as one:
        one.settimeout(SECONDS)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        one.sendto(b"anybody", ("127.255.255.255", port))
        assert one.recvfrom(100) == (b"anybody", ("127.0.0.1", port))
    assert daemon.stop() == 0


def test_each_caller_gets_its_own_datagrams_in_their_order(echo: Daemon) -> None:
    callers = [caller("127.0.0.1", echo.port("udp")) for _ in range(20)]
    for number in range(5):
        for index, one in enumerate(callers):
            one.send(f"{index}:{number}".encode())
    for index, one in enumerate(callers):
        assert [one.recv(100) for _ in range(5)] == [f"{index}:{n}".encode() for n in range(5)]
        one.close()


def test_tcp_and_udp_have_the_same_port_number_on_both_families(echo: Daemon) -> None:
    ports = {echo.port(kind, host) for kind in ("tcp", "udp") for host in HOSTS}
    assert len(ports) == 1


def test_no_udp_leaves_tcp_alone(serve: Start) -> None:
    daemon = serve("socketsuite-echo", "--no-udp")
    assert daemon.ports("udp") == []
    with caller("127.0.0.1", daemon.port()) as one:
        one.send(b"x")
        with pytest.raises(ConnectionRefusedError):
            one.recv(1)
    with daemon.connect() as stream:
        stream.sendall(b"x")
        assert read_exactly(stream, 1) == b"x"


def test_no_tcp_leaves_udp_alone(serve: Start) -> None:
    daemon = serve("socketsuite-echo", "--no-tcp")
    assert daemon.ports("tcp") == []
    with pytest.raises(ConnectionRefusedError):
        daemon.connect(port=daemon.port("udp"))
    with caller("127.0.0.1", daemon.port("udp")) as one:
        one.send(b"x")
        assert one.recv(1) == b"x"


@pytest.mark.parametrize(
    "client",
    [
        "nc.openbsd -u 127.0.0.1 {}",
        "nc.openbsd -u ::1 {}",
        "ncat -u 127.0.0.1 {}",
        "socat - UDP:127.0.0.1:{}",
        "socat - UDP6:[::1]:{}",
    ],
)
def test_each_line_typed_is_a_datagram_that_comes_back(echo: Daemon, client: str) -> None:
    name, *arguments = client.format(echo.port("udp")).split()
    with at_work(program(name), *arguments) as terminal:
        for line in (b"hello\n", b"again\n"):
            terminal.sendall(line)
            assert read_line(terminal) == line


def test_node_gets_back_what_it_sends_from_several_buffers_and_from_a_connected_socket(
    echo: Daemon,
) -> None:
    port = echo.port("udp")
    command = [program("node"), str(NODE / "datagram.js"), str(port)]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True)
    assert [json.loads(line) for line in shown.stdout.splitlines()] == [
        {"text": "one datagram of three", "from": port},
        {"text": "to one peer only", "from": port},
    ]


def test_a_prefix_is_put_before_a_datagram(serve: Start) -> None:
    daemon = serve("socketsuite-echo", "--prefix", "ECHO{port}:")
    with caller("::1", daemon.port("udp", "::1")) as one:
        one.send(b"x")
        assert one.recv(100) == f"ECHO{daemon.port()}:x".encode()


def test_the_log_tells_sender_and_size_of_a_datagram_when_asked(serve: Start) -> None:
    daemon = serve("socketsuite-echo", "--log-data", "sizes")
    with caller("127.0.0.1", daemon.port("udp")) as one:
        one.send(b"secret")
        assert one.recv(100) == b"secret"
        peer = "{}:{}".format(*one.getsockname())
    daemon.wait_for_line(rf"received transport=udp peer={peer} bytes=6$")
    daemon.stop()
    assert "secret" not in daemon.log
