"""A log that nobody reads, or that cannot be written, holds up nothing; what is lost is said."""

from __future__ import annotations

import os
import pty
import re
import resource
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from socketsuite.testing import Daemon
from tests.daemons.conftest import Start
from tests.daemons.started import BIN, caller_at, in_background, is_alive, is_echoed, running
from tests.support.admin import asked, until
from tests.support.outside import SECONDS

ECHO = (BIN / "twistd", "-n", "socketsuite-echo", "--unix", "door")
# Longer in the log than on the wire.
PAYLOAD = b"\0" * 256
DROPPED = re.compile(r"(\d+) lines of the log dropped: (.*)")
# What ending may take while nobody reads; without that it takes a tenth of it.
END_SECONDS = 5.0


@pytest.fixture
def door(tmp_path: Path) -> Path:
    return tmp_path / "door"


def wait_for_notification(manager: socket.socket, word: bytes) -> None:
    """Wait until the daemon tells its manager *word*."""
    while word not in manager.recv(4096):
        pass


def ends_in_time(process: subprocess.Popen[bytes]) -> None:
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(SECONDS) == 0
    assert time.monotonic() - began < END_SECONDS


def text_of(descriptor: int, wanted: str) -> str:
    """Read from *descriptor* until there is *wanted*."""
    text = ""
    while wanted not in text:
        text += os.read(descriptor, 1 << 16).decode()
    return text


# ── a FIFO ──────────────────────────────────────────────────────────────────────────────


def test_a_fifo_without_a_reader_holds_up_neither_start_nor_end(tmp_path: Path, door: Path) -> None:
    os.mkfifo(tmp_path / "log")
    with running(tmp_path, *ECHO, "--log-to", "log") as process:
        is_echoed(door)
        ends_in_time(process)


def test_a_reader_that_comes_late_to_a_fifo_finds_what_was_logged(
    tmp_path: Path, door: Path
) -> None:
    log = tmp_path / "log"
    os.mkfifo(log)
    with running(tmp_path, *ECHO, "--log-to", "log") as process:
        is_echoed(door)
        reader = os.open(log, os.O_RDONLY)
        text = text_of(reader, " closed ")
        assert text.index(" ready, ") < text.index(" connected ")
        ends_in_time(process)
        assert text_of(reader, "stopped aborted=0\n")
        assert os.read(reader, 1) == b""
        os.close(reader)


def test_a_fifo_in_place_of_the_file_holds_up_neither_reload_nor_end(
    tmp_path: Path, door: Path, manager: socket.socket
) -> None:
    log = tmp_path / "log"
    env = {**os.environ, "NOTIFY_SOCKET": manager.getsockname()}
    with running(tmp_path, *ECHO, "--log-to", "log", env=env) as process:
        wait_for_notification(manager, b"READY=1")
        log.rename(tmp_path / "log.1")
        os.mkfifo(log)
        process.send_signal(signal.SIGHUP)
        wait_for_notification(manager, b"RELOADING=1")
        wait_for_notification(manager, b"READY=1")
        is_echoed(door)
        ends_in_time(process)
    assert " ready, " in (tmp_path / "log.1").read_text()


# ── a reader that stalls ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("form", "events"),
    [
        ("text", r" (connected|received|closed) "),
        ("json", r'"event":"(connected|received|closed)"'),
    ],
)
def test_a_reader_that_stalls_holds_up_nobody_and_learns_how_much_it_missed(
    tmp_path: Path, door: Path, form: str, events: str
) -> None:
    admin = tmp_path / "admin"
    options = ("--log-data", "payload", "--log-format", form, "--admin", "admin")
    callers = 4000 if form == "text" else 3000
    with running(tmp_path, *ECHO, *options, stdout=subprocess.PIPE) as process:
        for _ in range(callers):
            is_echoed(door, PAYLOAD)
        until(lambda: asked(admin)["total"], lambda total: total == 0)
        assert process.stdout is not None
        text = text_of(process.stdout.fileno(), "lines of the log dropped")
        is_echoed(door)
        ends_in_time(process)
        text += process.stdout.read().decode()
    found = DROPPED.findall(text)
    assert {why.rstrip('"}') for _, why in found} == {"whoever reads the log did not keep up"}
    missed = sum(int(count) for count, _ in found)
    assert missed > 0
    assert len(re.findall(events, text)) + missed == 3 * (callers + 1)
    # The line stands where the others are missing.
    assert text.index("ready") < text.index("lines of the log dropped") < text.index("stopped")


