"""Groups on the loopback interface, joined by a real daemon."""

from __future__ import annotations

import socket
import struct

import pytest

from tests.daemons.conftest import Start

GROUP = "239.255.77.88"
RECEIVE_TTL = 12  # IP_RECVTTL of <netinet/in.h>, which Python does not name
LOOPBACK = socket.inet_aton("127.0.0.1")


@pytest.fixture
def caller() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, LOOPBACK)
    made.bind(("127.0.0.1", 0))
    made.settimeout(20)
    return made


def test_a_datagram_to_a_joined_group_is_answered(serve: Start, caller: socket.socket) -> None:
    daemon = serve(
        *("socketsuite-echo", "--no-tcp", "--interface", "0.0.0.0"),
        *("--join-group", GROUP, "--multicast-interface", "127.0.0.1"),
    )
    caller.sendto(b"hello, group", (GROUP, daemon.port("udp", "0.0.0.0")))
    assert caller.recv(100) == b"hello, group"


def test_of_one_source_only_that_source_is_heard(serve: Start, caller: socket.socket) -> None:
    daemon = serve(
        *("socketsuite-echo", "--no-tcp", "--interface", "0.0.0.0"),
        *("--join-group", f"127.0.0.9@{GROUP}", "--multicast-interface", "127.0.0.1"),
    )
    port = daemon.port("udp", "0.0.0.0")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wanted:
        wanted.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, LOOPBACK)
        wanted.bind(("127.0.0.9", 0))
        wanted.settimeout(20)
        caller.sendto(b"not from me", (GROUP, port))
        wanted.sendto(b"from me", (GROUP, port))
        assert wanted.recv(100) == b"from me"
    # Loopback keeps the order: what was to be answered has been.
    caller.setblocking(False)
    with pytest.raises(BlockingIOError):
        caller.recv(100)


def test_hops_and_buffers_are_what_was_said(serve: Start, caller: socket.socket) -> None:
    daemon = serve("socketsuite-echo", "--no-tcp", "--ttl", "7", "--receive-buffer", "64K")
    caller.setsockopt(socket.IPPROTO_IP, RECEIVE_TTL, 1)
    caller.sendto(b"x", ("127.0.0.1", daemon.port("udp")))
    _, ancillary, _, _ = caller.recvmsg(100, 100)
    ttl = [struct.unpack("i", data)[0] for _, kind, data in ancillary if kind == socket.IP_TTL]
    assert ttl == [7]


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("--join-group", "10.0.0.1"), 2, "a multicast address"),
        (("--join-group", "ff02::1", "--interface", "0.0.0.0"), 1, "say --interface ::"),
        (("--join-group", GROUP, "--multicast-interface", "192.0.2.1"), 1, "cannot join"),
    ],
)
def test_a_group_that_cannot_be_joined_is_one_line(
    launch: Start, arguments: tuple[str, ...], status: int, words: str
) -> None:
    daemon = launch("socketsuite-echo", "--port", "0", *arguments)
    assert daemon.wait() == status
    assert words in daemon.errors
    assert daemon.errors.count("\n") == 1
