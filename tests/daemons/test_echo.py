"""Echo over TCP and Unix sockets, by the programs that people have at hand."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from socketsuite.testing import Daemon, read_all, read_exactly, read_line
from tests.daemons.conftest import Start
from tests.support.outside import (
    MEGABYTE,
    NODE,
    at_work,
    comes_back_to_a_late_reader,
    memory,
    piped,
    reset,
)
from tests.support.peers import program


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path_factory.mktemp("echo"), "socketsuite-echo", "--port", "0")
    try:
        yield daemon.wait_until_ready()
        assert daemon.stop() == 0
        assert "Traceback" not in daemon.log
    finally:
        daemon.kill()


@pytest.mark.parametrize(
    "client",
    [
        "nc.openbsd -N 127.0.0.1 {}",
        "nc.openbsd -N ::1 {}",
        "ncat 127.0.0.1 {}",
        "socat -t20 - TCP:127.0.0.1:{}",
        "socat -t20 - TCP6:[::1]:{}",
    ],
)
@pytest.mark.parametrize("text", [b"hello", b"\x00\xff0123456789abcde\n" * 60_000], ids=len)
def test_everything_piped_in_comes_back(echo: Daemon, client: str, text: bytes) -> None:
    name, *arguments = client.format(echo.port()).split()
    assert piped(text, program(name), *arguments) == text


@pytest.mark.parametrize("halves", ["half", "whole"])
def test_a_node_client_who_ends_its_half_gets_everything(echo: Daemon, halves: str) -> None:
    text = b"0123456789abcdef" * 60_000
    assert piped(text, program("node"), NODE / "pipe.js", str(echo.port()), halves) == text


def test_what_is_typed_into_telnet_comes_back(echo: Daemon) -> None:
    with at_work(program("telnet"), "127.0.0.1", str(echo.port())) as terminal:
        while not read_line(terminal).startswith(b"Escape character"):
            pass
        for line in (b"hello\n", b"again\n"):
            terminal.sendall(line)
            assert read_line(terminal).replace(b"\r", b"") == line


@pytest.mark.parametrize(
    "client", ["nc.openbsd -N -U {}", "ncat -U {}", "socat -t20 - UNIX-CONNECT:{}"]
)
def test_everything_comes_back_over_a_unix_socket(
    serve: Start, tmp_path: Path, client: str
) -> None:
    path = tmp_path / "echo"
    serve("socketsuite-echo", "--unix", str(path))
    text = b"0123456789abcdef" * 20_000
    name, *arguments = client.format(path).split()
    assert piped(text, program(name), *arguments) == text


def test_100_megabytes_come_back_to_a_slow_reader_who_has_closed_its_half(serve: Start) -> None:
    daemon = serve("socketsuite-echo")
    before = memory(daemon)
    with socket.socket() as caller:
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        caller.connect(("127.0.0.1", daemon.port()))
        comes_back_to_a_late_reader(caller, 100 * MEGABYTE)
    assert memory(daemon, "VmHWM") - before < 24 * MEGABYTE


def test_a_banner_greets_before_anything_is_said(serve: Start) -> None:
    daemon = serve("socketsuite-echo", "--banner", "Welcome (Echo server)")
    with at_work(program("nc.openbsd"), "127.0.0.1", str(daemon.port())) as terminal:
        assert read_line(terminal) == b"Welcome (Echo server)\n"
        terminal.sendall(b"hello\n")
        assert read_line(terminal) == b"hello\n"


def test_a_prefix_in_cyrillic_comes_back_as_utf_8(serve: Start) -> None:
    daemon = serve("socketsuite-echo", "--prefix", "Сервер получил: ")
    answer = piped("Привет\n".encode(), program("nc.openbsd"), "-N", "::1", str(daemon.port()))
    assert answer.decode() == "Сервер получил: Привет\n"


def test_each_chunk_comes_back_behind_the_prefix(serve: Start) -> None:
    daemon = serve("socketsuite-echo", "--prefix", "> ")
    with daemon.connect() as caller:
        for chunk in (b"one", b"two"):
            caller.sendall(chunk)
            assert read_exactly(caller, 5) == b"> " + chunk


def test_the_answer_names_the_port_it_came_in_by(serve: Start) -> None:
    daemon = serve("socketsuite-echo", "--port", "0", "--port", "0", "--prefix", "ECHO{port}:")
    ports = daemon.ports()
    assert len(set(ports)) == 2
    for port in ports:
        for host in ("127.0.0.1", "::1"):
            answer = piped(b"x", program("nc.openbsd"), "-N", host, str(port))
            assert answer == f"ECHO{port}:x".encode()


def test_a_peer_that_vanishes_by_rst_disturbs_nobody(serve: Start) -> None:
    daemon = serve("socketsuite-echo")
    with daemon.connect() as other:
        for size in (0, 1, MEGABYTE):
            caller = daemon.connect()
            peer = "{}:{}".format(*caller.getsockname())
            caller.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                caller.send(b"x" * size)
            reset(caller)
            daemon.wait_for_line(rf"closed transport=tcp peer={peer} .*reason=lost")
            other.sendall(b"still here\n")
            assert read_line(other) == b"still here\n"
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.log


def test_a_connection_is_logged_when_it_opens_and_when_it_closes(serve: Start) -> None:
    daemon = serve("socketsuite-echo", "--banner", "hi")
    with daemon.connect("::1") as caller:
        peer = rf"\[::1\]:{caller.getsockname()[1]}"
        daemon.wait_for_line(rf"connected transport=tcp peer={peer} local=\[::1\]:{daemon.port()}$")
        caller.sendall(b"12345")
        caller.shutdown(socket.SHUT_WR)
        assert read_all(caller) == b"hi\n12345"
    daemon.wait_for_line(rf"closed transport=tcp peer={peer} bytes_in=5 bytes_out=8 ")
