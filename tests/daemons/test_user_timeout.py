"""A peer whose machine is gone, without a word: TCP_USER_TIMEOUT frees its connection.

In a network of the test's own, whose only link is taken down in the middle.
"""

from __future__ import annotations

import signal
import socket
import subprocess
from functools import partial

import pytest

from socketsuite.testing import Daemon, read_line
from tests.daemons.conftest import Start
from tests.daemons.lent import has_peer, lent_socket
from tests.daemons.own_network import IN_OWN_NETWORK, beside, skip_without_networks
from tests.support.peers import program


@pytest.fixture(autouse=True)
def own_network() -> None:
    skip_without_networks()


def link(daemon: Daemon, state: str) -> None:
    command = [program("ip"), "link", "set", "lo", state]
    enter = ("nsenter", "--net", "--target", str(daemon.process.pid))
    subprocess.run([*enter, *command], check=True)


@pytest.mark.parametrize(("transport", "reason"), [("burst", "user_timeout"), ("twisted", "lost")])
def test_a_peer_that_acknowledges_nothing_is_given_up(
    launch: Start, transport: str, reason: str
) -> None:
    # No other limit would end it: its bytes are with the kernel, and wait for nobody here.
    limits = ("--user-timeout", "1", "--write-timeout", "0")
    arguments = ("acme-rot13", "--port", "9100", "--transport", transport, *limits)
    daemon = launch(*arguments, before=IN_OWN_NETWORK).wait_until_ready()
    with beside(daemon, partial(daemon.connect, port=9100)) as gone:
        gone.sendall(b"hello\n")
        assert read_line(gone) == b"uryyb\n"
        daemon.send_signal(signal.SIGSTOP)
        gone.sendall(b"are you there\n")
        link(daemon, "down")
        daemon.send_signal(signal.SIGCONT)
        closed = daemon.wait_for_line(r"closed .* bytes_out=(\d+) duration=(\S+) reason=(.*)")
        assert int(closed[1]) == len(b"uryyb\nner lbh gurer\n")
        assert 1 <= float(closed[2]) < 10
        assert closed[3] == reason
    assert daemon.stop() == 0


@pytest.mark.parametrize(
    ("arguments", "milliseconds"),
    [
        (("--port", "0", "--user-timeout", "0"), 0),
        (("--port", "0"), 30_000),
        (("--listen", "tcp:0:interface=127.0.0.1"), 30_000),
    ],
)
def test_the_kernel_is_told(launch: Start, arguments: tuple[str, ...], milliseconds: int) -> None:
    daemon = launch("acme-rot13", "--keepalive", "60", *arguments).wait_until_ready()
    with daemon.connect(port=int(daemon.wait_for_line(r"listening .* port=(\d+)")[1])) as caller:
        caller.sendall(b"a\n")
        assert read_line(caller) == b"n\n"
        with lent_socket(daemon, has_peer(caller.getsockname())) as accepted:
            told = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
            assert told == milliseconds
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60
    assert daemon.stop() == 0
