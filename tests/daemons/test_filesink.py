"""The file sink: what any client sends is in the file when the client is done."""

from __future__ import annotations

import hashlib
import random
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from socketsuite.storage.segments import open_segment
from socketsuite.testing import Daemon, read_all
from tests.daemons.conftest import Start
from tests.support.outside import MEGABYTE, NODE, SECONDS, memory, piped, reset
from tests.support.peers import program


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "everything"


@pytest.fixture
def filesink(serve: Start, file: Path) -> Daemon:
    return serve("socketsuite-filesink", "--file", str(file))


def deliver(filesink: Daemon, data: bytes) -> None:
    """Send *data*, and return when the daemon says that it has it."""
    with filesink.connect() as client:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        assert read_all(client) == b""


def test_what_several_clients_send_one_after_another_is_in_the_file(
    filesink: Daemon, file: Path
) -> None:
    port = str(filesink.port())
    assert piped(b"one\n", program("nc.openbsd"), "-N", "127.0.0.1", port) == b""
    assert file.read_bytes() == b"one\n"
    assert piped(b"two\n", program("ncat"), "::1", port) == b""
    assert file.read_bytes() == b"one\ntwo\n"
    assert piped(b"three\n", program("socat"), "-t20", "-", f"TCP:127.0.0.1:{port}") == b""
    assert piped(b"four\n", program("node"), NODE / "pipe.js", port, "whole") == b""
    assert file.read_bytes() == b"one\ntwo\nthree\nfour\n"


def test_who_has_sent_all_is_confirmed_at_once(filesink: Daemon) -> None:
    began = time.monotonic()
    deliver(filesink, b"all")
    assert time.monotonic() - began < 2  # a service that may answer is waited for, 3 seconds


def test_every_byte_of_clients_at_once_is_in_the_file_in_its_order(
    filesink: Daemon, file: Path
) -> None:
    # Client i sends bytes whose upper half is i, so that the file can be taken apart again.
    sent = [bytes(i << 4 | b & 15 for b in random.Random(i).randbytes(100_000)) for i in range(8)]
    clients = [threading.Thread(target=deliver, args=(filesink, data)) for data in sent]
    for client in clients:
        client.start()
    for client in clients:
        client.join(SECONDS)
    written = file.read_bytes()
    assert len(written) == sum(map(len, sent))
    for i, data in enumerate(sent):
        others = bytes(b for b in range(256) if b >> 4 != i)
        assert written.translate(None, others) == data


def test_the_end_of_one_client_closes_nothing_for_the_others(filesink: Daemon, file: Path) -> None:
    with filesink.connect() as early, filesink.connect() as vanishing:
        early.sendall(b"begun, ")
        deliver(filesink, b"")
        reset(vanishing)
        filesink.wait_for_line("closed .*reason=lost")
        early.sendall(b"ended")
        early.shutdown(socket.SHUT_WR)
        assert read_all(early) == b""
    assert file.read_bytes() == b"begun, ended"


@pytest.mark.parametrize(
    "client", ["nc.openbsd -N 127.0.0.1 {}", "socat -t20 -u - TCP:127.0.0.1:{}"]
)
def test_50_megabytes_arrive_and_are_never_held_in_memory(
    filesink: Daemon, file: Path, tmp_path: Path, client: str
) -> None:
    before = memory(filesink)
    source = tmp_path / "source"
    source.write_bytes(random.Random(0).randbytes(50 * MEGABYTE))
    name, *arguments = client.format(filesink.port()).split()
    with source.open("rb") as stdin:
        subprocess.run([program(name), *arguments], stdin=stdin, timeout=SECONDS, check=True)
    # socat -u does not wait for the daemon's FIN.
    filesink.wait_for_line(f"closed .*bytes_in={50 * MEGABYTE} ")
    with file.open("rb") as written, source.open("rb") as original:
        digest = hashlib.file_digest(original, "sha256").digest()
        assert hashlib.file_digest(written, "sha256").digest() == digest
    assert memory(filesink, "VmHWM") - before < 24 * MEGABYTE


def test_the_file_is_appended_to_and_kept_from_others(
    serve: Start, filesink: Daemon, file: Path
) -> None:
    deliver(filesink, b"before the restart, ")
    assert file.stat().st_mode & 0o007 == 0
    assert filesink.stop() == 0
    deliver(serve("socketsuite-filesink", "--file", str(file)), b"after it")
    assert file.read_bytes() == b"before the restart, after it"


def test_a_client_whose_bytes_find_no_room_waits_and_the_daemon_lives(serve: Start) -> None:
    words = ("--file", "/dev/full", "--drain-timeout", "0.2")
    filesink = serve("socketsuite-filesink", *words)
    with filesink.connect() as client:
        client.sendall(b"nowhere to go")
        filesink.wait_for_line("no_room file=full why=disk-full")
        deliver(filesink, b"")
        client.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.recv(1)
        assert filesink.stop() == 0
        client.settimeout(SECONDS)
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    assert filesink.log.count("no_room") == 1
    assert "Traceback" not in filesink.log


def test_numbered_files_are_gone_on_with_after_a_kill(serve: Start, tmp_path: Path) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    words = ("--framing", "lines", "--rotate-size", "4K", "--compress", "gzip", "--ack-port", "0")
    sent = b""
    for process in range(2):
        filesink = serve("socketsuite-filesink", "--file", f"{folder}/{{seq}}.log", *words)
        some = b"".join(b"line %d of process %d\n" % (line, process) for line in range(600))
        deliver(filesink, some)
        sent += some
        if process == 0:
            filesink.kill()
    assert filesink.stop() == 0
    kept, files = [], sorted(folder.glob("*.log*"))
    for one in files:
        with open_segment(one) as file:
            kept.append(file.read())
    assert b"".join(kept) == sent
    assert [int(one.name[:6]) for one in files] == list(range(1, len(files) + 1))
    assert len(files) > 6


def test_without_a_file_there_is_one_line_and_status_2(launch: Start) -> None:
    filesink = launch("socketsuite-filesink", "--port", "0")
    assert filesink.wait() == 2
    assert filesink.errors.count("\n") == 1
    assert "say --file PATH or set SOCKETSUITE_FILESINK_FILE" in filesink.errors


@pytest.mark.parametrize(
    ("path", "words"),
    [("/tmp", "it is a folder: name a file"), ("no/such/folder/file", "its folder does not exist")],
)
def test_a_file_that_cannot_be_appended_to_is_one_line_and_status_1(
    launch: Start, path: str, words: str
) -> None:
    filesink = launch("socketsuite-filesink", "--port", "0", "--file", path)
    assert filesink.wait() == 1
    assert filesink.errors.count("\n") == 1
    assert f"cannot append to {path}: {words}" in filesink.errors
    assert "Traceback" not in filesink.log
