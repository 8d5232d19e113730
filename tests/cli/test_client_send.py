"""``socketsuite send`` against plain servers."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import threading
from pathlib import Path

from tests.cli.conftest import Authority, Client, Serve, Start
from tests.cli.contract import read
from tests.cli.servers import TIMEOUT, goodbye
from tests.support.ack_sink import AckSink
from tests.support.ports import free_port


class Sink:
    """Keeps what one client sends; confirms by closing."""

    def __init__(self) -> None:
        self.hash = hashlib.sha256()
        self.size = 0

    def __call__(self, connection: socket.socket) -> None:
        while data := connection.recv(1 << 16):
            self.hash.update(data)
            self.size += len(data)
        goodbye(connection)


def test_a_file_arrives_whole_and_is_confirmed(
    client: Client, serve: Serve, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_bytes(os.urandom(5_000_001))
    sink = Sink()
    done = client("send", "localhost", serve(sink).port, path)
    assert sink.hash.digest() == hashlib.sha256(path.read_bytes()).digest()
    assert (done.returncode, done.stdout) == (0, b"")
    assert re.fullmatch(rb"sent 5,000,001 bytes in \d+\.\d\d s \(\d+\.\d MB/s\)\n", done.stderr), (
        done.stderr
    )


def test_standard_input_can_be_sent(client: Client, serve: Serve) -> None:
    sink = Sink()
    done = client("send", "--json", "127.0.0.1", serve(sink).port, "-", input=b"x" * 100_000)
    rows, result = read(done.stdout)
    assert (rows, result["bytes"], result["confirmed"]) == ([], 100_000, True)
    assert result["bytes_per_second"] > 0
    assert (done.returncode, done.stderr, sink.size) == (0, b"", 100_000)


def test_an_empty_file_is_sent_too(client: Client, serve: Serve) -> None:
    sink = Sink()
    done = client("send", "localhost", serve(sink).port, "/dev/null")
    assert (done.returncode, sink.size) == (0, 0)
    assert done.stderr.startswith(b"sent 0 bytes in ")


def test_tls_sends_it_whole_and_says_goodbye(
    client: Client, serve: Serve, authority: Authority, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_bytes(os.urandom(1_000_000))
    sink = Sink()
    port = serve(sink, tls=authority.server()).port
    done = client("send", "--tls", "--cafile", authority.cafile, "localhost", port, path)
    assert done.returncode == 0, done.stderr
    assert sink.hash.digest() == hashlib.sha256(path.read_bytes()).digest()


def test_a_server_that_does_not_close_has_not_confirmed(client: Client, serve: Serve) -> None:
    finished = threading.Event()

    def stay(connection: socket.socket) -> None:
        while connection.recv(100):
            pass
        finished.wait(TIMEOUT)

    port = serve(stay).port
    done = client("send", "--close-timeout", "0.2", "localhost", port, "-", input=b"hello")
    finished.set()
    assert done.returncode == 1
    summary, complaint = done.stderr.splitlines()
    assert summary.startswith(b"sent 5 bytes in ")
    assert complaint.startswith(b"the server has not confirmed")


def test_a_loss_on_the_way_tells_how_much_had_gone(
    client: Client, serve: Serve, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(30_000_000))

    def read_some_then_reset(connection: socket.socket) -> None:
        left = 1_000_000
        while left > 0:
            left -= len(connection.recv(1 << 16))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    port = serve(read_some_then_reset).port
    done = client("send", "localhost", port, path)
    assert done.returncode == 1
    found = re.fullmatch(
        rf"Connection to localhost {port} lost after ([\d,]+) bytes had been handed to the"
        rf" kernel: connection lost\n",
        done.stderr.decode(),
    )
    assert found is not None, done.stderr
    assert 900_000 < int(found[1].replace(",", "")) < 30_000_000


def test_a_server_that_talks_back_is_read(client: Client, serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(10_000_000))

    def echo(connection: socket.socket) -> None:
        while data := connection.recv(1 << 16):
            connection.sendall(data)

    assert client("send", "localhost", serve(echo).port, path).returncode == 0


def test_files_that_cannot_be_read_are_usage_errors(client: Client, tmp_path: Path) -> None:
    missing = client("send", "localhost", free_port(), tmp_path / "none")
    assert missing.returncode == 2
    assert f"cannot read {tmp_path}/none: no such file or directory." in missing.stderr.decode()
    folder = client("send", "localhost", free_port(), tmp_path)
    assert folder.returncode == 2
    assert f"cannot read {tmp_path}: is a directory." in folder.stderr.decode()
    for done in (missing, folder):
        assert done.stderr.count(b"\n") == 1


def test_json_errors_are_one_object_on_standard_output(client: Client) -> None:
    port = free_port()
    done = client("send", "--json", "localhost", port, "/dev/null")
    assert (done.returncode, done.stderr) == (1, b"")
    message = f"No server at localhost {port}: connection refused"
    _, result = read(done.stdout)
    assert result["error"] == {"code": "refused", "message": message}
    assert (result["bytes"], result["confirmed"]) == (0, False)


def test_a_terminal_shows_a_progress_bar(start: Start, serve: Serve) -> None:
    ours, theirs = os.openpty()
    environment = {**os.environ, "TERM": "xterm"}
    process = start(
        *("send", "localhost", serve(Sink()).port, "/dev/null"), stderr=theirs, env=environment
    )
    assert process.wait(TIMEOUT) == 0
    shown = os.read(ours, 1 << 16).decode()
    os.close(ours)
    os.close(theirs)
    assert "\x1b[" in shown
    assert "sent 0 bytes in" in shown


def test_a_server_that_acknowledges_is_not_taken_for_one_that_keeps_what_it_is_sent(
    client: Client, tmp_path: Path
) -> None:
    sink = AckSink()
    for data in (b"", b"hello\n", bytes(3_000_000)):
        path = tmp_path / "file"
        path.write_bytes(data)
        done = client("send", "--json", "127.0.0.1", sink.port, path)
        _, result = read(done.stdout)
        assert result["error"] is not None
        assert "--ack" in result["error"]["message"] or data == bytes(3_000_000)
    assert not sink.streams
    sink.close()


def test_who_acknowledges_nothing_is_told_from_who_does(client: Client, serve: Serve) -> None:
    port = serve(Sink()).port
    words = ("--timeout", "0.3", f"127.0.0.1:{port}", __file__)
    done = client("send", "--ack", *words)
    assert done.returncode == 1
    assert b"no greeting within 0.3 s; --ack wants a port of the sink's frontend ack" in done.stderr
