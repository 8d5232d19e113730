"""What only the compiled calls for datagrams can get wrong: whose an answer is, and memory."""

from __future__ import annotations

import contextlib
import gc
import select
import socket
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from socketsuite.transport import compiled

pytestmark = pytest.mark.skipif(not compiled.AVAILABLE, reason="the burst is not compiled here")

MORE_THAN_THE_TABLE_HAS = 400


@pytest.fixture
def bound() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind(("127.0.0.1", 0))
        made.setblocking(False)
        yield made


@pytest.fixture
def calls(bound: socket.socket) -> Any:
    from socketsuite.transport import _burst

    return _burst.Datagrams(bound)


def caller(bound: socket.socket) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.settimeout(10)
    made.connect(bound.getsockname())
    return made


def received(bound: socket.socket, calls: Any) -> tuple[bytes, Any]:
    select.select([bound], [], [], 10)
    told = calls.receive(1 << 16)
    assert type(told) is tuple
    return told


def test_each_of_many_callers_gets_its_own_answer(bound: socket.socket, calls: Any) -> None:
    with contextlib.ExitStack() as open_ones:
        callers = [open_ones.enter_context(caller(bound)) for _ in range(MORE_THAN_THE_TABLE_HAS)]
        for turn in range(2):
            for number, one in enumerate(callers):
                text = b"%d %d" % (turn, number)
                one.send(text)
                datagram, address = received(bound, calls)
                assert (datagram, address) == (text, one.getsockname())
                assert calls.send(datagram, address) == len(text)
                assert one.recv(100) == text


def test_an_answer_to_an_earlier_caller_goes_to_that_one(bound: socket.socket, calls: Any) -> None:
    with caller(bound) as ann, caller(bound) as bob:
        ann.send(b"ann")
        _, address = received(bound, calls)
        bob.send(b"bob")
        _, last = received(bound, calls)
        calls.send(b"for ann", address)
        calls.send(b"for bob", (last[0], last[1]))  # an equal address, and not the same object
        calls.send(bytearray(b"and more"), last)
        assert ann.recv(100) == b"for ann"
        assert [bob.recv(100), bob.recv(100)] == [b"for bob", b"and more"]


def test_errors_are_those_of_the_sockets_own_methods(bound: socket.socket, calls: Any) -> None:
    with pytest.raises(BlockingIOError):
        calls.receive(1)
    with caller(bound) as ann:
        ann.send(b"")
        datagram, address = received(bound, calls)
        assert datagram == b""
        with pytest.raises(OSError, match="Message too long"):
            calls.send(bytes(65508), address)
        with pytest.raises(TypeError):
            calls.send(b"x")
        with pytest.raises(TypeError):
            calls.send(b"x", 7)
        bound.close()
        for call in (lambda: calls.receive(1), lambda: calls.send(b"x", address)):
            with pytest.raises(OSError, match="Bad file descriptor"):
                call()


def test_the_largest_datagram_comes_whole(bound: socket.socket, calls: Any) -> None:
    with caller(bound) as ann:
        ann.send(b"x" * 65507)
        assert received(bound, calls)[0] == b"x" * 65507


def test_no_memory_costs_one_datagram(bound: socket.socket, calls: Any) -> None:
    testcapi = pytest.importorskip("_testcapi")
    for number in range(12):
        with caller(bound) as ann:
            ann.send(b"x" * 1000)
            select.select([bound], [], [], 10)
            try:
                testcapi.set_nomemory(number, number + 1)
                try:
                    calls.receive(1)
                finally:
                    testcapi.remove_mem_hooks()
            except MemoryError:
                pass
            with contextlib.suppress(BlockingIOError):
                calls.receive(1)  # if it had not come as far as that
            ann.send(b"again")
            datagram, address = received(bound, calls)
            assert datagram == b"again"
            calls.send(datagram, address)
            assert ann.recv(100) == b"again"


def test_datagrams_leave_nothing_behind(bound: socket.socket, calls: Any) -> None:
    with contextlib.ExitStack() as open_ones:
        callers = [open_ones.enter_context(caller(bound)) for _ in range(20)]

        def talk(times: int) -> int:
            for _ in range(times):
                for one in callers:
                    one.send(b"x" * 64)
                    calls.send(*received(bound, calls))
                    one.recv(100)
            gc.collect()
            return sys.getallocatedblocks()

        assert talk(10) - talk(100) > -150
