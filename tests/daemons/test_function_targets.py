"""Targets that are functions: what they return is served, its UDP side too."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.daemons.conftest import Start
from tests.daemons.outside import SECONDS
from tests.daemons.stranger import package

SERVICE = """
from twisted.internet.protocol import DatagramProtocol, Factory, Protocol, ServerFactory


class Echo(Protocol):
    def dataReceived(self, data):
        self.transport.write(data)


class Datagrams(DatagramProtocol):
    def datagramReceived(self, datagram, addr):
        self.transport.write(datagram, addr)


class Both(ServerFactory):
    protocol = Echo

    def buildDatagramProtocol(self):
        return Datagrams()


def factory(){declared}:
    return {made}
"""


def asked_by_datagram(port: int) -> bytes:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as caller:
        caller.settimeout(SECONDS)
        caller.connect(("127.0.0.1", port))
        caller.send(b"hello")
        return caller.recv(100)


@pytest.mark.parametrize("declared", ["", " -> Both", " -> 'Both'"])
def test_the_udp_side_of_what_a_function_returns_is_served(
    serve: Start, tmp_path: Path, declared: str
) -> None:
    env = package(tmp_path, SERVICE.format(declared=declared, made="Both()"))
    daemon = serve("acme-service", env=env)
    assert daemon.port("udp") == daemon.port("tcp")
    assert asked_by_datagram(daemon.port("udp")) == b"hello"
    with daemon.connect() as caller:
        caller.sendall(b"hello")
        assert caller.recv(100) == b"hello"


def test_one_that_says_nothing_can_be_told_to_leave_udp_alone(serve: Start, tmp_path: Path) -> None:
    env = package(tmp_path, SERVICE.format(declared="", made="Both()"))
    assert serve("acme-service", "--no-udp", env=env).ports("udp") == []


def test_a_function_without_a_udp_side_binds_no_udp_port(serve: Start, tmp_path: Path) -> None:
    env = package(tmp_path, SERVICE.format(declared="", made="Factory.forProtocol(Echo)"))
    daemon = serve("acme-service", env=env)
    assert daemon.ports("udp") == []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", daemon.port("tcp")))
