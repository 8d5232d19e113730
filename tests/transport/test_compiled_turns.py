"""While few have something to say, the burst waits on; the reactor misses nothing by that."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Protocol
from twisted.python import log
from twisted.python.failure import Failure

from socketsuite.transport import accepting, burst_loop, compiled
from tests.support.served_port import ServedPort, served_port

pytestmark = pytest.mark.skipif(not compiled.AVAILABLE, reason="the burst is not compiled here")

MOST = 20.0
"""Seconds after which a test gives up: what it waits for has not come."""
FEW_CALLERS, MOST_CALLERS = 5, 300


class Served(Protocol):
    """Echoes; each message is told of first."""

    transport: Any
    told: Callable[[], object] = staticmethod(lambda: None)

    def dataReceived(self, data: bytes) -> None:
        type(self).told()
        self.transport.write(data)


@contextmanager
def talking(served: ServedPort) -> Iterator[list[int]]:
    """One caller sends the next message as soon as it has an answer; yields how many it has had."""
    caller, _ = served.connect()
    caller.setblocking(True)
    caller.settimeout(MOST)
    answers, over = [0], threading.Event()

    def talk() -> None:
        while not over.is_set():
            caller.sendall(b"hello")
            if not caller.recv(100):
                return
            answers[0] += 1

    thread = threading.Thread(target=talk)
    thread.start()
    try:
        yield answers
    finally:
        over.set()
        while thread.is_alive():
            served.turn()
        thread.join()


def run(served: ServedPort, ends: Callable[[], object]) -> None:
    """Do what the reactor's main loop does."""
    reactor = served.reactor
    give_up = reactor.callLater(MOST, lambda: None)
    reactor.running = True
    try:
        reactor.runUntilCurrent()
        while not ends() and give_up.active():
            reactor.doIteration(reactor.timeout())
            reactor.runUntilCurrent()
    finally:
        reactor.running = False
        still_waits = give_up.active()
        if still_waits:
            give_up.cancel()
    assert still_waits


@pytest.fixture
def told() -> Iterator[list[Callable[[], object]]]:
    """What is called by the next message, once."""
    calls: list[Callable[[], object]] = []
    Served.told = staticmethod(lambda: calls.pop()() if calls else None)
    yield calls
    Served.told = staticmethod(lambda: None)


def test_many_messages_are_served_in_one_turn_of_the_reactor(tmp_path: Path) -> None:
    with served_port("tcp", tmp_path, Served) as served, talking(served) as answers:
        turns = 0

        def enough() -> bool:
            nonlocal turns
            turns += 1
            return answers[0] > 300

        def have_a_turn() -> None:
            # Nothing else ends the wait, however few were answered meanwhile.
            served.reactor.callLater(0.2, have_a_turn)

        have_a_turn()
        run(served, enough)
        assert turns < 100


def test_a_timer_that_a_message_makes_is_on_time(
    tmp_path: Path, told: list[Callable[[], object]]
) -> None:
    with served_port("tcp", tmp_path, Served) as served, talking(served) as answers:
        fired: list[int] = []
        told.append(lambda: served.reactor.callLater(0.0, lambda: fired.append(answers[0])))
        run(served, lambda: fired)
        assert fired[0] <= 3


def test_a_timer_that_a_message_moves_is_on_time(
    tmp_path: Path, told: list[Callable[[], object]]
) -> None:
    with served_port("tcp", tmp_path, Served) as served, talking(served):
        fired: list[int] = []
        timer = served.reactor.callLater(2 * MOST, fired.append, 1)
        told.append(lambda: timer.reset(0.0))
        run(served, lambda: fired)


def test_a_timer_that_is_due_among_messages_is_on_time(tmp_path: Path) -> None:
    with served_port("tcp", tmp_path, Served) as served, talking(served):
        fired: list[float] = []
        due = time.monotonic() + 0.1
        served.reactor.callLater(0.1, lambda: fired.append(time.monotonic()))
        run(served, lambda: fired)
        assert fired[0] >= due - 0.01


def test_a_timer_is_on_time_while_there_is_always_a_message(
    tmp_path: Path, told: list[Callable[[], object]]
) -> None:
    with served_port("tcp", tmp_path, Served) as served:
        caller, _ = served.connect()
        fired: list[int] = []
        left = 50_000

        def next_one() -> None:
            nonlocal left
            left -= 1
            if left and not fired:
                caller.sendall(b"x")
                told.append(next_one)

        told.append(next_one)
        caller.sendall(b"x")
        served.reactor.callLater(0.02, fired.append, 1)
        run(served, lambda: fired)
        assert left


def test_a_message_may_end_every_connection(
    tmp_path: Path, told: list[Callable[[], object]]
) -> None:
    with served_port("tcp", tmp_path, Served) as served:
        caller, _ = served.connect()
        errors: list[Any] = []
        over: list[int] = []

        def observe(event: dict[str, Any]) -> None:
            if event["isError"]:
                errors.append(event)

        def end_all() -> None:
            served.burst.connectionLost(Failure(ConnectionDone()))
            over.append(1)

        told.append(end_all)
        caller.sendall(b"x")
        log.addObserver(observe)
        try:
            run(served, lambda: over)
        finally:
            log.removeObserver(observe)
        assert not errors