def test_a_daemon_whose_reader_stalls_ends_in_time_and_says_what_was_not_written(
    tmp_path: Path, door: Path
) -> None:
    options = ("--log-data", "payload")
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with running(tmp_path, *ECHO, *options, **pipes) as process:
        for _ in range(200):
            is_echoed(door, PAYLOAD)
        ends_in_time(process)
        assert process.stdout is not None
        assert process.stderr is not None
        written = process.stdout.read().decode()
        errors = process.stderr.read().decode()
    found = re.fullmatch(r"(\d+) lines of the log could not be written: whoever .*\n", errors)
    assert found is not None, errors
    events = len(re.findall(r" (?:connected|received|closed) .*\n", written))
    # Besides them: SIGTERM, draining, stopped.
    assert events + int(found[1]) == 3 * 200 + 3


def test_a_terminal_that_is_stopped_holds_up_nobody(tmp_path: Path, door: Path) -> None:
    ours, theirs = pty.openpty()
    with running(tmp_path, *ECHO, stdout=theirs) as process:
        os.close(theirs)
        for _ in range(500):
            is_echoed(door)
        text = ""
        while text.count(" closed ") < 500:
            text += os.read(ours, 1 << 16).decode()
        assert "dropped" not in text
        ends_in_time(process)
    os.close(ours)


def test_a_standard_output_that_others_have_made_nonblocking_loses_nothing(
    tmp_path: Path, door: Path
) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with running(tmp_path, *ECHO, stdout=writing) as process:
        for _ in range(600):
            is_echoed(door)
        text = ""
        while text.count(" closed ") < 600:
            text += os.read(reading, 1 << 16).decode()
        assert not os.get_blocking(writing)
        ends_in_time(process)
    os.close(writing)
    os.close(reading)
    assert text.count(" connected ") == 600


def test_the_flags_of_standard_output_are_left_as_they_are(tmp_path: Path, door: Path) -> None:
    reading, writing = os.pipe()
    with running(tmp_path, *ECHO, stdout=writing) as process:
        is_echoed(door)
        assert os.get_blocking(writing)
        ends_in_time(process)
    os.close(writing)
    os.close(reading)


