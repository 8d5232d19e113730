"""Callers who are accepted: each connection is its own, also in the log."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from twisted.internet.protocol import Protocol

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
