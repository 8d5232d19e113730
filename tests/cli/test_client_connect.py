"""``socketsuite connect`` against plain servers."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from tests.cli.conftest import Client, Serve, Start
from tests.cli.contract import read
from tests.cli.servers import (
    TIMEOUT,
    echo,
    echo_afterwards,
    goodbye,
    greet_and_swallow,
    swallow,
)
from tests.support.ports import free_port

ALL_BYTES = bytes(range(256)) * 100


def test_every_byte_goes_out_and_comes_back(client: Client, serve: Serve) -> None:
    done = client("connect", "localhost", serve(echo).port, input=ALL_BYTES)
    assert (done.returncode, done.stdout, done.stderr) == (0, ALL_BYTES, b"")


def test_the_end_of_input_half_closes_and_the_answer_still_comes(
    client: Client, serve: Serve
) -> None:
    done = client("connect", "127.0.0.1", serve(echo_afterwards).port, input=b"no newline")
    assert (done.returncode, done.stdout) == (0, b"no newline")


def test_standard_input_may_be_a_file(client: Client, serve: Serve, tmp_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    source.write_bytes(ALL_BYTES)
    with source.open("rb") as stdin, target.open("wb") as stdout:
        done = client(
            "connect", "localhost", serve(echo_afterwards).port, stdin=stdin, stdout=stdout
        )
    assert (done.returncode, target.read_bytes()) == (0, ALL_BYTES)


def test_standard_input_may_be_nothing(client: Client, serve: Serve) -> None:
    def greet(connection: socket.socket) -> None:
        assert connection.recv(1) == b""
        connection.sendall(b"hello")

    done = client("connect", "localhost", serve(greet).port, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stdout) == (0, b"hello")


def test_standard_input_may_be_closed(client: Client, serve: Serve) -> None:
    done = client(
        "connect", "localhost", serve(echo).port, stdin=None, preexec_fn=lambda: os.close(0)
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_it_ends_when_the_server_closes_though_input_is_open(start: Start, serve: Serve) -> None:
    process = start("connect", "localhost", serve(lambda c: c.sendall(b"bye")).port)
    assert process.stdout is not None
    assert process.stdout.read() == b"bye"
    assert process.wait(TIMEOUT) == 0


def test_nobody_there_is_one_line_and_status_1(client: Client) -> None:
    port = free_port()
    done = client("connect", "localhost", port)
    assert done.returncode == 1
    assert done.stdout == b""
    assert done.stderr.decode() == f"No server at localhost {port}: connection refused\n"


def test_an_unknown_host_is_one_line_and_status_1(client: Client) -> None:
    done = client("connect", "nosuch.invalid", "9000")
    assert done.returncode == 1
    assert done.stderr == b"No server at nosuch.invalid 9000: unknown host\n"


def test_a_reset_is_one_line_and_status_1(client: Client, serve: Serve) -> None:
    def reset(connection: socket.socket) -> None:
        connection.recv(1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    port = serve(reset).port
    done = client("connect", "localhost", port, input=b"x" * 100)
    assert done.returncode == 1
    assert done.stderr.decode() == f"No server at localhost {port}: connection lost\n"


def test_a_server_that_accepts_nothing_is_given_up_after_the_timeout(client: Client) -> None:
    with socket.socket() as full, socket.socket() as first:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        first.connect(full.getsockname())  # the backlog is full: SYNs are dropped
        port = full.getsockname()[1]
        done = client("connect", "--timeout", "0.3", "127.0.0.1", port)
    assert done.returncode == 1
    assert done.stderr.decode() == f"No server at 127.0.0.1 {port}: no answer within 0.3 s\n"


def test_ipv6_literals_work_with_and_without_brackets(client: Client, serve: Serve) -> None:
    server = serve(echo, family=socket.AF_INET6, address=("::1", 0))
    for host in ("::1", "[::1]"):
        done = client("connect", host, server.port, input=b"six")
        assert (done.returncode, done.stdout) == (0, b"six")


def test_a_unix_socket_works(client: Client, serve: Serve, tmp_path: Path) -> None:
    path = str(tmp_path / "echo.sock")
    serve(echo, family=socket.AF_UNIX, address=path)
    done = client("connect", "--unix", path, input=b"hello")
    assert (done.returncode, done.stdout) == (0, b"hello")


def test_a_missing_unix_socket_is_one_line(client: Client, tmp_path: Path) -> None:
    done = client("connect", "--unix", tmp_path / "none")
    assert done.returncode == 1
    assert done.stderr.decode() == f"No server at {tmp_path}/none: no such file or directory\n"


def test_json_puts_the_summary_on_standard_error(client: Client, serve: Serve) -> None:
    port = serve(echo).port
    done = client("connect", "--json", "127.0.0.1", port, input=b"12345")
    assert done.stdout == b"12345"
    rows, result = read(done.stderr)
    assert rows == []
    assert result["peer"] == f"127.0.0.1:{port}"
    assert (result["bytes_in"], result["bytes_out"]) == (5, 5)


def test_json_errors_are_one_object_on_standard_error(client: Client) -> None:
    port = free_port()
    done = client("connect", "--json", "localhost", port)
    assert done.returncode == 1
    assert done.stdout == b""
    message = f"No server at localhost {port}: connection refused"
    assert read(done.stderr)[1]["error"] == {"code": "refused", "message": message}


@pytest.mark.parametrize("typed", [b"hi\nexit\nafter\n", b"hi\nexit\r\n", b"hi\nexit"])
def test_the_exit_word_ends_the_client_and_is_not_sent(
    start: Start, serve: Serve, typed: bytes
) -> None:
    heard: list[bytes] = []

    def hear(connection: socket.socket) -> None:
        while data := connection.recv(100):
            heard.append(data)

    server = serve(hear)
    process = start("connect", "--exit-word", "exit", "localhost", server.port)
    process.communicate(typed, TIMEOUT)
    server.close()
    assert process.returncode == 0
    assert b"".join(heard) == b"hi\n"


def test_a_longer_line_is_no_exit_word(client: Client, serve: Serve) -> None:
    typed = b"exits\nre-exit\n exit\n"
    done = client("connect", "--exit-word", "exit", "localhost", serve(echo).port, input=typed)
    assert (done.returncode, done.stdout) == (0, typed)


def test_ctrl_c_is_status_130_without_a_word(start: Start, serve: Serve) -> None:
    process = start("connect", "localhost", serve(greet_and_swallow).port)
    assert process.stdout is not None
    assert process.stdout.read(1) == b"!"  # it is connected, and the signals are its own
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, out, err) == (130, b"", b"")


def test_ctrl_c_while_nobody_reads_the_output(start: Start, serve: Serve) -> None:
    flooding = threading.Event()

    def flood(connection: socket.socket) -> None:
        connection.settimeout(0.5)
        try:
            while True:
                connection.sendall(bytes(1 << 16))
        except TimeoutError:
            flooding.set()  # everything between us and the reader is full
        connection.settimeout(TIMEOUT)
        with contextlib.suppress(ConnectionResetError):
            swallow(connection)

    process = start("connect", "localhost", serve(flood).port)
    assert flooding.wait(TIMEOUT)
    process.send_signal(signal.SIGINT)
    assert process.wait(TIMEOUT) == 130


def test_it_ends_quietly_when_nobody_reads_the_output(start: Start, serve: Serve) -> None:
    def flood(connection: socket.socket) -> None:
        try:
            while True:
                connection.sendall(bytes(1 << 16))
        except OSError:
            pass

    process = start("connect", "localhost", serve(flood).port)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    assert process.wait(TIMEOUT) == 1
    assert process.stderr.read() == b""


def test_a_full_disk_is_one_line(client: Client, serve: Serve) -> None:
    with open("/dev/full", "wb") as full:
        done = client("connect", "localhost", serve(echo).port, input=b"x", stdout=full)
    assert done.returncode == 1
    assert done.stderr == b"cannot write standard output: no space left on device\n"


def test_a_terminal_stays_as_the_shell_set_it(serve: Serve, start: Start) -> None:
    ours, theirs = pty.openpty()
    process = start("connect", "localhost", serve(echo).port, stdin=theirs)
    os.write(ours, b"hello\n")
    assert process.stdout is not None
    assert process.stdout.read(6) == b"hello\n"
    assert os.get_blocking(theirs)
    os.write(ours, b"\x04")  # Ctrl-D: the end of input, not of the terminal
    assert process.wait(TIMEOUT) == 0
    os.close(ours)
    os.close(theirs)


def peak_memory(pid: int) -> int:
    """Return the most bytes of memory that the process has ever had resident."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")


