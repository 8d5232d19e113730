"""The file watcher: what happens to a real file, told over real sockets."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from socketsuite.testing import read_line
from tests.daemons.conftest import Start
from tests.support.outside import NODE, SECONDS, at_work
from tests.support.peers import program


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "target.txt"
    path.write_text("old\n")
    return path


@pytest.fixture
def subscriber(serve: Start, file: Path) -> Iterator[socket.socket]:
    """A person with nc, who has been told what is being watched."""
    watch = serve("socketsuite-watch", "--file", str(file))
    with at_work(program("nc.openbsd"), "127.0.0.1", str(watch.port())) as terminal:
        assert read_line(terminal) == f"Now watching {file} for changes...\n".encode()
        yield terminal


def touch(file: Path) -> None:
    subprocess.run(["touch", file], timeout=SECONDS, check=True)


def hears(subscriber: socket.socket, file: Path, change: str) -> None:
    """Check that the next line tells of that change, and of the time it is."""
    line = read_line(subscriber).decode()
    found = re.fullmatch(rf"File changed: {re.escape(str(file))} \((\w+)\) at (\S+Z)\n", line)
    assert found is not None, line
    assert found[1] == change
    assert abs(datetime.fromisoformat(found[2]).timestamp() - time.time()) < SECONDS


def test_a_file_touched_twice_in_a_row_is_told_twice(subscriber: socket.socket, file: Path) -> None:
    touch(file)
    touch(file)
    hears(subscriber, file, "touched")
    hears(subscriber, file, "touched")


def test_a_file_replaced_by_rename_goes_on_being_watched(
    subscriber: socket.socket, file: Path, tmp_path: Path
) -> None:
    for number in range(3):
        new = tmp_path / "new"
        new.write_text(f"{number}\n")
        new.rename(file)
        hears(subscriber, file, "replaced")
    file.write_text("in place\n")
    hears(subscriber, file, "modified")


def test_a_file_removed_and_made_anew_is_told_as_both(
    subscriber: socket.socket, file: Path
) -> None:
    for _ in range(2):
        file.unlink()
        hears(subscriber, file, "removed")
        file.write_text("new\n")
        hears(subscriber, file, "created")


def test_each_append_by_a_writer_who_keeps_the_file_open_is_told(
    subscriber: socket.socket, file: Path
) -> None:
    with file.open("ab", buffering=0) as writer:
        for number in range(3):
            writer.write(f"{number}\n".encode())
            hears(subscriber, file, "modified")


def test_a_save_of_many_writes_is_one_change(subscriber: socket.socket, file: Path) -> None:
    with file.open("wb", buffering=0) as writer:
        for _ in range(3):
            writer.write(b"x")
    hears(subscriber, file, "modified")
    file.chmod(0o600)
    hears(subscriber, file, "touched")


def test_a_deploy_that_swaps_a_link_above_the_file_is_told_and_followed(
    serve: Start, tmp_path: Path
) -> None:
    for release in ("42", "43"):
        folder = tmp_path / "releases" / release
        folder.mkdir(parents=True)
        (folder / "f").write_text(release)
    current = tmp_path / "current"
    current.symlink_to("releases/42")
    file = current / "f"
    watch = serve("socketsuite-watch", "--file", str(file))
    with at_work(program("nc.openbsd"), "127.0.0.1", str(watch.port())) as terminal:
        assert read_line(terminal) == f"Now watching {file} for changes...\n".encode()
        for release in ("43", "42"):
            command = ["ln", "-sfn", f"releases/{release}", str(current)]
            subprocess.run(command, timeout=SECONDS, check=True)
            hears(terminal, file, "replaced")
            (tmp_path / "releases" / release / "f").write_text("more")
            hears(terminal, file, "modified")
    assert "no inotify" not in watch.log


def test_what_happens_beside_the_file_is_not_told(
    subscriber: socket.socket, file: Path, tmp_path: Path
) -> None:
    (tmp_path / "another.txt").write_text("x")
    (tmp_path / "target.txt.swp").write_text("x")
    (tmp_path / "target.txt.swp").unlink()
    file.write_text("new\n")
    hears(subscriber, file, "modified")


def test_changes_are_told_as_json_lines_with_milliseconds(serve: Start, file: Path) -> None:
    watch = serve("socketsuite-watch", "--file", str(file), "--format", "json")
    with watch.connect() as subscriber:
        assert json.loads(read_line(subscriber)) == {"type": "watching", "file": str(file)}
        file.write_text("new\n")
        change = json.loads(read_line(subscriber))
        timestamp = change.pop("timestamp")
        assert change == {"type": "changed", "file": str(file), "change": "modified"}
        assert type(timestamp) is int
        assert abs(timestamp / 1000 - time.time()) < SECONDS


def test_a_node_client_reads_the_json_lines(serve: Start, file: Path) -> None:
    watch = serve("socketsuite-watch", "--file", str(file), "--format", "json")
    with at_work(program("node"), NODE / "watch.js", str(watch.port())) as shown:
        assert read_line(shown).decode() == f"Now watching: {file}\n"
        touch(file)
        assert re.fullmatch(rb"File changed: touched \d{4}-\d\d-\d\dT.*Z\n", read_line(shown))


def test_several_subscribers_on_tcp_and_unix_sockets_are_all_told(
    serve: Start, file: Path, tmp_path: Path
) -> None:
    path = tmp_path / "socket"
    watch = serve("socketsuite-watch", "--file", str(file), "--unix", str(path), "--port", "0")
    nc = program("nc.openbsd")
    with (
        at_work(nc, "-U", path) as one,
        at_work(nc, "-U", path) as two,
        at_work(nc, "127.0.0.1", str(watch.port())) as three,
        watch.connect("::1") as four,
    ):
        everybody = [one, two, three, four]
        for subscriber in everybody:
            assert read_line(subscriber).startswith(b"Now watching ")
        touch(file)
        for subscriber in everybody:
            hears(subscriber, file, "touched")
        two.shutdown(socket.SHUT_RDWR)
        four.shutdown(socket.SHUT_WR)
        watch.wait_for_line("closed transport=tcp")
        file.unlink()
        for subscriber in (one, three):
            hears(subscriber, file, "removed")
    watch.wait_for_line("closed transport=unix")


def test_the_log_says_when_a_subscriber_comes_and_goes(serve: Start, file: Path) -> None:
    watch = serve("socketsuite-watch", "--file", str(file))
    with watch.connect() as subscriber:
        peer = "{}:{}".format(*subscriber.getsockname())
        watch.wait_for_line(f"connected transport=tcp peer={peer} ")
    watch.wait_for_line(f"closed transport=tcp peer={peer} ")


def test_a_file_that_does_not_exist_yet_is_told_when_it_is_made(
    serve: Start, tmp_path: Path
) -> None:
    file = tmp_path / "later.txt"
    watch = serve("socketsuite-watch", "--file", "later.txt")
    with watch.connect() as subscriber:
        assert read_line(subscriber) == b"Now watching later.txt for changes...\n"
        file.write_text("here\n")
        hears(subscriber, Path("later.txt"), "created")


def test_a_file_whose_name_commands_terminals_is_shown_harmless(
    serve: Start, tmp_path: Path
) -> None:
    file = tmp_path / "\x1b[2J\n"
    watch = serve("socketsuite-watch", "--file", str(file))
    with watch.connect() as subscriber:
        assert read_line(subscriber) == f"Now watching {tmp_path}/^[[2J^J for changes...\n".encode()
        file.touch()
        assert read_line(subscriber).startswith(f"File changed: {tmp_path}/^[[2J^J (".encode())


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ((), 2, "say --file PATH or set SOCKETSUITE_WATCH_FILE"),
        (("--file", "no/such/file"), 1, "create its folder no/such first"),
        (("--file", "."), 1, "it is a folder; name a file"),
        (("--file", "x", "--format", "xml"), 2, "text"),
    ],
)
def test_a_file_that_cannot_be_watched_is_one_line(
    launch: Start, arguments: tuple[str, ...], status: int, words: str
) -> None:
    watch = launch("socketsuite-watch", "--port", "0", *arguments)
    assert watch.wait() == status
    assert words in watch.errors
    assert watch.errors.count("\n") == 1
    assert "Traceback" not in watch.log