def test_a_reader_that_has_gone_ends_nobody_and_what_it_misses_is_counted(
    tmp_path: Path, door: Path
) -> None:
    with running(tmp_path, *ECHO, "--metrics-port", "0", stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        start = text_of(process.stdout.fileno(), " ready, ")
        process.stdout.close()
        for _ in range(10):
            is_echoed(door)
        where = re.findall(r"metrics (http://\S+)", start)[0]

        def dropped() -> float:
            with urllib.request.urlopen(where) as page:
                text = page.read().decode()
            return float(re.findall(r"^socketsuite_log_lines_dropped_total (\S+)", text, re.M)[0])

        # Two lines for each connection, the last of which may still be open.
        assert until(dropped, lambda count: count >= 19) <= 20
        ends_in_time(process)


# ── a disk that is full ─────────────────────────────────────────────────────────────────

LIMIT = 4096


@pytest.fixture
def cramped(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """An echo whose log has no room for more than LIMIT bytes, by the kernel's limit on files."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, resource.RLIM_INFINITY))

    arguments = ("--log-to", "log")
    with running(tmp_path, *ECHO, *arguments, stderr=subprocess.PIPE, preexec_fn=limit) as process:
        yield process


def fill(log: Path, door: Path) -> None:
    def one_more() -> int:
        is_echoed(door)
        return log.stat().st_size

    assert until(one_more, lambda size: size >= LIMIT) == LIMIT


def test_a_full_disk_holds_up_nobody_and_what_was_dropped_is_said_when_there_is_room(
    tmp_path: Path, door: Path, cramped: subprocess.Popen[bytes]
) -> None:
    log = tmp_path / "log"
    fill(log, door)
    for _ in range(10):
        is_echoed(door)
    resource.prlimit(cramped.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    found = until(lambda: DROPPED.search(log.read_text()), lambda found: found is not None)
    assert found is not None
    assert found[2] == "file too large"
    is_echoed(door)
    ends_in_time(cramped)
    lines = log.read_text().splitlines()
    whole = [line for line in lines if re.match(r"[-\d]{10}T[:\d]{8}\.\d{3}Z socketsuite", line)]
    # The one that broke off is followed by a line of its own.
    assert len(lines) - len(whole) <= 2
    assert lines[-1].endswith("stopped aborted=0")
    position = next(n for n, line in enumerate(lines) if DROPPED.search(line))
    assert lines[position] in whole


def test_a_full_disk_holds_up_no_reload(
    tmp_path: Path, door: Path, cramped: subprocess.Popen[bytes]
) -> None:
    log = tmp_path / "log"
    fill(log, door)
    log.rename(tmp_path / "log.1")
    cramped.send_signal(signal.SIGHUP)
    text = until(
        lambda: log.read_text() if log.exists() else "",
        lambda text: "reloaded" in text and DROPPED.search(text) is not None,
    )
    assert "Traceback" not in text
    is_echoed(door)
    ends_in_time(cramped)
    assert " stopped " in log.read_text()


def test_a_device_without_room_holds_up_nobody_and_the_end_says_how_much_was_lost(
    tmp_path: Path, door: Path
) -> None:
    to_full = (*ECHO, "--log-to", "/dev/full")
    with running(tmp_path, *to_full, stderr=subprocess.PIPE) as process:
        is_echoed(door)
        process.send_signal(signal.SIGHUP)
        is_echoed(door)
        ends_in_time(process)
        assert process.stderr is not None
        errors = process.stderr.read().decode()
    assert re.fullmatch(
        r"\d+ lines of the log could not be written: no space left on device\n", errors
    )


# ── reloads ─────────────────────────────────────────────────────────────────────────────


def test_a_log_whose_folder_has_vanished_goes_on_where_it_was(tmp_path: Path, door: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with running(tmp_path, *ECHO, "--log-to", "folder/log") as process:
        is_echoed(door)
        with (folder / "log").open() as log:
            shutil.rmtree(folder)
            process.send_signal(signal.SIGHUP)
            text = ""

            def more() -> str:
                nonlocal text
                text += log.read()
                return text

            until(more, lambda text: " reloaded" in text)
            assert "cannot open the log" in text
            assert "no such file or directory" in text
            is_echoed(door)
            ends_in_time(process)
            assert " stopped " in more()


def test_two_reloads_in_a_row_lose_no_line(tmp_path: Path, door: Path) -> None:
    log = tmp_path / "log"
    with running(tmp_path, *ECHO, "--log-to", "log") as process:
        is_echoed(door)
        for number in (1, 2):
            until(log.exists, bool)
            log.rename(tmp_path / f"log.{number}")
            process.send_signal(signal.SIGHUP)
        until(log.exists, bool)
        is_echoed(door)
        ends_in_time(process)
    texts = [(tmp_path / name).read_text() for name in ("log.1", "log.2", "log")]
    assert " ready, " in texts[0]
    assert "stopped aborted=0\n" in texts[2]
    assert "".join(texts).count(" reloaded") == 2
    assert "".join(texts).count(" closed ") == 2


def test_a_reload_without_another_file_goes_on_in_the_same_one(tmp_path: Path, door: Path) -> None:
    log = tmp_path / "log"
    with running(tmp_path, *ECHO, "--log-to", "log") as process:
        is_echoed(door)
        process.send_signal(signal.SIGHUP)
        until(log.read_text, lambda text: " reloaded" in text)
        ends_in_time(process)
    text = log.read_text()
    assert text.index(" ready, ") < text.index(" reloaded") < text.index(" stopped ")


# ── the last lines ──────────────────────────────────────────────────────────────────────


def test_a_start_that_is_refused_has_logged_what_came_before(serve: Start, launch: Start) -> None:
    taken = serve("acme-rot13").port()
    late: Daemon = launch("acme-rot13", "--port", str(taken))
    assert late.wait() == 1
    assert " starting up." in late.log


def test_a_start_that_fails_within_twistd_leaves_its_traceback_in_the_log(tmp_path: Path) -> None:
    command = (BIN / "twistd", "-n", "--pidfile", "no/such/folder", *ECHO[2:])
    with running(tmp_path, *command, stdout=subprocess.PIPE) as process:
        assert process.wait(SECONDS) == 1
        assert process.stdout is not None
        assert b"FileNotFoundError: " in process.stdout.read()


def test_in_the_background_too_a_fifo_holds_up_nobody(tmp_path: Path, door: Path) -> None:
    os.mkfifo(tmp_path / "log")
    with in_background(tmp_path, *ECHO[2:], "--log-to", "log") as pid:
        is_echoed(door)
        os.kill(pid, signal.SIGTERM)
        until(lambda: is_alive(pid), lambda alive: not alive)


def test_ten_thousand_connections_that_end_at_once_are_all_in_the_log(
    tmp_path: Path, door: Path
) -> None:
    count = min(10_000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200)
    options = ("--log-to", "log", "--drain-timeout", "0.1", "--max-connections", "20000")
    with running(tmp_path, *ECHO, *options) as process:
        callers = [caller_at(door) for _ in range(count)]
        is_echoed(door)
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0  # they are many: it takes what it takes
        for caller in callers:
            caller.close()
    text = (tmp_path / "log").read_text()
    assert text.count(" closed ") == count + 1
    assert "dropped" not in text
