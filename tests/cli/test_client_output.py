"""Output that cannot be written: one line at most, status 1, and never a traceback."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from socketsuite.testing import Daemon
from tests.cli.conftest import Client, Serve
from tests.cli.contract import read
from tests.cli.servers import TIMEOUT, echo, swallow

FULL = b"cannot write standard output: no space left on device\n"


@pytest.fixture(scope="module")
def admin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("daemon")
    daemon = Daemon(folder, "socketsuite-echo", "--port", "0", "--admin", str(folder / "a.sock"))
    daemon.wait_until_ready()
    yield folder / "a.sock"
    daemon.kill()


@pytest.fixture
def echo_udp() -> Iterator[int]:
    """Return the port of a UDP socket in which one answer is waiting for whoever is there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        peer.settimeout(TIMEOUT)

        def answer() -> None:
            with contextlib.suppress(OSError):
                while True:
                    data, sender = peer.recvfrom(100)
                    if data == b"end":
                        return
                    peer.sendto(data, sender)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield peer.getsockname()[1]
        peer.sendto(b"end", peer.getsockname())
        thread.join(TIMEOUT)


def sums(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.sendall(struct.pack("<3i", 1, 2, 3))
        swallow(connection)


def quiet_echo(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        echo(connection)


@pytest.fixture(
    params=[
        "accumulate",
        "chat",
        "connect",
        "ports",
        "probe",
        "send",
        "status",
        "status --watch",
        "udp",
    ]
)
def arguments(
    request: pytest.FixtureRequest, serve: Serve, admin: Path, echo_udp: int
) -> tuple[str, ...]:
    """Return a command that succeeds, and goes on for longer than its first line."""
    match request.param:
        case "accumulate":
            port = serve(sums).port
            return ("accumulate", "--values", "1", "--sums", "3", "127.0.0.1", str(port))
        case "connect":
            return ("connect", "127.0.0.1", str(serve(quiet_echo).port))
        case "chat":
            return ("chat", "127.0.0.1", str(serve(quiet_echo).port))
        case "ports":
            return ("ports",)
        case "probe":
            ports = [str(serve(quiet_echo).port) for _ in range(3)]
            return ("probe", "127.0.0.1", *ports)
        case "send":
            return ("send", "127.0.0.1", str(serve(swallow).port), __file__)
        case "udp":
            return ("udp", "--data", "x", "--count", "1", "127.0.0.1", str(echo_udp))
    return (*request.param.split(), "--admin", str(admin))


def test_a_full_disk_is_one_line_and_status_1(client: Client, arguments: tuple[str, ...]) -> None:
    with open("/dev/full", "wb") as full:
        done = client(*arguments, input=b"some input\n", stdout=full)
    if arguments[0] == "send":  # it writes nothing there
        assert (done.returncode, done.stderr[:5]) == (0, b"sent ")
    else:
        assert (done.returncode, done.stderr) == (1, FULL)


def test_a_full_disk_is_one_line_with_json_too(client: Client, arguments: tuple[str, ...]) -> None:
    command, *others = arguments
    with open("/dev/full", "wb") as full:
        done = client(command, "--json", *others, input=b"some input\n", stdout=full)
    assert done.returncode == 1
    if command == "connect":
        _, result = read(done.stderr)
        assert result["error"]["code"] == "output"
    else:
        assert done.stderr == FULL


def test_a_reader_that_is_gone_needs_no_words(client: Client, arguments: tuple[str, ...]) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    done = client(*arguments, input=b"some input\n", stdout=theirs)
    os.close(theirs)
    if arguments[0] == "send":
        assert (done.returncode, done.stderr[:5]) == (0, b"sent ")
    else:
        assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.sampled(6)
@pytest.mark.parametrize("closed", [(1,), (2,), (0, 1), (0, 1, 2)])
def test_closed_descriptors_are_as_if_nobody_were_there(
    client: Client, arguments: tuple[str, ...], closed: tuple[int, ...]
) -> None:
    if "--watch" in arguments:
        pytest.skip("goes on for ever, as it should")

    def close() -> None:
        for number in closed:
            os.close(number)

    more: dict[str, Any] = {"stdin": None} if 0 in closed else {"input": b"some input\n"}
    done = client(*arguments, preexec_fn=close, **more)
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr


def test_help_on_a_full_disk_is_one_line(client: Client) -> None:
    for arguments in (["--help"], ["probe", "--help"], ["--version"]):
        with open("/dev/full", "wb") as full:
            done = client(*arguments, stdout=full)
        assert (done.returncode, done.stderr) == (1, FULL)


def test_standard_error_on_a_full_disk_changes_no_status(client: Client) -> None:
    program = [sys.executable, "-m", "socketsuite.cli"]
    for words, status in ((["frob"], 2), (["connect", "--unix", "/nowhere"], 1), ([], 2)):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([*program, *words], stderr=full, timeout=TIMEOUT, check=False)
        assert done.returncode == status


@pytest.mark.sampled(6)
@pytest.mark.parametrize("way", ["variable", "option"])
def test_a_command_warns_of_nothing(client: Client, arguments: tuple[str, ...], way: str) -> None:
    """-X dev makes sockets and files that nobody closes warnings, and warnings are errors here."""
    if "--watch" in arguments:
        pytest.skip("goes on for ever, as it should")
    options = ["-W", "error", "-X", "dev"] if way == "option" else []
    done = subprocess.run(
        [sys.executable, *options, "-m", "socketsuite.cli", *arguments],
        input=b"some input\n",
        capture_output=True,
        timeout=TIMEOUT,
        env={**os.environ, "PYTHONWARNINGS": "error"},
        check=False,
    )
    said = [line for line in done.stderr.splitlines() if not line.startswith(b"sent ")]
    assert (done.returncode, said) == (0, [])
