"""The notify protocol, with a socket of our own in the place of systemd's."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogLevel, globalLogPublisher
from zope.interface import implementer

from socketsuite.daemon.process.notify import Notifier, StatusReporter, watchdog_interval


class Manager:
    """What systemd is to a service: a datagram socket that it can write to."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind("\0" + address[1:] if address.startswith("@") else address)

    def heard(self) -> list[list[str]]:
        """Return the lines of each datagram so far; a Unix datagram is there once it is sent."""
        found = []
        while True:
            try:
                found.append(self.socket.recv(4097).decode().split("\n"))
            except BlockingIOError:
                return found


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    made = Manager(str(tmp_path / "notify") if request.param == "path" else f"@{uuid4().hex}")
    yield made
    made.socket.close()


@pytest.fixture
def notifier(manager: Manager) -> Iterator[Notifier]:
    made = Notifier(manager.address)
    yield made
    made.close()


@pytest.fixture
def warnings() -> Iterator[list[str]]:
    heard: list[str] = []

    @implementer(ILogObserver)
    def observe(event: dict) -> None:
        if event.get("log_level") is not LogLevel.info:
            heard.append(event["log_format"].format(**event))

    globalLogPublisher.addObserver(observe)
    yield heard
    globalLogPublisher.removeObserver(observe)


def test_the_variable_is_taken_so_that_children_do_not_inherit_it(manager: Manager) -> None:
    environ = {"NOTIFY_SOCKET": manager.address, "HOME": "/"}
    notifier = Notifier.from_environment(environ)
    assert environ == {"HOME": "/"}
    notifier.ready("serving")
    assert manager.heard() == [["READY=1", "STATUS=serving"]]
    notifier.close()


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}])
def test_without_the_variable_nothing_is_opened_and_nothing_said(
    environ: dict[str, str], warnings: list[str]
) -> None:
    before = os.listdir("/proc/self/fd")
    notifier = Notifier.from_environment(environ)
    assert not notifier.active
    notifier.ready("x")
    notifier.watchdog()
    assert len(os.listdir("/proc/self/fd")) == len(before)
    assert warnings == []


def test_each_state_has_its_own_lines(manager: Manager, notifier: Notifier) -> None:
    notifier.stopping("draining")
    notifier.extend_timeout(40.5)
    notifier.watchdog()
    notifier.status("12 connections")
    assert manager.heard() == [
        ["STOPPING=1", "STATUS=draining"],
        ["EXTEND_TIMEOUT_USEC=40500000"],
        ["WATCHDOG=1"],
        ["STATUS=12 connections"],
    ]


def test_a_reload_is_stamped_with_the_clock_that_systemd_compares(
    manager: Manager, notifier: Notifier
) -> None:
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    notifier.reloading()
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    notifier.ready()
    [[reloading, stamp], ready] = manager.heard()
    assert reloading == "RELOADING=1"
    assert before <= int(stamp.removeprefix("MONOTONIC_USEC=")) <= after
    assert ready == ["READY=1"]


def test_a_forked_process_says_that_it_is_the_main_one_now(
    manager: Manager, notifier: Notifier
) -> None:
    child = os.fork()
    if child == 0:
        try:
            notifier.ready()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert manager.heard() == [["READY=1", f"MAINPID={child}"]]


@given(st.text())
def test_no_status_can_bring_a_line_of_its_own_or_be_refused_by_systemd(text: str) -> None:
    manager = Manager(f"@{uuid4().hex}")
    notifier = Notifier(manager.address)
    notifier.ready(text)
    notifier.close()
    [[ready, *status]] = manager.heard()
    manager.socket.close()
    assert ready == "READY=1"
    assert len(status) == (1 if text else 0)
    assert all(line.startswith("STATUS=") and line.isprintable() for line in status)


