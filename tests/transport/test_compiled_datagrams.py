"""What only the compiled UDP port can get wrong: what waits, memory, failing system calls."""

from __future__ import annotations

import contextlib
import gc
import os
import select
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.protocol import DatagramProtocol

from socketsuite.transport import compiled
from socketsuite.transport.datagrams import CompiledPort, adopt_datagrams

pytestmark = pytest.mark.skipif(not compiled.AVAILABLE, reason="the burst is not compiled here")

LARGEST = 65_507
_COARSE = 6  # CLOCK_MONOTONIC_COARSE, for which Python has no name


class Recorder(DatagramProtocol):
    """Does what a test wants of it with each datagram; else answers it."""

    noisy = False
    transport: Any

    def __init__(self) -> None:
        self.act: Callable[[bytes, Any], object] = self.echo

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        self.act(datagram, addr)

    def echo(self, datagram: bytes, addr: Any) -> None:
        self.transport.write(datagram, addr)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def interface() -> str:
    return "127.0.0.1"


@pytest.fixture
def port(recorder: Recorder, interface: str) -> Iterator[Any]:
    family = socket.AF_INET6 if ":" in interface else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as bound:
        bound.bind((interface, 0))
        bound.setblocking(False)
        reactor: Any = EPollReactor()
        made = adopt_datagrams(reactor, bound, recorder)
    assert isinstance(made, CompiledPort)
    yield made
    reactor.disconnectAll()


@pytest.fixture
def caller(port: Any) -> Iterator[socket.socket]:
    with socket.socket(port.socket.family, socket.SOCK_DGRAM) as made:
        made.settimeout(10)
        made.connect(port.socket.getsockname())
        yield made


def is_answered(caller: socket.socket) -> bool:
    """Whether an answer has left already."""
    return bool(select.select([caller], [], [], 0)[0])


def test_answers_wait_for_those_of_their_batch(
    port: Any, recorder: Recorder, caller: socket.socket
) -> None:
    answered: list[bool] = []

    def act(datagram: bytes, addr: Any) -> None:
        answered.append(is_answered(caller))
        recorder.echo(datagram, addr)

    recorder.act = act
    for _ in range(20):
        caller.send(b"1")
        caller.send(b"2")
        port.doRead()
        assert [caller.recv(100), caller.recv(100)] == [b"1", b"2"]
    # Unless some milliseconds went by in between, as may be once.
    assert answered.count(False) > 30


def test_nobody_waits_for_a_protocol_that_takes_its_time(
    port: Any, recorder: Recorder, caller: socket.socket
) -> None:
    answered: list[bool] = []

    def act(datagram: bytes, addr: Any) -> None:
        answered.append(is_answered(caller))
        recorder.echo(datagram, addr)
        began = time.clock_gettime(_COARSE)
        while time.clock_gettime(_COARSE) == began:
            pass

    recorder.act = act
    caller.send(b"one")
    caller.send(b"two")
    port.doRead()
    assert answered == [False, True]


def test_no_more_waits_than_a_bound(port: Any, recorder: Recorder, caller: socket.socket) -> None:
    answered: list[bool] = []

    def act(datagram: bytes, addr: Any) -> None:
        for _ in range(3):
            port.write(bytes(LARGEST), addr)
            answered.append(is_answered(caller))

    recorder.act = act
    caller.send(b"x")
    port.doRead()
    assert answered == [False, True, True]


@contextlib.contextmanager
def no_socket(port: Any) -> Iterator[None]:
    """Have the port's descriptor be one of a file, on which each system call fails."""
    kept = os.dup(port.fileno())
    with Path(os.devnull).open() as other:
        os.dup2(other.fileno(), port.fileno(), inheritable=False)
    try:
        yield
    finally:
        os.dup2(kept, port.fileno(), inheritable=False)
        os.close(kept)


