"""The wall clock is set while a daemon runs: everything that waits goes on as if nothing was.

libfaketime is loaded into a real daemon, which then sees the wall clock that a test says; the
monotonic clock, and the times of files, stay the machine's, as when somebody sets its clock.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from socketsuite.testing import Daemon, read_all, read_exactly, read_line
from tests.daemons.conftest import Start
from tests.support.admin import asked, until
from tests.support.outside import SECONDS
from tests.support.peers import program

HOUR = 3600
each_step = pytest.mark.parametrize("seconds", [HOUR, -HOUR], ids=["forward", "back"])
LIBRARY = "faketime/libfaketimeMT.so.1"
FOLDERS = ("/usr/lib", "/usr/lib64", "/usr/local/lib")
# RFC 868 counts from 1900.
SINCE_1900 = 2_208_988_800


class WallClock:
    """The wall clock of every process that is started in :attr:`environ`."""

    def __init__(self, library: Path, folder: Path) -> None:
        self._file = folder / "clock"
        self.step(0)
        self.environ = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def step(self, seconds: int) -> None:
        """Set the clock, in one go, so many seconds off the machine's."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.rename(self._file)


@pytest.fixture
def clock(tmp_path: Path) -> WallClock:
    program("faketime")
    roots = [root for folder in FOLDERS for root in (Path(folder), *Path(folder).glob("*-linux-*"))]
    libraries = [root / LIBRARY for root in roots if (root / LIBRARY).is_file()]
    if not libraries:
        pytest.skip(f"needs {LIBRARY}")
    return WallClock(libraries[0], tmp_path)


@pytest.fixture
def begin(serve: Start, launch: Start, clock: WallClock) -> Iterator[Start]:
    """Start daemons that see the clock; at the end each stops in good order, and in time."""
    begun: list[Daemon] = []

    def start(name: str, *arguments: str, environ: dict[str, str] | None = None) -> Daemon:
        start_it = launch if "--config" in arguments else serve
        begun.append(start_it(name, *arguments, env={**clock.environ, **(environ or {})}))
        return begun[-1].wait_until_ready()

    yield start
    for daemon in begun:
        assert daemon.stop() == 0
        assert "blocked" not in daemon.log
        assert "Traceback" not in daemon.log


def hears_signs_of_life(manager: socket.socket, count: int) -> None:
    while count:
        count -= b"WATCHDOG=1" in manager.recv(4096)


def is_that_far_off(moment: datetime, seconds: int) -> None:
    off = moment - timedelta(seconds=seconds) - datetime.now(UTC)
    assert abs(off) < timedelta(seconds=2 * SECONDS), moment


def logs_a_closing_that_far_off(daemon: Daemon, seconds: int) -> None:
    """See that the line has the new time, and that the connection lasted as long as it did."""
    line = daemon.wait_for_line(r"^(\S+) \S+ closed .* bytes_in=[1-9].* duration=(\d+\.\d+)")
    is_that_far_off(datetime.fromisoformat(line[1]), seconds)
    assert float(line[2]) < HOUR / 2


@each_step
def test_nobody_is_disconnected_and_the_watchdog_is_fed(
    begin: Start, clock: WallClock, manager: socket.socket, tmp_path: Path, seconds: int
) -> None:
    limits = ("--first-byte-timeout", "60", "--idle-timeout", "120", "--write-timeout", "60")
    queues = ("--send-queue", "64M", "--send-queue-soft", "1K", "--send-queue-seconds", "60")
    admin = tmp_path / "admin"
    environ = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "1000000"}
    daemon = begin("acme-rot13", *limits, *queues, "--admin", str(admin), environ=environ)
    with daemon.connect() as silent, daemon.connect() as idle, daemon.connect() as deaf:
        idle.sendall(b"a\n")
        assert read_line(idle) == b"n\n"
        deaf.sendall((b"a" * 15999 + b"\n") * 600)
        until(lambda: asked(admin), lambda seen: seen["connections"][0]["queued"] > 1 << 20)
        clock.step(seconds)
        # Each is half a second; within five of them everybody is looked at twice.
        hears_signs_of_life(manager, 6)
        told = asked(admin)
        assert told["total"] == 3
        assert 0 <= told["process"]["uptime"] < HOUR / 2
        assert told["process"]["loop_delay"]["maximum"] < HOUR / 2
        assert all(0 <= each["age"] < HOUR / 2 for each in told["connections"])
        for caller in (silent, idle):
            caller.sendall(b"b\n")
            assert read_line(caller) == b"o\n"
        deaf.shutdown(socket.SHUT_WR)
        assert read_all(deaf) == (b"n" * 15999 + b"\n") * 600
    logs_a_closing_that_far_off(daemon, seconds)


