"""Start and stop of a real daemon, with a stranger's protocol as its subject."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from socketsuite.testing import read_all, read_line
from socketsuite.testing.daemon import TWISTD
from tests.daemons.conftest import Start


def test_sigterm_ends_with_status_0_and_says_so(serve: Start) -> None:
    daemon = serve("acme-rot13")
    assert daemon.stop(signal.SIGTERM) == 0
    assert "draining" in daemon.log
    assert "stopped" in daemon.log
    assert "Traceback" not in daemon.log + daemon.errors


def test_sigint_ends_with_status_0(serve: Start) -> None:
    assert serve("acme-rot13").stop(signal.SIGINT) == 0


def test_sighup_does_not_end_the_daemon(serve: Start) -> None:
    daemon = serve("acme-rot13")
    daemon.send_signal(signal.SIGHUP)
    daemon.wait_for_line("socketsuite reloaded")
    with daemon.connect() as caller:
        caller.sendall(b"still there\n")
        assert read_line(caller) == b"fgvyy gurer\n"


def test_a_drain_stops_accepting_but_lets_a_connection_finish(serve: Start) -> None:
    daemon = serve("acme-rot13")
    with daemon.connect() as caller:
        caller.sendall(b"before\n")
        assert read_line(caller) == b"orsber\n"
        daemon.send_signal(signal.SIGTERM)
        daemon.wait_for_line("draining connections=1")
        with pytest.raises(ConnectionRefusedError):
            daemon.connect()
        caller.sendall(b"after\n")
        assert read_line(caller) == b"nsgre\n"
    assert daemon.wait() == 0
    assert "stopped aborted=0" in daemon.log


def test_a_drain_aborts_what_does_not_finish_in_time(serve: Start) -> None:
    daemon = serve("acme-rot13", "--drain-timeout", "0.2")
    with daemon.connect() as caller:
        caller.sendall(b"x\n")
        read_line(caller)
        assert daemon.stop() == 0
        with pytest.raises(ConnectionResetError):
            read_all(caller)
    assert "reason=drain_timeout" in daemon.log
    assert "stopped aborted=1" in daemon.log


def test_a_second_signal_cuts_the_drain_short(serve: Start) -> None:
    daemon = serve("acme-rot13", "--drain-timeout", "3600")
    with daemon.connect() as caller:
        caller.sendall(b"x\n")
        read_line(caller)
        daemon.send_signal(signal.SIGINT)
        daemon.wait_for_line("draining")
        assert daemon.stop(signal.SIGINT) == 0


def test_two_daemons_in_one_folder_both_run_and_leave_no_pid_file(
    serve: Start, tmp_path: Path
) -> None:
    first, second = serve("acme-rot13"), serve("acme-rot13")
    for daemon in (first, second):
        with daemon.connect() as caller:
            caller.sendall(b"a\n")
            assert read_line(caller) == b"n\n"
    assert list(tmp_path.iterdir()) == []


def test_one_line_on_standard_error_and_status_1_when_the_port_is_taken(
    serve: Start, launch: Start
) -> None:
    taken = serve("acme-rot13").port()
    late = launch("acme-rot13", "--port", str(taken))
    assert late.wait() == 1
    assert late.errors.count("\n") == 1
    assert f"port {taken}: the address is in use" in late.errors
    assert "--port" in late.errors


def test_nothing_is_half_started_when_the_second_port_is_taken(
    serve: Start, launch: Start, tmp_path: Path
) -> None:
    taken = serve("acme-rot13").port()
    path = tmp_path / "socket"
    late = launch("acme-rot13", "--unix", str(path), "--port", str(taken))
    assert late.wait() == 1
    assert "listening" not in late.log
    assert not path.exists()


def test_in_the_background_the_cause_still_reaches_the_terminal(
    serve: Start, tmp_path: Path
) -> None:
    taken = serve("acme-rot13").port()
    command = (TWISTD, "--pidfile=pid", "acme-rot13", "--port", str(taken))
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=20)
    assert done.returncode == 1
    assert f"port {taken}: the address is in use" in done.stderr
    log = (tmp_path / "twistd.log").read_text()
    assert "see who has it: socketsuite ports" in log
    assert "Traceback" not in log
    assert not (tmp_path / "pid").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give its privilege away")
def test_no_permission_for_a_low_port_is_one_line_with_the_cure(
    launch: Start, tmp_path: Path
) -> None:
    low = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text().strip()
    if low == "0":
        pytest.skip("this machine lets everybody have low ports")
    daemon = launch(
        "acme-rot13", "--port", "7", before=("setpriv", "--bounding-set", "-net_bind_service")
    )
    assert daemon.wait() == 1
    assert daemon.errors.count("\n") == 1
    assert "port 7: permission denied" in daemon.errors
    assert "CAP_NET_BIND_SERVICE" in daemon.errors


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--interface", "192.0.2.1"), "this machine has no such address"),
        (("--tls-cert", "/no/such/cert.pem"), "/no/such/cert.pem (--tls-cert): no such file"),
        (("--tls-cert", "/etc/hostname"), "holds no certificate"),
        (("--unix", "/no/such/folder/socket"), "unix socket /no/such/folder/socket"),
        (("--unix", "/tmp/" + "x" * 120), "longer than 107 bytes"),
    ],
)
def test_a_bad_address_or_certificate_is_one_line_and_status_1(
    launch: Start, arguments: tuple[str, ...], words: str
) -> None:
    daemon = launch("acme-rot13", "--port", "0", *arguments)
    assert daemon.wait() == 1
    assert words in daemon.errors
    assert daemon.errors.count("\n") == 1
    assert "Traceback" not in daemon.log + daemon.errors
    assert "ready" not in daemon.log


def test_each_connection_leaves_one_closing_line_with_its_figures(serve: Start) -> None:
    daemon = serve("acme-rot13")
    with daemon.connect() as caller:
        peer = "{}:{}".format(*caller.getsockname())
        caller.sendall(b"hello\n")
        read_line(caller)
    line = daemon.wait_for_line("closed transport=tcp").string
    assert f"peer={peer} " in line
    assert "bytes_in=6 bytes_out=6 " in line
    assert "duration=0." in line
    assert "reason=closed_by_peer" in line
    daemon.stop()
    assert daemon.log.count("closed transport=tcp") == 1


def test_payloads_are_logged_only_when_asked_and_never_as_terminal_codes(serve: Start) -> None:
    quiet, telling = serve("acme-rot13"), serve("acme-rot13", "--log-data", "payload")
    for daemon in (quiet, telling):
        with daemon.connect() as caller:
            caller.sendall(b"\x1b[2Jsecret\n")
            read_line(caller)
        daemon.stop()
        assert "\x1b" not in daemon.log
    assert "secret" not in quiet.log
    assert r"data=b'\x1b[2Jsecret\n'" in telling.log


def test_a_thousand_callers_at_once_are_all_answered(serve: Start) -> None:
    daemon = serve("acme-rot13")
    callers = [daemon.connect() for _ in range(1000)]
    for caller in callers:
        caller.sendall(b"a\n")
    assert all(read_line(caller) == b"n\n" for caller in callers)
    for caller in callers:
        caller.close()
    assert daemon.stop() == 0


def test_a_caller_who_closes_its_half_gets_the_whole_answer(serve: Start) -> None:
    """Stock Twisted would drop what it has not sent yet at the caller's FIN."""
    daemon = serve("acme-rot13", "--send-queue", "64M")
    line = b"n" * 16000 + b"\n"
    with daemon.connect() as caller:

        def send() -> None:
            caller.sendall(line * 2000)
            caller.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        answer = read_all(caller)
        sender.join()
    assert len(answer) == len(line) * 2000


