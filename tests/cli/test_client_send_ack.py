"""``socketsuite send --ack`` as a process, against a server in memory that may misbehave."""

from __future__ import annotations

import itertools
import os
import random
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from socketsuite.wire.acks import Error
from socketsuite.wire.receipts import Receipt, read_lines
from tests.cli.conftest import Authority, Client, Start
from tests.cli.contract import read
from tests.cli.servers import TIMEOUT
from tests.support.ack_sink import AckSink, Behaviour
from tests.support.ports import free_port

Sinks = Callable[..., AckSink]
BYTES = random.Random(3).randbytes(3_000_001)


@pytest.fixture
def sink() -> Iterator[Sinks]:
    started: list[AckSink] = []

    def begin(tls: Any = None, unix: Path | None = None, **behaviour: Any) -> AckSink:
        started.append(AckSink(Behaviour(**behaviour), tls=tls, unix=unix))
        return started[-1]

    yield begin
    for one in started:
        one.close()


@pytest.fixture
def big(tmp_path: Path) -> Path:
    path = tmp_path / "big"
    path.write_bytes(BYTES)
    return path


def test_a_file_is_durable_after_two_breaks_and_its_receipts_are_kept(
    client: Client, sink: Sinks, big: Path, tmp_path: Path
) -> None:
    server = sink(break_after=[500_000, 1_000_000])
    kept = tmp_path / "receipts"
    done = client("send", "--ack", "--json", "--receipts", kept, f"localhost:{server.port}", big)
    rows, result = read(done.stdout)
    assert (done.returncode, done.stderr) == (0, b"")
    assert server.streams == {"big": BYTES}
    assert (result["acked"], result["resumed"], result["ok"]) == (len(BYTES), 2, True)
    assert result["sent"] >= len(BYTES)
    assert [(row["event"], row["stream"], row["acked"]) for row in rows] == [
        ("stream", "big", len(BYTES))
    ]
    with kept.open("rb") as file:
        lines = [line for _, line in read_lines(file)]
    assert isinstance(lines[-1], Receipt)
    assert (lines[-1].offset, lines[-1].hash.hex()) == (len(BYTES), rows[0]["hash"])
    before = kept.read_bytes()
    again = client("send", "--ack", "--receipts", kept, f"localhost:{server.port}", big)
    assert b"0 bytes are durable after" in again.stderr
    assert b"3,000,001 were there before" in again.stderr
    assert kept.read_bytes().startswith(before)


