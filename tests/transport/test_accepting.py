"""Callers who are accepted: each connection is its own, also in the log."""

from pathlib import Path

import pytest
from twisted.internet.protocol import Protocol

from tests.support.served_port import served_port


@pytest.mark.parametrize("kind", ["tcp", "tls"])
def test_two_connections_of_a_port_have_two_names_in_the_log(tmp_path: Path, kind: str) -> None:
    with served_port(kind, tmp_path, Protocol) as served:
        transports = [served.connect()[1].transport for _ in range(2)]
        assert len({transport.logstr for transport in transports}) == 2