def test_a_caller_who_does_not_read_is_dropped_and_the_others_are_not(serve: Start) -> None:
    daemon = serve("acme-rot13", "--send-queue", "64K")
    with daemon.connect() as greedy, daemon.connect() as other:
        line = b"a" * 16000 + b"\n"
        with pytest.raises(ConnectionError):
            greedy.sendall(line * 10_000)
        daemon.wait_for_line("reason=send_queue_full")
        other.sendall(b"a\n")
        assert read_line(other) == b"n\n"


def test_connections_beyond_the_limit_are_closed_and_counted(serve: Start) -> None:
    daemon = serve("acme-rot13", "--max-connections", "1")
    with daemon.connect() as first:
        first.sendall(b"a\n")
        assert read_line(first) == b"n\n"
        with daemon.connect() as second:
            assert second.recv(1) == b""
        daemon.wait_for_line("refused .*reason=max_connections")
    daemon.wait_for_line("closed transport=tcp")
    with daemon.connect() as third:
        third.sendall(b"a\n")
        assert read_line(third) == b"n\n"


def test_a_silent_connection_is_closed_after_the_idle_timeout(serve: Start) -> None:
    daemon = serve("acme-rot13", "--idle-timeout", "0.3")
    with daemon.connect() as caller:
        assert caller.recv(1) == b""
    daemon.wait_for_line("reason=idle_timeout")