def is_a_turn_further(daemon: Daemon) -> None:
    """Return when the daemon has finished what it was doing, such as setting a timer anew."""
    with daemon.connect() as caller:
        daemon.wait_for_line(r" connected .*peer={}:{} ".format(*caller.getsockname()))


@each_step
def test_pushes_are_neither_hurried_nor_delayed(
    begin: Start, clock: WallClock, seconds: int
) -> None:
    interval = 0.6
    daemon = begin("socketsuite-accumulator", "--interval", str(interval))
    started = time.monotonic()
    with daemon.connect() as client:
        client.sendall(struct.pack("<i", 7))
        for number in range(1, 4):
            assert read_exactly(client, 4) == struct.pack("<i", 7)
            assert time.monotonic() >= started + number * interval - 0.001
            if number == 1:
                is_a_turn_further(daemon)
                clock.step(seconds)
        # Only a busy machine could be late; an hour's step would be later than any timeout.
        assert time.monotonic() < started + SECONDS
    logs_a_closing_that_far_off(daemon, seconds)


@pytest.fixture
def suite(begin: Start, tmp_path: Path) -> Daemon:
    """What tells the time, and what watches a file: by inotify, and by looking at a link."""
    (tmp_path / "target").write_text("old\n")
    (tmp_path / "link").symlink_to("target")
    (tmp_path / "suite.toml").write_text(
        "daytime = { port = 0, utc = true }\n"
        "time = { port = 0 }\n"
        "watch = { port = 0, file = 'target', format = 'json' }\n"
        "looks = { service = 'watch', port = 0, file = 'link', format = 'json' }\n"
    )
    return begin("socketsuite", "--config", "suite.toml")


def port_of(daemon: Daemon, service: str, transport: str = "tcp") -> int:
    pattern = rf" {service} listening transport={transport} address=127.0.0.1 port=(\d+)"
    return int(daemon.wait_for_line(pattern)[1])


@each_step
def test_subscribers_hear_of_a_change_and_of_the_new_time(
    suite: Daemon, clock: WallClock, tmp_path: Path, seconds: int
) -> None:
    with contextlib.ExitStack() as stack:
        subscribers = [
            stack.enter_context(suite.connect(port=port_of(suite, service)))
            for service in ("socketsuite-watch", "looks")
        ]
        for subscriber in subscribers:
            read_line(subscriber)
        is_a_turn_further(suite)
        clock.step(seconds)
        with (tmp_path / "target").open("a") as file:
            file.write("new\n")
        for subscriber in subscribers:
            told = json.loads(read_line(subscriber))
            assert told["change"] == "modified"
            is_that_far_off(datetime.fromtimestamp(told["timestamp"] / 1000, UTC), seconds)


@each_step
def test_who_tells_the_time_tells_the_new_one(
    suite: Daemon, clock: WallClock, seconds: int
) -> None:
    clock.step(seconds)
    with suite.connect(port=port_of(suite, "socketsuite-daytime")) as caller:
        text = read_all(caller).decode()
    moment = datetime.strptime(text, "%d %b %Y %H:%M:%S UTC\r\n").replace(tzinfo=UTC)
    is_that_far_off(moment, seconds)
    with socket.socket(type=socket.SOCK_DGRAM) as caller:
        caller.settimeout(SECONDS)
        caller.sendto(b"", ("127.0.0.1", port_of(suite, "socketsuite-time", "udp")))
        (since,) = struct.unpack(">I", caller.recv(10))
    is_that_far_off(datetime.fromtimestamp(since - SINCE_1900, UTC), seconds)