def test_after_an_error_writes_say_again_what_becomes_of_them(
    port: Any, recorder: Recorder, caller: socket.socket
) -> None:
    with contextlib.ExitStack() as failing:

        def act(datagram: bytes, addr: Any) -> None:
            recorder.echo(datagram, addr)
            failing.enter_context(no_socket(port))

        recorder.act = act
        caller.send(b"is lost")
        port.doRead()
    assert (port.datagrams_in, port.datagrams_out, port.bytes_out) == (1, 0, 0)
    raised: list[int | None] = []

    def told(datagram: bytes, addr: Any) -> None:
        recorder.echo(datagram, addr)
        assert is_answered(caller)
        with no_socket(port):
            try:
                recorder.echo(datagram, addr)
            except OSError as error:
                raised.append(error.errno)

    recorder.act = told
    caller.send(b"x")
    port.doRead()
    assert len(raised) == 1
    assert (port.datagrams_out, port.bytes_out) == (1, 1)


@pytest.mark.parametrize("interface", ["::1"])
def test_an_answer_that_cannot_leave_costs_no_other(
    port: Any, recorder: Recorder, caller: socket.socket
) -> None:
    port.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_DONTFRAG, 1)
    for datagram in (b"1", bytes(65_500), b"2"):  # more than the interface takes in one piece
        caller.send(datagram)
    port.doRead()
    assert [caller.recv(100), caller.recv(100)] == [b"1", b"2"]
    assert (port.datagrams_in, port.datagrams_out, port.bytes_out) == (3, 2, 2)


def test_in_a_turn_within_a_turn_no_answer_waits(
    port: Any, recorder: Recorder, caller: socket.socket
) -> None:
    senders: list[Any] = []
    answered: list[bool] = []

    def act(datagram: bytes, addr: Any) -> None:
        senders.append(addr)
        if datagram == b"outer":
            caller.send(b"inner")
            port.doRead()
        recorder.echo(datagram, senders[0])
        answered.append(is_answered(caller))

    recorder.act = act
    caller.send(b"outer")
    port.doRead()
    assert answered == [True, True]
    assert [caller.recv(100), caller.recv(100)] == [b"inner", b"outer"]


def test_after_many_datagrams_an_error_is_forgotten(
    port: Any, recorder: Recorder, caller: socket.socket
) -> None:
    with contextlib.ExitStack() as failing:

        def fail(datagram: bytes, addr: Any) -> None:
            recorder.echo(datagram, addr)
            failing.enter_context(no_socket(port))

        recorder.act = fail
        caller.send(b"")
        port.doRead()
    answered = 0

    def act(datagram: bytes, addr: Any) -> None:
        nonlocal answered
        recorder.echo(datagram, addr)
        answered += is_answered(caller)

    recorder.act = act
    for _ in range(1030):
        caller.send(b"")
        port.doRead()
        caller.recv(1)
    assert answered == 1024


@pytest.mark.skipif("PYTHONMALLOC" in os.environ, reason="an allocator that keeps what is freed")
def test_large_datagrams_keep_no_memory(
    port: Any, recorder: Recorder, caller: socket.socket
) -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")

    seen: list[int] = []
    recorder.act = lambda datagram, addr: seen.append(resident())

    def talk(size: int) -> int:
        for _ in range(3):
            caller.send(bytes(size))
        port.doRead()
        return resident()

    talk(LARGEST)
    before = talk(1)
    after = talk(LARGEST)
    assert len(seen) == 9
    assert max(seen) - before > LARGEST // 2
    assert after - before < LARGEST // 4


def test_no_memory_costs_one_datagram(port: Any, recorder: Recorder, caller: socket.socket) -> None:
    testcapi = pytest.importorskip("_testcapi")

    for number in range(16):
        caller.send(b"x" * 1000)
        try:
            testcapi.set_nomemory(number, number + 1)
            try:
                port.doRead()
            finally:
                testcapi.remove_mem_hooks()
        except MemoryError:
            pass
        caller.send(b"again")
        port.doRead()
        while caller.recv(1 << 16) != b"again":
            pass


def test_datagrams_leave_nothing_behind(
    port: Any, recorder: Recorder, caller: socket.socket
) -> None:
    def act(datagram: bytes, addr: Any) -> None:
        port.write(datagram, addr)
        port.write(datagram, addr=addr)

    recorder.act = act

    def talk(times: int) -> int:
        for _ in range(times):
            for _ in range(20):
                caller.send(b"x" * 64)
            port.doRead()
            for _ in range(40):
                caller.recv(100)
        gc.collect()
        return sys.getallocatedblocks()

    assert talk(10) - talk(100) > -150
