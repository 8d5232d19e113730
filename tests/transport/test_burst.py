"""The burst transport where it differs from Twisted's own: in how it takes its turns."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import time
from typing import Any

import pytest
from twisted.internet.protocol import DatagramProtocol, Protocol

from socketsuite.transport.burst import accelerate, burst_of
from tests.support.hand_turned import TIMEOUT
from tests.transport.plain_port import PlainPort, plain_port

__all__ = ["plain_port"]


class Echo(Protocol):
    transport: Any

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data)


class Recorder(Protocol):
    """Keeps every instance and what happened to it."""

    transport: Any

    def __init__(self, made: list[Any]) -> None:
        self.received = b""
        self.lost: list[Any] = []
        made.append(self)

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Any = None) -> None:
        self.lost.append(reason)


@pytest.mark.parametrize("size", [1, 478, 479, 480, 5000, 30_000])
def test_what_is_there_at_once_is_delivered_at_once(plain_port: PlainPort, size: int) -> None:
    made: list[Recorder] = []
    chunks: list[int] = []

    class Counting(Recorder):
        def dataReceived(self, data: bytes) -> None:
            super().dataReceived(data)
            chunks.append(len(data))

    plain_port.listen(lambda: Counting(made))
    caller = plain_port.call()
    plain_port.until(lambda: made)
    assert caller.send(b"x" * size) == size
    until_the_kernel_has_it(made[0].transport, size)
    plain_port.until(lambda: chunks)
    # The first read finds out how much comes; from then on there is room for it.
    assert chunks[0] == size
    assert caller.send(b"y" * size) == size
    plain_port.until(lambda: len(made[0].received) == 2 * size)
    assert made[0].received == b"x" * size + b"y" * size
    assert made[0].transport.bytes_in == 2 * size


def until_the_kernel_has_it(transport: Any, size: int) -> None:
    deadline = time.monotonic() + TIMEOUT
    there = 0
    while there < size:
        assert time.monotonic() < deadline
        with contextlib.suppress(BlockingIOError):
            there = len(transport.socket.recv(size, socket.MSG_PEEK))


def test_an_exception_costs_that_connection_alone_and_is_logged_once(plain_port: PlainPort) -> None:
    class Fussy(Echo):
        def dataReceived(self, data: bytes) -> None:
            if data == b"bad":
                raise ValueError("I do not like that")
            super().dataReceived(data)

    plain_port.listen(Fussy)
    good, bad = plain_port.call(), plain_port.call()
    bad.send(b"bad")
    good.send(b"good")
    assert plain_port.read(good, 4) == b"good"
    plain_port.until(lambda: _closed(bad))
    good.send(b"more")
    assert plain_port.read(good, 4) == b"more"
    assert [e["failure"].type for e in plain_port.logged if e["isError"]] == [ValueError]


def test_an_exception_in_connection_made_costs_that_connection_alone(plain_port: PlainPort) -> None:
    made: list[Any] = []

    class Shy(Echo):
        def connectionMade(self) -> None:
            made.append(self)
            if len(made) == 1:
                raise ValueError("not today")

    plain_port.listen(Shy)
    first, second = plain_port.call(), plain_port.call()
    second.send(b"hello")
    assert plain_port.read(second, 5) == b"hello"
    plain_port.until(lambda: _closed(first))


def test_a_producer_that_raises_when_told_to_pause_costs_that_connection_alone(
    plain_port: PlainPort,
) -> None:
    class Stubborn(Echo):
        def connectionMade(self) -> None:
            self.transport.registerProducer(self, True)

        def dataReceived(self, data: bytes) -> None:
            self.transport.write(bytes(1 << 24) if data == b"much" else data)

        def pauseProducing(self) -> None:
            raise ValueError("I do not pause")

        def stopProducing(self) -> None:
            self.transport.unregisterProducer()

    plain_port.listen(Stubborn)
    good, bad = plain_port.call(), plain_port.call()
    # Both in one burst, and the good one's answer after the bad one's.
    bad.send(b"much")
    good.send(b"little")
    assert plain_port.read(good, 6) == b"little"
    plain_port.until(lambda: [e for e in plain_port.logged if e["isError"]])
    good.send(b"more")
    assert plain_port.read(good, 4) == b"more"
    assert [e["failure"].type for e in plain_port.logged if e["isError"]] == [ValueError]
    assert len(burst_of(plain_port.reactor).members) == 1


def test_all_that_is_written_in_one_burst_leaves_in_one_send(plain_port: PlainPort) -> None:
    class Chatty(Protocol):
        transport: Any

        def dataReceived(self, data: bytes) -> None:
            for byte in data:
                self.transport.write(bytes([byte]))

    plain_port.listen(Chatty)
    caller = plain_port.call()
    plain_port.until(lambda: burst_of(plain_port.reactor).members)
    (transport,) = burst_of(plain_port.reactor).members.values()
    sends: list[bytes] = []
    own = transport.send
    transport.send = lambda data: sends.append(bytes(data)) or own(data)  # type: ignore[func-returns-value]
    caller.send(b"many small pieces")
    assert plain_port.read(caller, 17) == b"many small pieces"
    assert sends == [b"many small pieces"]


def test_a_write_outside_of_a_burst_is_sent_at_once(plain_port: PlainPort) -> None:
    made: list[Any] = []
    plain_port.listen(lambda: Recorder(made))
    caller = plain_port.call()
    plain_port.until(lambda: made)
    made[0].transport.write(b"now")
    # The reactor has not turned since.
    caller.setblocking(True)
    caller.settimeout(TIMEOUT)
    assert caller.recv(10) == b"now"


def test_a_connection_closed_by_another_in_the_same_burst_hears_nothing_more(
    plain_port: PlainPort,
) -> None:
    made: list[Any] = []

    class Jealous(Recorder):
        def dataReceived(self, data: bytes) -> None:
            super().dataReceived(data)
            for other in made:
                if other is not self:
                    other.transport.abortConnection()

    plain_port.listen(lambda: Jealous(made))
    callers = [plain_port.call() for _ in range(5)]
    plain_port.until(lambda: len(made) == 5)
    for caller in callers:
        caller.send(b"mine")
    plain_port.until(lambda: sum(bool(one.lost) for one in made) == 4)
    assert sorted(one.received for one in made) == [b"", b"", b"", b"", b"mine"]


def test_a_connection_paused_by_another_in_the_same_burst_is_not_read(
    plain_port: PlainPort,
) -> None:
    made: list[Any] = []

    class Bossy(Recorder):
        def dataReceived(self, data: bytes) -> None:
            super().dataReceived(data)
            for other in made:
                if other is not self and not other.received:
                    other.transport.pauseProducing()

    plain_port.listen(lambda: Bossy(made))
    callers = [plain_port.call() for _ in range(3)]
    plain_port.until(lambda: len(made) == 3)
    for caller in callers:
        caller.send(b"x")
    plain_port.until(lambda: any(one.received for one in made))
    for _ in range(5):
        plain_port.turn()
    assert sorted(one.received for one in made) == [b"", b"", b"x"]
    while unheard := [one for one in made if not one.received]:
        unheard[0].transport.resumeProducing()
        plain_port.until(lambda: len([one for one in made if not one.received]) < len(unheard))
    assert [one.received for one in made] == [b"x"] * 3


def test_a_pull_producer_does_not_keep_a_burst_going(plain_port: PlainPort) -> None:
    asked: list[int] = []

    class Endless(Protocol):
        transport: Any

        def connectionMade(self) -> None:
            self.transport.registerProducer(self, False)

        def resumeProducing(self) -> None:
            asked.append(1)
            self.transport.write(b"x")

        def stopProducing(self) -> None:
            pass

    plain_port.listen(Endless)
    plain_port.call()
    plain_port.until(lambda: len(asked) > 3)
    before = len(asked)
    plain_port.turn()
    assert len(asked) - before <= 2


def test_a_reader_who_stops_reading_pauses_his_producer_and_resumes_it(
    plain_port: PlainPort,
) -> None:
    made: list[Any] = []

    class Mirror(Recorder):
        def connectionMade(self) -> None:
            self.transport.registerProducer(self.transport, True)

        def dataReceived(self, data: bytes) -> None:
            self.received = data
            self.transport.write(data)

    plain_port.listen(lambda: Mirror(made))
    caller = plain_port.call()
    sent = 0
    idle = 0
    while idle < 20:
        try:
            sent += caller.send(b"y" * 65536)
            idle = 0
        except BlockingIOError:
            idle += 1
            plain_port.turn()
    (mirror,) = made
    assert mirror.transport.queued < 3 * 65536
    assert sent > mirror.transport.bytes_in > 0
    caller.shutdown(socket.SHUT_WR)
    assert len(plain_port.read(caller, sent)) == sent


def test_an_idle_burst_takes_no_turns(plain_port: PlainPort) -> None:
    made: list[Any] = []
    plain_port.listen(lambda: Recorder(made))
    for _ in range(20):
        plain_port.call()
    plain_port.until(lambda: len(made) == 20)
    burst = burst_of(plain_port.reactor)
    turns: list[int] = []
    own = burst._run
    burst._run = lambda epoll: turns.append(1) or own(epoll)  # type: ignore[method-assign,func-returns-value]
    for _ in range(20):
        plain_port.turn()
    assert turns == []


def test_the_last_connection_takes_the_burst_out_of_the_reactor(plain_port: PlainPort) -> None:
    made: list[Any] = []
    plain_port.listen(lambda: Recorder(made))
    caller = plain_port.call()
    plain_port.until(lambda: made)
    burst = burst_of(plain_port.reactor)
    assert burst in plain_port.reactor.getReaders()
    caller.close()
    plain_port.until(lambda: made[0].lost)
    assert burst not in plain_port.reactor.getReaders()


def test_a_reactor_that_shuts_down_tells_every_connection(plain_port: PlainPort) -> None:
    made: list[Any] = []
    plain_port.listen(lambda: Recorder(made))
    for _ in range(5):
        plain_port.call()
    plain_port.until(lambda: len(made) == 5)
    plain_port.reactor.disconnectAll()
    assert [len(one.lost) for one in made] == [1] * 5


def test_connections_live_on_when_their_port_stops(plain_port: PlainPort) -> None:
    plain_port.listen(Echo)
    caller = plain_port.call()
    plain_port.until(lambda: burst_of(plain_port.reactor).members)
    stopped: list[Any] = []
    plain_port.port.stopListening().addCallback(stopped.append)
    plain_port.until(lambda: stopped)
    caller.send(b"still here")
    assert plain_port.read(caller, 10) == b"still here"


def test_descriptors_are_given_back(plain_port: PlainPort) -> None:
    plain_port.listen(Echo)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(50):
        caller = plain_port.call()
        caller.send(b"x")
        assert plain_port.read(caller, 1) == b"x"
        caller.close()
    plain_port.until(lambda: not burst_of(plain_port.reactor).members)
    # The epoll set stays, and of the compiled one what is never ready.
    assert len(os.listdir("/proc/self/fd")) <= before + 2


def test_a_timer_is_on_time_among_saturated_echoes(plain_port: PlainPort) -> None:
    """By the processor's time: how long others have it meanwhile says nothing of the burst."""
    fired: list[float] = []
    deadline = time.monotonic() + TIMEOUT

    class Saturated(Echo):
        def dataReceived(self, data: bytes) -> None:
            super().dataReceived(data)
            caller = next(turns)  # another has something to say, at once
            if time.monotonic() < deadline:
                with contextlib.suppress(BlockingIOError):
                    caller.recv(1 << 16)
                with contextlib.suppress(BlockingIOError):
                    caller.send(b"x" * 4096)

    def fire() -> None:
        fired.append(time.thread_time())

    plain_port.listen(Saturated)
    callers = [plain_port.call() for _ in range(100)]
    turns = itertools.cycle(callers)
    for caller in callers:
        caller.send(b"x" * 4096)
    lateness: list[float] = []
    while len(lateness) < 10 and time.monotonic() < deadline:
        # It is due by the end of the turn that begins here, and is called in the next one.
        plain_port.reactor.callLater(0, fire)
        began = time.thread_time()
        plain_port.reactor.doIteration(0.01)
        plain_port.reactor.runUntilCurrent()
        lateness += [at - began for at in fired]
        fired.clear()
    assert len(lateness) == 10
    # A turn of the reactor's is 4 ms, and what was begun by then is done.
    assert sorted(lateness)[5] < 0.02


def test_anything_but_a_stream_port_is_returned_untouched(plain_port: PlainPort) -> None:
    thing = object()
    assert accelerate(thing) is thing
    udp = plain_port.reactor.listenUDP(0, DatagramProtocol(), interface="127.0.0.1")
    before = dict(vars(udp))
    assert accelerate(udp) is udp
    assert vars(udp) == before


def _closed(caller: socket.socket) -> bool:
    try:
        return caller.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True