def test_files_and_folders_go_over_several_connections_at_once(
    client: Client, sink: Sinks, big: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "photos" / "of june"
    folder.mkdir(parents=True)
    for number in range(12):
        (folder / f"ñ {number}").write_bytes(BYTES[: number * 50_000])
    (tmp_path / "photos" / "link").symlink_to("of june")
    together = threading.Barrier(3)
    calls = itertools.count()
    server = sink(before_done=lambda _: next(calls) < 3 and together.wait(TIMEOUT))
    words = ("--parallel", "3", "localhost", server.port, tmp_path / "photos", big, __file__)
    done = client("send", "--ack", *words)
    assert (done.returncode, server.most_at_once) == (0, 3), done.stderr
    ours = {f"photos/of june/ñ {n}": BYTES[: n * 50_000] for n in range(12)}
    assert server.streams == {
        **ours,
        "big": BYTES,
        Path(__file__).name: Path(__file__).read_bytes(),
    }
    assert b"link is skipped: it is a symbolic link" in done.stderr


def test_standard_input_has_a_stream_of_its_own_or_the_one_it_is_told(
    client: Client, sink: Sinks
) -> None:
    server = sink(break_after=[1_000_000])
    done = client("send", "--ack", f"127.0.0.1:{server.port}", "-", input=BYTES)
    told = done.stderr.decode().splitlines()[0].rpartition(" ")[2]
    assert server.streams == {told: BYTES}
    named = ("send", "--ack", "--stream", "a/b c", "127.0.0.1", server.port, "-")
    assert client(*named, input=BYTES[:1000]).returncode == 0
    assert client(*named, input=BYTES[:2000]).returncode == 0
    assert server.streams["a/b c"] == BYTES[:2000]
    other = client(*named, input=b"x" * 5000)
    assert other.returncode == 1
    assert b"other bytes as stream a/b c" in other.stderr
    assert client(*named[:2], "--append", *named[2:], input=b"more").returncode == 0
    assert server.streams["a/b c"] == BYTES[:2000] + b"more"


def test_tls_and_a_unix_socket_are_those_of_every_client(
    client: Client, sink: Sinks, authority: Authority, big: Path, tmp_path: Path
) -> None:
    local = sink(unix=tmp_path / "socket")
    done = client("send", "--ack", "--unix", tmp_path / "socket", big, __file__)
    assert done.returncode == 0, done.stderr
    assert set(local.streams) == {"big", Path(__file__).name}
    server = sink(tls=authority.server(), break_after=[1_000_000])
    words = ("--cafile", authority.cafile, "localhost", server.port, big)
    assert client("send", "--ack", "--tls", *words).returncode == 0
    assert server.streams == {"big": BYTES}


def test_one_file_that_cannot_be_sent_keeps_no_other_from_it(
    client: Client, sink: Sinks, big: Path, tmp_path: Path
) -> None:
    server = sink()
    server.streams["big"] = bytearray(b"something else")
    (tmp_path / "small").write_bytes(b"small")
    done = client("send", "--ack", "--json", "localhost", server.port, big, tmp_path / "small")
    rows, result = read(done.stdout)
    assert done.returncode == 1
    assert server.streams == {"big": b"something else", "small": b"small"}
    errors = {row["stream"]: row["error"] and row["error"]["code"] for row in rows}
    assert errors == {"big": "other-bytes", "small": None}
    assert (result["error"]["code"], result["ok"], result["acked"]) == ("other-bytes", False, 5)


def test_a_stream_in_use_is_tried_again_and_one_that_was_taken_over_is_not(
    client: Client, sink: Sinks, big: Path
) -> None:
    server = sink(errors=[Error("in-use", "somebody sends it"), Error("busy", "too many")])
    done = client("send", "--ack", f"localhost:{server.port}", big)
    assert done.returncode == 0
    assert server.streams == {"big": BYTES}
    assert b"the server refuses: somebody sends it; trying again" in done.stderr
    server.behaviour.errors.append(Error("replaced", "another sender took it"))
    done = client("send", "--ack", f"localhost:{server.port}", big)
    assert done.returncode == 1
    assert b"big: the server refuses: another sender took it" in done.stderr


def test_a_wrong_receipt_ends_it(client: Client, sink: Sinks, big: Path) -> None:
    done = client("send", "--ack", f"localhost:{sink(wrong_hash=True).port}", big)
    assert done.returncode == 1
    assert b"the server's receipt is wrong" in done.stderr


def test_a_server_that_was_there_is_waited_for_and_one_that_never_was_is_not(
    client: Client, sink: Sinks, big: Path
) -> None:
    done = client("send", "--ack", "--json", f"localhost:{free_port()}", big)
    assert read(done.stdout)[1]["error"]["code"] == "refused"
    server: AckSink

    def vanish(_: Any) -> None:
        server.stop_listening()
        raise ConnectionResetError

    server = sink(before_done=vanish)
    words = ("--retry-for", "0.5", f"localhost:{server.port}")
    result = read(client("send", "--ack", "--json", *words, big).stdout)[1]
    assert (result["error"]["code"], result["ok"], result["acked"] > 0) == ("refused", False, True)
    assert "given up after 0.5 s" in result["error"]["message"]


def test_the_result_is_told_when_it_is_interrupted(sink: Sinks, start: Start, big: Path) -> None:
    reached = threading.Event()
    ended = threading.Event()

    def hold(_: Any) -> None:
        reached.set()
        ended.wait(TIMEOUT)

    process = start("send", "--ack", "--json", f"localhost:{sink(before_done=hold).port}", big)
    assert reached.wait(TIMEOUT)
    process.send_signal(signal.SIGINT)
    shown, _ = process.communicate(timeout=TIMEOUT)
    ended.set()
    _, result = read(shown)
    assert (process.returncode, result["error"]["code"]) == (130, "interrupted")
    assert (result["sent"], result["ok"]) == (len(BYTES), False)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("--stream x localhost 1 {file}", "--stream needs --ack."),
        ("--ack", "Missing argument FILE."),
        ("--ack --stream x localhost 1 {file} {folder}", "--stream wants one FILE."),
        ("--ack --stream a//b {file}", "--stream: a component of a stream id is not empty"),
        ("--ack --append {folder}", "--append wants one FILE, and no folder."),
        ("--ack localhost 1 {file} {file}", "{file} and another FILE would both be"),
        ("--ack localhost 1 /nowhere", "cannot read /nowhere: no such file or directory."),
        ("--ack --parallel 0 {file}", "Invalid value for '--parallel'"),
        ("--ack localhost x {file}", "'x' is not a port"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(
    client: Client, tmp_path: Path, words: str, complaint: str
) -> None:
    (tmp_path / "file").write_bytes(b"x")
    names = {"file": tmp_path / "file", "folder": tmp_path}
    done = client("send", *words.format(**names).split())
    assert done.returncode == 2
    assert complaint.format(**names) in done.stderr.decode()


def test_a_terminal_shows_progress(sink: Sinks, start: Start, big: Path) -> None:
    ours, theirs = os.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    server = sink(break_after=[1_000_000])
    process = start(
        "send", "--ack", f"localhost:{server.port}", big, stderr=theirs, env=environment
    )
    os.close(theirs)
    shown = b""
    while b"bytes are durable" not in shown:
        shown += os.read(ours, 1 << 16)
    assert process.wait(TIMEOUT) == 0
    os.close(ours)
    assert b"3.0/3.0 MB" in shown
    assert b"trying again" in shown


def test_a_name_that_is_no_stream_s_is_told_harmlessly_and_the_others_are_sent(
    client: Client, sink: Sinks, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in (b"\xff", b"a\x1b[2J", b"good"):
        with open(os.fsencode(folder) + b"/" + name, "wb") as file:
            file.write(name)
    server = sink()
    done = client("send", "--ack", f"localhost:{server.port}", folder)
    assert done.returncode == 1
    assert server.streams == {"folder/good": b"good"}
    assert b"\x1b" not in done.stderr
    assert done.stderr.endswith(b"2 of 3 not sent\n")
