"""The stall watch: clocks that are set by hand, and one thread that is really stuck."""

from __future__ import annotations

import sys
import threading
from typing import Any

import pytest
from twisted.internet.task import Clock

from socketsuite.daemon.process.stall import StallWatch, culprit_of

TIMEOUT = 20.0


class Watched:
    """A stall watch whose every clock is set by hand, and what it told."""

    def __init__(self) -> None:
        self.reactor = Clock()
        self.cpu = 0.0
        self.reports: list[str] = []
        self.now = 0.0
        self.watch = StallWatch(
            self.reactor, self.reports.append, clock=lambda: self.now, cpu=lambda: self.cpu
        )
        self.watch.begin()

    def pass_time(self, seconds: float, *, ticking: bool, cpu: float = 0.0) -> None:
        """Let *seconds* pass, in which the thread looks each 0.25 s."""
        for _ in range(round(seconds / 0.25)):
            self.jump(0.25, cpu=cpu * 0.25, ticking=ticking)

    def jump(self, seconds: float, *, cpu: float = 0.0, ticking: bool = False) -> None:
        """Let *seconds* pass between two looks."""
        self.now += seconds
        self.cpu += cpu
        if ticking:
            self.reactor.advance(0.25)
        self.watch.look()


def test_a_reactor_that_ticks_is_no_news() -> None:
    watched = Watched()
    watched.pass_time(60, ticking=True)
    assert watched.reports == []


def test_a_second_without_a_tick_is_not_yet_a_stall() -> None:
    watched = Watched()
    watched.pass_time(1, ticking=False)
    watched.pass_time(1, ticking=True)
    assert watched.reports == []


def test_a_stall_is_told_once_and_its_end_with_the_whole_time() -> None:
    watched = Watched()
    watched.pass_time(4, ticking=False)
    assert len(watched.reports) == 1
    assert watched.reports[0].startswith("a callback has blocked the reactor for 1.2 s: ")
    watched.pass_time(5, ticking=True)
    culprit = watched.reports[0].partition(" s: ")[2]
    assert watched.reports[1:] == [f"the reactor was blocked for 4.2 s in all: {culprit}"]


def test_a_second_stall_is_told_anew() -> None:
    watched = Watched()
    for _ in range(2):
        watched.pass_time(2, ticking=False)
        watched.pass_time(1, ticking=True)
    assert ["has blocked" in line for line in watched.reports] == [True, False, True, False]


@pytest.mark.parametrize("before", [0.0, 0.25])
def test_a_process_that_was_stopped_or_a_machine_that_slept_is_no_stall(before: float) -> None:
    watched = Watched()
    watched.pass_time(before, ticking=True)
    watched.jump(3600)
    watched.pass_time(0.5, ticking=False)
    watched.pass_time(5, ticking=True)
    assert watched.reports == []


def test_a_stop_right_after_a_tick_that_nobody_has_seen_yet_is_no_stall() -> None:
    watched = Watched()
    watched.now += 0.25
    watched.reactor.advance(0.25)
    watched.jump(3600)
    watched.pass_time(5, ticking=True)
    assert watched.reports == []


def test_a_stall_after_a_stop_is_one() -> None:
    watched = Watched()
    watched.jump(3600)
    watched.pass_time(0.25, ticking=True)
    watched.pass_time(2, ticking=False)
    assert len(watched.reports) == 1


def test_the_time_that_a_process_was_stopped_does_not_count_in_a_stall() -> None:
    watched = Watched()
    watched.pass_time(2, ticking=False)
    watched.jump(3600)
    watched.pass_time(1, ticking=False)
    watched.pass_time(1, ticking=True)
    # 0.5 s of the jump are no more than the thread itself may be late by.
    assert "for 3.8 s in all" in watched.reports[-1]


def test_a_callback_that_keeps_the_interpreters_lock_is_a_stall_though_the_thread_was_late() -> (
    None
):
    """As a regular expression does that never ends: no other thread runs, but the CPU does."""
    watched = Watched()
    watched.jump(5.0, cpu=4.9)
    assert len(watched.reports) == 1
    assert "for 5.0 s" in watched.reports[0]


def test_stopping_leaves_no_timer_and_no_thread() -> None:
    reactor = Clock()
    watch = StallWatch(reactor, lambda line: None)
    watch.start()
    assert "stall watch" in {thread.name for thread in threading.enumerate()}
    watch.stop()
    assert reactor.getDelayedCalls() == []
    assert "stall watch" not in {thread.name for thread in threading.enumerate()}


