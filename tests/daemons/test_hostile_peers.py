"""Peers that send rubbish and vanish: the service goes on for everybody else."""

from __future__ import annotations

import contextlib
import random
import socket
import ssl
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from socketsuite.testing import Daemon, read_all, read_exactly, read_line
from tests.daemons.conftest import Start
from tests.support.outside import reset

CONNECTIONS = 200


def echo_serves(daemon: Daemon) -> None:
    with daemon.connect() as caller:
        caller.sendall(b"hello")
        assert read_exactly(caller, 5) == b"hello"


def chat_serves(daemon: Daemon) -> None:
    with daemon.connect() as speaker, daemon.connect("::1") as listener:
        # A member is in the room once its connection is in the log.
        for member in (speaker, listener):
            peer = member.getsockname()[1]
            daemon.wait_for_line(rf"connected .*:{peer} ")
        speaker.sendall(b"hello\n")
        assert read_line(listener) == b"-> hello\n"


def accumulator_serves(daemon: Daemon) -> None:
    with daemon.connect() as client:
        (before,) = struct.unpack("<i", read_exactly(client, 4))
        client.sendall(struct.pack("<i", 1))
        after = before
        while after == before:
            (after,) = struct.unpack("<i", read_exactly(client, 4))
        assert (after - before) % (1 << 32) == 1


def filesink_serves(daemon: Daemon) -> None:
    with daemon.connect() as client:
        client.sendall(b"the last words")
        client.shutdown(socket.SHUT_WR)
        assert read_all(client) == b""


def watch_serves(daemon: Daemon) -> None:
    with daemon.connect() as subscriber:
        assert read_line(subscriber).startswith(b"Now watching ")


def discard_serves(daemon: Daemon) -> None:
    with daemon.connect() as caller:
        caller.sendall(b"hello")
        caller.shutdown(socket.SHUT_WR)
        assert read_all(caller) == b""


def chargen_serves(daemon: Daemon) -> None:
    with daemon.connect() as caller:
        assert read_exactly(caller, 74).startswith(b" !\"#$%&'()")


def an_answer_is_served(daemon: Daemon) -> None:
    with daemon.connect() as caller:
        assert 4 <= len(read_all(caller)) < 512


SERVICES: dict[str, tuple[tuple[str, ...], Callable[[Daemon], None]]] = {
    "echo": ((), echo_serves),
    "chat": ((), chat_serves),
    "accumulator": (("--interval", "0.05"), accumulator_serves),
    "filesink": (("--file", "sink"), filesink_serves),
    "watch": (("--file", "watched"), watch_serves),
    "discard": ((), discard_serves),
    "chargen": ((), chargen_serves),
    "daytime": ((), an_answer_is_served),
    "qotd": ((), an_answer_is_served),
    "time": ((), an_answer_is_served),
}


def misbehave(daemon: Daemon, port: int, seed: int) -> None:
    """Open many connections that send random bytes and vanish without a word.

    Returns once the daemon has noticed the end of each.
    """
    chance = random.Random(seed)
    numbers = []
    for _ in range(CONNECTIONS):
        peer = daemon.connect(port=port)
        peer.setblocking(False)
        with contextlib.suppress(BlockingIOError, ConnectionError):
            for _ in range(chance.randrange(4)):
                peer.send(chance.randbytes(chance.choice((1, 7, 100, 10_000, 100_000))))
        numbers.append(peer.getsockname()[1])
        reset(peer)
    for number in numbers:
        daemon.wait_for_line(f"closed .*peer=127.0.0.1:{number} ")


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_outlives_two_hundred_peers_who_send_rubbish_and_vanish(
    serve: Start, name: str
) -> None:
    arguments, serves = SERVICES[name]
    daemon = serve(f"socketsuite-{name}", *arguments)
    with daemon.connect():
        misbehave(daemon, daemon.port(), seed=len(name))
        serves(daemon)
    assert daemon.stop() == 0
    assert daemon.log.count("connected transport=tcp") > CONNECTIONS
    assert "Traceback" not in daemon.log
    assert daemon.errors == ""


def test_what_the_vanished_left_is_in_the_file_and_so_is_what_follows(
    serve: Start, tmp_path: Path
) -> None:
    daemon = serve("socketsuite-filesink", "--file", "sink")
    misbehave(daemon, daemon.port(), seed=1)
    filesink_serves(daemon)
    assert (tmp_path / "sink").read_bytes().endswith(b"the last words")


def test_rubbish_instead_of_a_tls_handshake_harms_nobody(serve: Start, tmp_path: Path) -> None:
    authority = trustme.CA()
    chain = tmp_path / "chain.pem"
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(chain)
    daemon = serve("socketsuite-chat", "--port", "0", "--tls-cert", str(chain))
    misbehave(daemon, daemon.port("tls"), seed=2)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with context.wrap_socket(
        daemon.connect(port=daemon.port("tls")), server_hostname="localhost"
    ) as member:
        member.sendall(b"x" * 9000 + b"\n")
        assert read_line(member).startswith(b"line too long")
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.log
    assert daemon.errors == ""
