"""Callers who are accepted: each connection is its own, also in the log."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

import pytest
from twisted.internet.protocol import Protocol

from socketsuite.addresses import host_text
from socketsuite.transport.burst import accelerate
from tests.support.served_port import served_port


@pytest.mark.parametrize("kind", ["tcp", "tls"])
def test_two_connections_of_a_port_have_two_names_in_the_log(tmp_path: Path, kind: str) -> None:
    with served_port(kind, tmp_path, Protocol) as served:
        transports = [served.connect()[1].transport for _ in range(2)]
        assert len({transport.logstr for transport in transports}) == 2


@pytest.mark.parametrize("name", ["peer", "longer"])
def test_a_caller_on_a_unix_socket_may_have_a_name_of_any_length(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with served_port("unix", tmp_path, Protocol) as served, socket.socket(socket.AF_UNIX) as caller:
        caller.bind(name)
        caller.connect(served.path)
        served.until(lambda: served.made and served.made[0].transport)


@pytest.mark.parametrize("interface", ["127.0.0.1", "0.0.0.0", "::1", "::"])
def test_a_connection_knows_its_own_address_on_whatever_address_the_port_is(
    tmp_path: Path, interface: str
) -> None:
    with served_port("tcp", tmp_path, Protocol) as served:
        port = accelerate(served.reactor.listenTCP(0, served.port.factory, interface=interface))
        number = port.getHost().port
        for host in ("127.0.0.1", "127.0.0.2", "::1"):
            with contextlib.suppress(OSError), socket.create_connection((host, number)) as caller:
                served.made.clear()
                served.until(lambda: served.made)
                address = served.made[-1].transport.getHost()
                told = host_text(address.host), address.port
                assert told == caller.getpeername()[:2]
        assert served.made