# ── whose callback it is ─────────────────────────────────────────────────────────────


LOOP = ("twisted.internet.base", "mainLoop")
SOURCE = """def {name}(rest):
    rest[0](rest[1:]) if rest else look()
"""


def blamed(*calls: tuple[str, str]) -> str:
    """Return whom a stack is blamed on; *calls* are modules and functions, outermost first."""
    found: list[str] = []
    functions: list[Any] = []
    for module, name in calls:
        file = f"/where/ever/{module.rpartition('.')[2]}.py"
        scope: dict[str, Any] = {
            "__name__": module,
            "look": lambda: found.append(culprit_of(sys._getframe(1))),
        }
        exec(compile(SOURCE.format(name=name), file, "exec"), scope)
        functions.append(scope[name])
    functions[0](functions[1:])
    return found[0]


RECEIVE = ("acme.rot13", "lineReceived")
RECEIVE_TEXT = "acme.rot13.lineReceived (rot13.py:2)"
BURST = ("socketsuite.transport.burst", "_read_all")
LINES = ("twisted.protocols.basic", "dataReceived")


def test_the_protocol_is_named_that_the_transport_called() -> None:
    assert blamed(LOOP, BURST, RECEIVE) == RECEIVE_TEXT


def test_a_service_of_the_suite_is_a_callback_like_a_strangers() -> None:
    echo = ("socketsuite.services.echo", "dataReceived")
    assert blamed(LOOP, BURST, echo) == "socketsuite.services.echo.dataReceived (echo.py:2)"


def test_the_last_callback_counts_when_twisted_called_through_another_one() -> None:
    outer = ("acme.wrapper", "dataReceived")
    assert blamed(LOOP, BURST, outer, LINES, RECEIVE) == RECEIVE_TEXT


def test_a_library_that_the_callback_waits_in_is_told_beside() -> None:
    inside = [("requests.api", "get"), ("ssl", "read")]
    assert blamed(LOOP, BURST, RECEIVE, *inside) == f"{RECEIVE_TEXT}, in ssl.read (ssl.py:2)"


def test_a_callback_that_is_stuck_in_twisted_or_in_the_log_is_named_all_the_same() -> None:
    log = [("twisted.logger._logger", "info"), ("socketsuite.observe.text_log", "_write")]
    culprit = blamed(LOOP, BURST, RECEIVE, *log)
    assert culprit == f"{RECEIVE_TEXT}, in socketsuite.observe.text_log._write (text_log.py:2)"


def test_without_a_callback_what_runs_in_the_machinery_is_told() -> None:
    culprit = blamed(("acme.start", "main"), LOOP, BURST)
    assert culprit.startswith("no service's callback: socketsuite.transport.burst._read_all ")


def test_a_package_whose_name_only_begins_like_twisteds_is_a_strangers() -> None:
    mine = ("twisted_thing.server", "lineReceived")
    assert blamed(LOOP, BURST, mine).startswith("twisted_thing.server.lineReceived ")


class Stuck:
    """A callback that waits for what never comes, until the test has seen enough."""

    def __init__(self) -> None:
        self.enough = threading.Event()

    def line_received(self) -> None:
        assert self.enough.wait(TIMEOUT)


def test_a_thread_that_is_really_stuck_is_seen_and_named_while_it_is_stuck() -> None:
    reactor, stuck, reports = Clock(), Stuck(), list[str]()
    over = threading.Event()

    def tell(line: str) -> None:
        reports.append(line)
        (over if stuck.enough.is_set() else stuck.enough).set()

    watch = StallWatch(reactor, tell, threshold=0.05, every=0.01)
    watch.start()
    exec(
        compile("stuck()", "base.py", "exec"),
        {"__name__": "twisted.internet.base", "stuck": stuck.line_received},
    )
    reactor.advance(0.01)
    assert over.wait(TIMEOUT)
    watch.stop()
    assert f"{__name__}.Stuck.line_received (test_stall.py:" in reports[0]
    assert ", in threading.Condition.wait (threading.py:" in reports[0]
    assert reports[1].startswith("the reactor was blocked for 0.")
    assert reports[1].endswith(reports[0].partition(" s: ")[2])
