"""Datagrams from a server's port: answered where that is allowed, and nowhere else."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.protocol import DatagramProtocol, ServerFactory

from socketsuite.daemon.config.configuration import configure
from socketsuite.plugin import ServicePlugin
from socketsuite.testing import Daemon
from tests.daemons.conftest import Start
from tests.support.outside import SECONDS

HOSTS = ["127.0.0.1", "::1"]
only_root = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root may send from a port below 1024"
)


def datagram_socket(host: str) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    made.settimeout(SECONDS)
    return made


@contextlib.contextmanager
def on_a_low_port(host: str) -> Iterator[socket.socket]:
    """Yield a socket that is bound to a port below 1024."""
    with datagram_socket(host) as one:
        for port in range(1023, 512, -1):
            with contextlib.suppress(OSError):
                one.bind((host, port))
                break
        else:
            pytest.skip("no port below 1024 is free")
        yield one


def is_answered(daemon: Daemon, low: socket.socket, host: str) -> bool:
    """Whether *low* hears from the daemon, which answers datagrams in their order."""
    target = (host, daemon.port("udp", host))
    low.sendto(b"low", target)
    with datagram_socket(host) as high:
        high.sendto(b"high", target)
        assert high.recv(100) == b"high"
    # Whatever there is to be heard has been sent before that.
    low.setblocking(False)
    try:
        return low.recv(100) == b"low"
    except BlockingIOError:
        return False


@only_root
@pytest.mark.parametrize("host", HOSTS)
def test_a_datagram_from_a_port_below_1024_is_not_answered(serve: Start, host: str) -> None:
    daemon = serve("socketsuite-echo")
    with on_a_low_port(host) as low:
        assert not is_answered(daemon, low, host)
        number = low.getsockname()[1]
    daemon.wait_for_line(rf"refused transport=udp peer=\S+:{number} reason=source_port$")


@only_root
@pytest.mark.parametrize("host", HOSTS)
def test_it_is_where_any_port_may_ask_within_the_budget(serve: Start, host: str) -> None:
    more = ("--udp-source-ports", "any", "--udp-rate", "2")
    daemon = serve("socketsuite-echo", "--no-tcp", *more)
    with on_a_low_port(host) as low:
        assert is_answered(daemon, low, host)
        for _ in range(3):
            low.sendto(b"too many", (host, daemon.port("udp", host)))
    daemon.wait_for_line("refused transport=udp .* reason=rate")
    assert "source_port" not in daemon.log


@only_root
def test_a_reload_changes_it(launch: Start, tmp_path: Path) -> None:
    file = tmp_path / "echo.toml"
    file.write_text("port = 0\n")
    daemon = launch("socketsuite-echo", "--config", str(file)).wait_until_ready()
    with on_a_low_port("127.0.0.1") as low:
        for ports, answered in (("unprivileged", False), ("any", True), ("unprivileged", False)):
            file.write_text(f'port = 0\nudp-source-ports = "{ports}"\n')
            before = len(daemon.lines)
            daemon.send_signal(signal.SIGHUP)
            daemon.wait_for_line("socketsuite reloaded", before)
            assert is_answered(daemon, low, "127.0.0.1") == answered
    assert "needs a restart" not in daemon.log


class Plain(ServerFactory):
    """A stranger's factory that says nothing of ports."""

    def buildDatagramProtocol(self) -> DatagramProtocol:
        return DatagramProtocol()


def configured(**flags: Any) -> str:
    plugin = ServicePlugin(
        "acme-test",
        f"{__name__}:Plain",
        port=9100,
        description="A test",
        defaults={"udp-source-ports": "any"},
    )
    return configure(plugin, flags=flags, environ={}).udp_limits.udp_source_ports


def test_a_plugin_says_what_the_default_is_and_the_setting_wins() -> None:
    assert configured() == "any"
    assert configured(udp_source_ports="unprivileged") == "unprivileged"