def test_a_forged_line_and_half_a_character_stay_inside_the_status(
    manager: Manager, notifier: Notifier
) -> None:
    notifier.status("a\nMAINPID=1\r\x1b[2J\udcff")
    notifier.status("é" * 5000)
    assert manager.heard() == [["STATUS=a MAINPID=1  [2J "], ["STATUS=" + "é" * 1024]]


def test_a_full_queue_never_blocks_and_what_matters_arrives_later_in_its_order(
    manager: Manager, notifier: Notifier, warnings: list[str]
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as flood:
        flood.setblocking(False)
        address = manager.address
        flood.connect("\0" + address[1:] if address.startswith("@") else address)
        with suppress(BlockingIOError):
            while True:
                flood.send(b"x")
    notifier.reloading()
    notifier.ready("again")
    notifier.status("dropped")
    manager.heard()
    notifier.watchdog()
    [[reloading, _], ready, alive] = manager.heard()
    assert (reloading, ready, alive) == ("RELOADING=1", ["READY=1", "STATUS=again"], ["WATCHDOG=1"])
    assert warnings == []


@pytest.mark.parametrize("address", ["/no/such/socket", "vsock:2:1234", "/" + "x" * 200])
def test_a_manager_that_cannot_be_reached_costs_one_line(address: str, warnings: list[str]) -> None:
    notifier = Notifier(address)
    notifier.ready()
    notifier.stopping()
    assert len(warnings) == 1
    assert address in warnings[0]
    assert not notifier.active


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "42"}, 15.0),
        ({"WATCHDOG_USEC": "30000000"}, 15.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "43"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_fed_at_half_its_time_and_only_by_the_process_meant(
    environ: dict[str, str], seconds: float | None
) -> None:
    assert watchdog_interval(environ, 42) == seconds
    assert environ == {}


def test_the_status_is_sent_only_when_it_has_changed(manager: Manager, notifier: Notifier) -> None:
    clock, texts = Clock(), ["0 open", "0 open", "1 open", "1 open"]
    reporter = StatusReporter(clock, notifier, lambda: texts.pop(0), every=5)
    reporter.start()
    assert manager.heard() == [["STATUS=0 open"]]
    clock.pump([5, 5, 5])
    assert manager.heard() == [["STATUS=1 open"]]
    reporter.stop()
    assert clock.getDelayedCalls() == []


def test_the_watchdog_is_fed_in_time_while_the_status_is_asked_for_less_often(
    manager: Manager, notifier: Notifier
) -> None:
    clock, asked = Clock(), []

    def text() -> str:
        asked.append(clock.seconds())
        return "same"

    reporter = StatusReporter(clock, notifier, text, watchdog=2, every=6)
    reporter.start()
    clock.pump([2] * 6)
    assert asked == [0, 6, 12]
    assert manager.heard() == [["STATUS=same", "WATCHDOG=1"]] + [["WATCHDOG=1"]] * 6
    reporter.stop()


def test_a_status_that_raises_is_logged_once_and_does_not_stop_the_watchdog(
    manager: Manager, notifier: Notifier, warnings: list[str]
) -> None:
    clock = Clock()
    reporter = StatusReporter(clock, notifier, lambda: str(1 // 0), watchdog=5, every=5)
    reporter.start()
    clock.pump([5, 5])
    assert manager.heard() == [["WATCHDOG=1"]] * 3
    assert len(warnings) == 1
    reporter.stop()


def test_with_nobody_to_tell_no_timer_runs() -> None:
    clock = Clock()
    reporter = StatusReporter(clock, Notifier(None), lambda: "x", watchdog=1)
    reporter.start()
    assert clock.getDelayedCalls() == []
    reporter.stop()


def test_the_timer_ends_with_the_managers_socket(tmp_path: Path, warnings: list[str]) -> None:
    manager, clock = Manager(str(tmp_path / "notify")), Clock()
    reporter = StatusReporter(clock, Notifier(manager.address), lambda: str(clock.seconds()))
    reporter.start()
    manager.socket.close()
    clock.pump([5, 5])
    assert clock.getDelayedCalls() == []
    assert len(warnings) == 1
