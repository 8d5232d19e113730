"""The lines of a quiet life: what a daemon says from its start to its end, and not a line more."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest
import trustme

from socketsuite.testing import read_exactly
from tests.daemons.conftest import Start

LINES = [
    r"\S+ twistd \S+ \(.*\) starting up\.",
    r"(socketsuite-echo listening transport=\S+ address=\S+( port=\d+)? family=\S+( io=[a-z+_]+)?)",
    r"socketsuite-echo only this machine can connect; .*",
    r"socketsuite ready, pid \d+",
    r"socketsuite SIGTERM: draining; once more to stop now",
    r"socketsuite-echo draining connections=0 timeout=\S+",
    r"socketsuite-echo stopped aborted=0",
]
LISTENING = LINES[1]


def test_connections_are_counted_and_not_logged_where_nobody_wants_to_read_of_them(
    serve: Start,
) -> None:
    daemon = serve(
        "socketsuite-echo", "--log-connections", "off", "--deny", "127.0.0.2", "--admin", "a"
    )
    with daemon.connect() as caller:
        caller.sendall(b"hello")
        assert read_exactly(caller, 5) == b"hello"
    with socket.create_connection(
        ("127.0.0.1", daemon.port()), source_address=("127.0.0.2", 0)
    ) as denied:
        assert denied.recv(1) == b""
    daemon.wait_for_line(" refused transport=tcp .*reason=deny")
    assert daemon.ask()["services"][0]["opened"] == 1
    assert daemon.stop() == 0
    assert not daemon.has_line(" (connected|closed) transport=")


@pytest.mark.parametrize("transport", ["burst", "twisted"])
@pytest.mark.parametrize("more", [(), ("--proxy-from", "127.0.0.1"), ("--tls-cert", "cert.pem")])
def test_a_start_and_an_end_are_told_in_these_lines_and_no_others(
    serve: Start, tmp_path: Path, transport: str, more: tuple[str, ...]
) -> None:
    issued = trustme.CA().issue_cert("localhost")
    issued.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "cert.pem"))
    daemon = serve("socketsuite-echo", "--transport", transport, *more)
    assert daemon.stop() == 0
    said = [line.partition(" ")[2] for line in daemon.lines]
    # Two addresses, each for TCP and UDP; one, where the machine has no IPv6.
    kept = [line for line in said if not re.fullmatch(LISTENING, line)]
    wanted = [pattern for pattern in LINES if pattern is not LISTENING]
    assert len(kept) == len(wanted), kept
    assert all(re.fullmatch(*pair) for pair in zip(wanted, kept, strict=True)), kept
