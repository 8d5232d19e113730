"""Ctrl-C and SIGTERM at every stage: one status, one result, not a word more."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Serve, Start
from tests.cli.contract import read
from tests.cli.servers import TIMEOUT

SIGNALS = {signal.SIGINT: (130, "interrupted"), signal.SIGTERM: (143, "terminated")}
STREAMS = ("accumulate", "chat", "connect", "probe", "send")

Prepare = Callable[[str], tuple[tuple[str, ...], Callable[[], bool]]]


def words(command: str, port: int, *options: str) -> tuple[str, ...]:
    rest = ["-"] if command == "send" else []
    return (command, *options, "127.0.0.1", str(port), *rest)


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)  # between two looks; nothing else tells of it


def is_connecting(port: int) -> bool:
    """Return whether the kernel has a SYN under way to that port of 127.0.0.1."""
    syn_sent = f"0100007F:{port:04X} 02 "
    return syn_sent in Path("/proc/net/tcp").read_text()


@pytest.fixture
def full() -> Iterator[int]:
    """Return a port whose backlog is full: it drops every SYN."""
    with socket.socket() as listener, socket.socket() as first:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        first.connect(listener.getsockname())
        yield listener.getsockname()[1]


def stop(process: subprocess.Popen, number: int, command: str) -> None:
    """Send the signal, and hold the end against the contract."""
    process.send_signal(number)
    out, err = process.communicate(timeout=TIMEOUT)
    status, code = SIGNALS[signal.Signals(number)]
    told, other = (err, out) if command == "connect" else (out, err)
    assert process.returncode == status
    assert other == b""
    _, result = read(told)
    assert (result["status"], result["command"]) == (status, command)
    assert result["error"]["code"] == code


@pytest.mark.sampled(3)
@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("command", STREAMS)
def test_while_it_connects(start: Start, full: int, command: str, number: int) -> None:
    process = start(*words(command, full, "--json"))
    until(lambda: is_connecting(full))
    stop(process, number, command)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("command", STREAMS)
def test_in_the_handshake(start: Start, serve: Serve, command: str, number: int) -> None:
    said_hello = threading.Event()

    def listen(connection: socket.socket) -> None:
        with contextlib.suppress(ConnectionResetError):
            while connection.recv(1 << 16):
                said_hello.set()

    process = start(*words(command, serve(listen).port, "--json", "--tls"))
    assert said_hello.wait(TIMEOUT)
    stop(process, number, command)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("command", ["accumulate", "chat", "connect", "send"])
def test_in_mid_transfer(start: Start, serve: Serve, command: str, number: int) -> None:
    heard = threading.Event()

    def listen(connection: socket.socket) -> None:
        with contextlib.suppress(ConnectionResetError):
            while connection.recv(1 << 16):
                heard.set()

    options = ["--every", "0.01", "--count", "1000000"] if command == "accumulate" else []
    process = start(*words(command, serve(listen).port, "--json", *options))
    assert process.stdin is not None
    process.stdin.write(b"something")
    process.stdin.flush()
    assert heard.wait(TIMEOUT)
    stop(process, number, command)


@pytest.mark.parametrize("number", SIGNALS)
def test_while_udp_waits_for_answers(start: Start, number: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(TIMEOUT)
        port = str(peer.getsockname()[1])
        process = start("udp", "--json", "--data", "x", "--wait", "1000", "127.0.0.1", port)
        assert peer.recv(10) == b"x"
        stop(process, number, "udp")


@pytest.mark.parametrize("number", SIGNALS)
def test_while_status_waits_for_an_answer(
    start: Start, serve: Serve, tmp_path: Path, number: int
) -> None:
    asked = threading.Event()

    def listen(connection: socket.socket) -> None:
        with contextlib.suppress(ConnectionResetError):
            while connection.recv(1 << 16):
                asked.set()

    path = str(tmp_path / "s")
    serve(listen, family=socket.AF_UNIX, address=path)
    process = start("status", "--json", "--admin", path)
    assert asked.wait(TIMEOUT)
    stop(process, number, "status")


@pytest.mark.parametrize("command", ["accumulate", "connect", "probe", "send"])
def test_a_person_is_told_nothing(start: Start, full: int, command: str) -> None:
    process = start(*words(command, full))
    until(lambda: is_connecting(full))
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=TIMEOUT) == (b"", b"")
    assert process.returncode == 130


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("module", ["click", "socketsuite.cli.probe", "twisted.internet.defer"])
def test_while_it_loads(module: str, number: int) -> None:
    code = (
        "import os, sys\n"
        "class Kill:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name == {module!r}: os.kill(os.getpid(), {int(number)})\n"
        "sys.meta_path.insert(0, Kill())\n"
        "from socketsuite.cli.entry import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "probe", "127.0.0.1", "1"],
        capture_output=True,
        timeout=TIMEOUT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (
        SIGNALS[signal.Signals(number)][0],
        b"",
        b"",
    )


def waiting_in(pipe: int) -> int:
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


def test_one_signal_is_enough_though_nobody_reads_the_output(start: Start) -> None:
    """The process waits in a write; nothing of ours can run until it is over."""
    ours, theirs = os.pipe()
    process = start("probe", "127.0.0.1", "1-65535", stdout=theirs)
    # A line goes into a page of the pipe as a whole, or into the next one.
    size, longest_line = fcntl.fcntl(ours, fcntl.F_GETPIPE_SZ), 64
    full = size - size // resource.getpagesize() * longest_line
    until(lambda: waiting_in(ours) > full)
    process.send_signal(signal.SIGTERM)
    assert process.wait(TIMEOUT) == 143
    os.close(ours)
    os.close(theirs)


def test_an_ignored_ctrl_c_stays_ignored(start: Start, full: int) -> None:
    process = start(
        *words("connect", full), preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)
    )
    until(lambda: is_connecting(full))
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    assert process.wait(TIMEOUT) == 143


def test_python_s_own_end_does_not_outlive_a_signal() -> None:
    script = """
import os, signal, time
from socketsuite.cli.stopping import Stopped, catch, leave

# What began the tests in the background may have had it ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)

class Slow:
    def __del__(self):
        for _ in range(30):  # of what Python ends last of all, without its handlers
            time.sleep(0.1)

slow = Slow()
catch()
try:
    os.kill(os.getpid(), signal.SIGINT)
except Stopped as stopped:
    leave(128 + stopped.number)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 130