def test_what_another_thread_asks_for_is_done_among_messages(tmp_path: Path) -> None:
    with served_port("tcp", tmp_path, Served) as served, talking(served):
        done: list[int] = []
        threading.Timer(0.02, served.reactor.callFromThread, (done.append, 1)).start()
        run(served, lambda: done)


@pytest.mark.parametrize("name", ["_justStopped", "running"])
def test_a_message_may_stop_the_reactor(
    tmp_path: Path, told: list[Callable[[], object]], name: str
) -> None:
    with served_port("tcp", tmp_path, Served) as served, talking(served) as answers:
        reactor = served.reactor
        seen: list[int] = []

        def stop() -> None:
            seen.append(answers[0])
            setattr(reactor, name, name == "_justStopped")

        told.append(stop)
        give_up = reactor.callLater(MOST, lambda: None)
        reactor.running = True
        while not seen:
            reactor.doIteration(reactor.timeout())
        assert answers[0] <= seen[0] + 3
        reactor._justStopped = reactor.running = False
        give_up.cancel()


def test_the_last_connection_may_end_in_a_message(
    tmp_path: Path, told: list[Callable[[], object]]
) -> None:
    with served_port("tcp", tmp_path, Served) as served:
        caller, protocol = served.connect()
        told.append(lambda: protocol.transport.abortConnection())
        caller.sendall(b"hello")
        run(served, lambda: not served.burst.members)
        assert "doIteration" not in vars(served.reactor)
        again, _ = served.connect()
        again.sendall(b"again")
        assert served.read(again, 5) == b"again"


def test_callers_are_accepted_without_a_turn_of_the_reactor(tmp_path: Path) -> None:
    with served_port("tcp", tmp_path, Served) as served:
        served.connect()
        served.call()
        epoll = served.burst._epoll
        assert epoll is not None
        served.reactor.running = True
        assert served.burst._wait(epoll, 0.0) is False  # type: ignore[attr-defined]
        assert len(served.made) == 2
        served.reactor.running = False


def test_other_readers_have_their_turn_while_callers_keep_coming(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Reader:
        """Counts how often it is read."""

        reads = 0

        def __init__(self) -> None:
            self.descriptor = os.eventfd(0)

        def fileno(self) -> int:
            return self.descriptor

        def logPrefix(self) -> str:
            return "reader"

        def connectionLost(self, reason: Any) -> None:
            pass

        def doRead(self) -> None:
            self.reads += 1

    class Calls(Protocol):
        """Each caller brings the next."""

        def connectionMade(self) -> None:
            if len(served.callers) < MOST_CALLERS:
                served.call()
            if len(served.callers) == FEW_CALLERS:
                os.eventfd_write(reader.descriptor, 1)

    monkeypatch.setattr(burst_loop, "SECONDS_PER_TURN", 0.0005)
    monkeypatch.setattr(accepting, "_ACCEPTS_PER_TURN", 2)
    with served_port("tcp", tmp_path, Calls) as served:
        reader = Reader()
        served.reactor.addReader(reader)
        served.connect()
        run(served, lambda: reader.reads)
        assert len(served.callers) < MOST_CALLERS
        served.reactor.removeReader(reader)
        os.close(reader.descriptor)


def test_a_port_whose_socket_somebody_shuts_down_ends_without_a_word_of_errors(
    tmp_path: Path,
) -> None:
    with served_port("tcp", tmp_path, Served) as served:
        caller, _ = served.connect()
        errors: list[Any] = []

        def observe(event: dict[str, Any]) -> None:
            if event["isError"]:
                errors.append(event)

        log.addObserver(observe)
        try:
            with served.port.socket.dup() as others:
                others.shutdown(socket.SHUT_RDWR)
            run(served, lambda: not served.port.connected)
        finally:
            log.removeObserver(observe)
        assert not errors
        caller.sendall(b"still")
        assert served.read(caller, 5) == b"still"


def test_a_port_that_pauses_or_closes_is_not_looked_at(tmp_path: Path) -> None:
    with served_port("tcp", tmp_path, Served) as served:
        kept = served.port.socket.dup()  # with which the kernel would keep it in the set
        caller, _ = served.connect()
        served.port.stopReading()
        served.call()
        served.turn()
        assert len(served.made) == 1
        assert not served.burst._ports  # type: ignore[attr-defined]
        served.port.startReading()
        served.turn()
        assert len(served.made) == 2
        closed: list[Any] = []
        served.port.stopListening().addCallback(closed.append)
        run(served, lambda: closed)
        assert served.burst._epoll is not None
        assert served.burst._epoll.poll(0) == []
        caller.sendall(b"still")
        assert served.read(caller, 5) == b"still"
        kept.close()
