"""Targets that are functions and do not say whether what they return speaks UDP."""

from __future__ import annotations

import socket
from pathlib import Path

from tests.daemons.conftest import Start
from tests.support.stranger import package

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


def factory():
    return {made}
"""


def test_one_that_says_nothing_can_be_told_to_leave_udp_alone(serve: Start, tmp_path: Path) -> None:
    env = package(tmp_path, SERVICE.format(made="Both()"))
    assert serve("acme-service", "--no-udp", env=env).ports("udp") == []


def test_a_function_without_a_udp_side_binds_no_udp_port(serve: Start, tmp_path: Path) -> None:
    env = package(tmp_path, SERVICE.format(made="Factory.forProtocol(Echo)"))
    daemon = serve("acme-service", env=env)
    assert daemon.ports("udp") == []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", daemon.port("tcp")))