def test_thirty_megabytes_for_a_reader_that_comes_late_stay_out_of_memory(
    start: Start, serve: Serve, tmp_path: Path
) -> None:
    content = os.urandom(1_000_000) * 30
    source = tmp_path / "big"
    source.write_bytes(content)
    stuck, finished = threading.Event(), threading.Event()
    peaks: list[int] = []

    def echo_and_measure(connection: socket.socket) -> None:
        connection.settimeout(0.5)
        for data in iter(lambda: connection.recv(1 << 16), b""):
            rest = memoryview(data)
            while rest:
                try:
                    rest = rest[connection.send(rest) :]
                except TimeoutError:
                    stuck.set()  # nobody reads: every buffer on the way is full
        finished.wait(TIMEOUT)
        peaks.append(peak_memory(process.pid))
        goodbye(connection)

    idle = start("connect", "localhost", serve(greet_and_swallow).port)
    assert idle.stdout is not None
    assert idle.stdout.read(1) == b"!"
    server = serve(echo_and_measure)
    with source.open("rb") as stdin:
        process: subprocess.Popen = start("connect", "localhost", server.port, stdin=stdin)
    assert stuck.wait(TIMEOUT)
    assert process.stdout is not None
    received = process.stdout.read(len(content))
    finished.set()
    assert process.wait(TIMEOUT) == 0
    assert received == content
    server.close()
    assert peaks[0] - peak_memory(idle.pid) < 10_000_000
