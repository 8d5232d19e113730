"""The harness: every way to a daemon, what it tells, and its end."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import pytest

from socketsuite.testing import (
    Certificate,
    Daemon,
    NonConformance,
    Stopwatch,
    read_exactly,
    read_line,
    readings,
    until,
)
from socketsuite.testing.journal import ARGUMENTS, Journal


def test_as_a_context_manager_it_is_ready_and_at_the_end_it_is_gone(tmp_path: Path) -> None:
    with Daemon(tmp_path, "acme-rot13", "--port", "0") as daemon, daemon.connect() as caller:
        caller.sendall(b"hello\n")
        assert read_line(caller) == b"uryyb\n"
    assert daemon.process.returncode is not None
    with pytest.raises(AssertionError, match="no line matches"):
        Daemon(tmp_path, "acme-rot13", "--rotate", "99").__enter__()


def test_it_is_called_by_tls_a_unix_socket_and_udp(tmp_path: Path) -> None:
    certificate = Certificate.make(tmp_path)
    where = ("--port", "0", "--unix", "echo.sock", *certificate.arguments)
    with Daemon(tmp_path, "socketsuite-echo", *where) as daemon:
        callers = daemon.connect_tls(certificate.client()), daemon.connect_unix("echo.sock")
        for caller in callers:
            with caller:
                caller.sendall(b"hello")
                assert read_exactly(caller, 5) == b"hello"
        with daemon.connect_udp() as datagrams:
            datagrams.send(b"hello")
            assert datagrams.recv(100) == b"hello"


def test_a_certificate_is_trusted_by_its_own_client_alone(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    certificate, other = Certificate.make(tmp_path), Certificate.make(tmp_path / "other")
    assert certificate.path.stat().st_mode & 0o077 == 0
    with (
        Daemon(tmp_path, "acme-rot13", "--port", "0", *certificate.arguments) as daemon,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        daemon.connect_tls(other.client())


def test_what_it_tells_an_operator_and_what_the_kernel_tells_of_it(tmp_path: Path) -> None:
    more = ("--admin", "admin", "--metrics-port", "0")
    with Daemon(tmp_path, "acme-rot13", "--port", "0", *more) as daemon:
        # What is opened once, at the start or for the first caller, is open now.
        daemon.connect().close()
        daemon.wait_for_line(" closed ")
        before = daemon.descriptors()
        with daemon.connect() as caller:
            caller.sendall(b"hello\n")
            read_line(caller)
            (listed,) = daemon.ask()["connections"]
            assert (listed["bytes_in"], listed["bytes_out"]) == (6, 6)
            labels = 'frontend="main",service="acme-rot13",transport="tcp"'
            assert daemon.metrics()[f"socketsuite_connections_open{{{labels}}}"] == 1
            assert daemon.page("/health")[0] == 200
            until(daemon.descriptors, lambda now: now > before)
            assert daemon.ask("close", id=listed["id"]) == {"closed": listed["id"]}
        until(daemon.descriptors, lambda now: now <= before)
        assert 10 << 20 < daemon.memory() <= daemon.memory("VmHWM")


def test_lines_of_the_log_are_followed_in_their_order(tmp_path: Path) -> None:
    with Daemon(tmp_path, "acme-rot13", "--port", "0") as daemon:
        connected = daemon.follow(r" connected .*peer=127\.0\.0\.1:(\d+) ")
        for _ in range(3):
            with daemon.connect() as caller:
                assert int(next(connected)[1]) == caller.getsockname()[1]
        assert not daemon.has_line("no such line")
        daemon.timeout = 0.5
        with pytest.raises(AssertionError, match="no such line"):
            daemon.wait_for_line("no such line")


def test_what_was_received_of_a_peer_is_known_by_the_log(tmp_path: Path) -> None:
    with Daemon(tmp_path, "acme-rot13", "--port", "0", *ARGUMENTS) as daemon:
        journal = Journal(daemon)
        with daemon.connect() as caller:
            peer = "{}:{}".format(*caller.getsockname())
            caller.sendall(b"hello\n")
            assert journal.is_received(peer, 6, 20.0)
            # Nothing more comes, so that this is known at once.
            assert not journal.is_received(peer, 7, 0.01)
            caller.sendall(b"more\n")
            journal.wait_received(peer, 11)
            assert read_exactly(caller, 11) == b"uryyb\nzber\n"
        assert journal.wait_ended(peer) == "closed_by_peer"
        assert not journal.is_received(peer, 12, 20.0)
        journal.forget(peer)
        daemon.timeout = 0.1
        with pytest.raises(NonConformance, match="tells no more"):
            journal.wait_received(peer, 1)


def test_a_stopwatch_does_not_count_what_it_waits_for_a_cpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watch = Stopwatch([os.getpid()])
    assert 0 <= watch.seconds() < 5
    until(watch.seconds, lambda seconds: seconds > 0)
    # As if this process had waited for a minute, and nobody else.
    monkeypatch.setattr(readings, "_waited_for_cpu", lambda pid: 60.0)
    assert watch.seconds() == 0.0
