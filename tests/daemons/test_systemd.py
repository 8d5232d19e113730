"""A real daemon under a fake service manager: the notify socket, and inherited sockets."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from pathlib import Path

import pytest

from socketsuite.testing import read_all, read_line
from tests.daemons.activation import activated
from tests.daemons.conftest import Start
from tests.daemons.lent import is_listening, lent_socket
from tests.support.ports import free_port

TIMEOUT = 20.0


def heard(manager: socket.socket, key: str) -> list[str]:
    """Return the lines of the next datagram that has *key*."""
    while True:
        lines = manager.recv(4096).decode().split("\n")
        if any(line.startswith(f"{key}=") for line in lines):
            return lines


def test_the_manager_hears_of_the_whole_life(launch: Start, manager: socket.socket) -> None:
    environ = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "200000"}
    daemon = launch("acme-rot13", "--port", "0", env=environ)
    assert heard(manager, "READY") == ["READY=1", "STATUS=serving; connections: acme-rot13 0"]
    heard(manager, "WATCHDOG")
    heard(manager, "WATCHDOG")
    daemon.send_signal(signal.SIGHUP)
    assert heard(manager, "RELOADING")[1].startswith("MONOTONIC_USEC=")
    heard(manager, "READY")
    daemon.wait_until_ready()
    assert daemon.stop() == 0
    assert "STATUS=draining; connections: acme-rot13 0" in heard(manager, "STOPPING")
    assert heard(manager, "EXTEND_TIMEOUT_USEC") == ["EXTEND_TIMEOUT_USEC=30000000"]


def test_inherited_sockets_are_served_and_the_default_port_is_not_bound(launch: Start) -> None:
    before = activated("echo:echo", "tcp=0,udp=0")
    daemon = launch("socketsuite-echo", before=before).wait_until_ready()
    assert daemon.log.count(" listening ") == 2
    with daemon.connect() as caller:
        caller.sendall(b"a\n")
        assert read_line(caller) == b"a\n"
    with socket.socket(type=socket.SOCK_DGRAM) as caller:
        caller.settimeout(TIMEOUT)
        caller.sendto(b"x", ("127.0.0.1", daemon.port("udp")))
        assert caller.recv(10) == b"x"
    assert daemon.stop() == 0


def test_a_port_that_is_asked_for_and_inherited_is_bound_once(launch: Start) -> None:
    port = free_port()
    more = ("--port", str(port), "--interface", "127.0.0.1")
    before = activated("rot", f"tcp={port}")
    daemon = launch("acme-rot13", *more, before=before).wait_until_ready()
    assert daemon.ports() == [port]
    assert daemon.stop() == 0


@pytest.mark.parametrize("transport", ["burst", "twisted"])
def test_an_inherited_unix_socket_stays_as_it_was(
    launch: Start, tmp_path: Path, transport: str
) -> None:
    path = tmp_path / "door"
    before = activated("door", f"unix={path}")
    daemon = launch("acme-rot13", "--transport", transport, before=before).wait_until_ready()
    mode = path.stat().st_mode
    with socket.socket(socket.AF_UNIX) as caller:
        caller.settimeout(TIMEOUT)
        caller.connect(str(path))
        caller.sendall(b"a\n")
        assert read_line(caller) == b"n\n"
    assert daemon.stop() == 0
    assert path.stat().st_mode == mode


def test_those_who_call_while_it_ends_wait_on_the_managers_socket_for_the_next(
    launch: Start,
) -> None:
    daemon = launch("acme-rot13", before=activated("rot", "tcp=0")).wait_until_ready()
    with lent_socket(daemon, is_listening) as listening, contextlib.ExitStack() as stack:
        daemon.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, daemon.process.pid, os.WSTOPPED)
        # More than are accepted in one turn, and fewer than wait in the queue.
        callers = [stack.enter_context(daemon.connect()) for _ in range(120)]
        for caller in callers:
            caller.sendall(b"a\n")
            caller.shutdown(socket.SHUT_WR)
        daemon.send_signal(signal.SIGTERM)
        daemon.send_signal(signal.SIGCONT)
        assert daemon.wait() == 0
        answered = daemon.log.count(" connected transport=tcp ")
        assert answered < 120
        for caller in callers[:answered]:
            assert read_all(caller) == b"n\n"
        listening.settimeout(TIMEOUT)
        for _ in callers[answered:]:
            served = stack.enter_context(listening.accept()[0])
            assert read_all(served) == b"a\n"


def test_a_socket_for_tls_without_a_certificate_is_one_line_and_status_1(launch: Start) -> None:
    daemon = launch("acme-rot13", before=activated("rot13-tls", "tcp=0"))
    assert daemon.wait() == 1
    assert daemon.errors.count("\n") == 1
    assert "'rot13-tls' is named for TLS, which needs --tls-cert" in daemon.errors


STUCK = """
from twisted.internet.protocol import Factory, Protocol

class Stuck(Protocol):
    def dataReceived(self, data):
        with open(data.decode()) as file:
            self.transport.write(file.read().encode())

def factory():
    return Factory.forProtocol(Stuck)
"""
PLUGIN = """
from socketsuite.plugin import ServicePlugin
stuck = ServicePlugin("acme-stuck", "acme_stuck:factory", port=4999, description="Stuck")
"""


def test_a_stuck_callback_is_named_in_the_log_while_it_is_stuck(
    launch: Start, tmp_path: Path
) -> None:
    plugins = tmp_path / "path" / "twisted" / "plugins"
    plugins.mkdir(parents=True)
    (tmp_path / "path" / "acme_stuck.py").write_text(STUCK)
    (plugins / "acme_stuck_plugin.py").write_text(PLUGIN)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    path = f"{plugins.parents[1]}:{os.environ.get('PYTHONPATH', '')}"
    daemon = launch("acme-stuck", "--port", "0", env={"PYTHONPATH": path}).wait_until_ready()
    with daemon.connect() as caller:
        caller.sendall(str(fifo).encode())
        told = daemon.wait_for_line(r"a callback has blocked the reactor for 1\.\d s: (.*)")
        assert told[1] == "acme_stuck.Stuck.dataReceived (acme_stuck.py:6)"
        fifo.write_text("over\n")
        assert read_line(caller) == b"over\n"
    daemon.wait_for_line(r"the reactor was blocked for \d\.\d s in all: acme_stuck\.Stuck\.")
    assert daemon.stop() == 0
