"""What only the compiled burst can get wrong: memory, references, descriptors, strange objects."""

from __future__ import annotations

import gc
import os
import random
import socket
import sys
import time
import weakref
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure

from socketsuite.transport import burst_loop, compiled
from socketsuite.transport.connection import EMPTY
from tests.support.served_port import ServedPort, served_port

pytestmark = pytest.mark.skipif(not compiled.AVAILABLE, reason="the burst is not compiled here")

PLAIN = pytest.mark.parametrize("kind", ["tcp", "unix"])
HOT = ("unsent", "burst", "receive", "send", "protocol", "read_size", "bytes_in", "bytes_out")
HOT_OF_BURST = ("active", "current", "dirty", "reading")


class Echo(Protocol):
    transport: Any

    def __init__(self) -> None:
        self.lost: list[Any] = []

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data)

    def connectionLost(self, reason: Any = None) -> None:
        self.lost.append(reason)


def answered(served: ServedPort, caller: Any, data: bytes) -> bool:
    """Whether *data* comes back; false if the connection is over."""
    got = bytearray()

    def over() -> bool:
        try:
            piece = caller.recv(1 << 16)
        except BlockingIOError:
            return False
        except ConnectionError:
            piece = b""
        got.extend(piece)
        return not piece or len(got) >= len(data)

    try:
        caller.sendall(data)
    except OSError:
        return False
    served.until(over)
    return bytes(got) == data


class Talker(Echo):
    """Goes every way through the module."""

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data)
        if data == b"twice":
            self.transport.write(data)
        elif data == b"to all":
            self.transport.writeToAll([self.transport.write, len, int], b"more")
        elif data == b"raise":
            raise ValueError


def talk(served: ServedPort, caller: Any) -> None:
    """Small and large reads, two pieces, many at once, a read that must wait."""
    assert answered(served, caller, b"x" * 64)
    assert answered(served, caller, b"x" * 40_000)
    caller.sendall(b"twice")
    assert served.read(caller, 10) == b"twicetwice"
    caller.sendall(b"to all")
    assert served.read(caller, 10) == b"to allmore"


@PLAIN
def test_messages_leave_nothing_behind(tmp_path: Path, kind: str) -> None:
    with served_port(kind, tmp_path, Talker) as served:
        caller, protocol = served.connect()
        counted = (EMPTY, None, True, False, served.burst, protocol.transport, protocol)

        def held() -> list[int]:
            gc.collect()
            return [sys.getallocatedblocks(), *map(sys.getrefcount, counted)]

        for _ in range(20):
            talk(served, caller)
        before = held()
        for _ in range(300):
            talk(served, caller)
        grown = [now - then for then, now in zip(before, held(), strict=True)]
        assert max(map(abs, grown)) < 200


@PLAIN
def test_connections_that_raise_are_freed(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Twisted keeps what is logged until somebody wants it.
    monkeypatch.setattr(burst_loop, "log_exception", lambda *_: None)
    with served_port(kind, tmp_path, Talker) as served:
        dead = []
        for _ in range(20):
            caller, protocol = served.connect()
            dead.append(weakref.ref(protocol.transport))
            caller.sendall(b"raise")
            served.until(partial(bool, protocol.lost))
            protocol.lost.clear()  # a failure has frames, and these all that there was
        served.made.clear()
        del protocol
        gc.collect()
        assert [each() for each in dead] == [None] * len(dead)


@PLAIN
def test_an_allocation_that_fails_costs_one_connection_at_most(
    tmp_path: Path, kind: str, loop: str
) -> None:
    testcapi = pytest.importorskip("_testcapi")
    with served_port(kind, tmp_path, Echo) as served:
        pairs = [served.connect() for _ in range(3)]
        for number in range(60):
            for caller, _ in pairs:
                caller.sendall(b"hello")
            testcapi.set_nomemory(number, number + 1)
            try:
                served.burst.doRead()
            finally:
                testcapi.remove_mem_hooks()
            for _ in range(2):
                served.reactor.doIteration(0)
            lost = [pair for pair in pairs if pair[1].lost]
            assert len(lost) <= 1
            assert not served.burst.active
            assert served.burst.dirty == []
            for pair in lost:
                pairs.remove(pair)
                pairs.append(served.connect())
            for caller, _ in pairs:
                _drain(caller)
            assert all(answered(served, caller, b"again") for caller, _ in pairs)


def _set_of(served: ServedPort) -> int:
    assert served.burst._epoll is not None
    return served.burst._epoll.fileno()


def _drain(caller: Any) -> None:
    try:
        while caller.recv(1 << 16):
            pass
    except BlockingIOError:
        pass


@PLAIN
def test_what_is_written_never_goes_to_who_has_the_descriptor_next(
    tmp_path: Path, kind: str
) -> None:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)

    class Reuses(Echo):
        def dataReceived(self, data: bytes) -> None:
            descriptor = self.transport.socket.fileno()
            self.transport.write(b"not for others")
            self.transport.socket.close()
            self.taken = ours.dup()
            assert self.taken.fileno() == descriptor

    with served_port(kind, tmp_path, Reuses) as served:
        caller, protocol = served.connect()
        caller.sendall(b"go")
        served.until(lambda: hasattr(protocol, "taken"))
        for _ in range(5):
            served.turn()
        with pytest.raises(BlockingIOError):
            theirs.recv(100)
        protocol.taken.close()
    ours.close()
    theirs.close()


def test_nothing_but_connections_and_bursts_is_worked_on(tmp_path: Path) -> None:
    from socketsuite.transport import _burst

    for burst in (None, object(), 7, _burst):
        with pytest.raises(TypeError):
            _burst.serve(burst, 0, 1, 0.0, -1)
        with pytest.raises(TypeError):
            _burst.end(burst)
    with served_port("tcp", tmp_path, Echo) as served:
        for most in (0, -1, 129, 1 << 20):
            with pytest.raises(TypeError):
                _burst.serve(served.burst, 0, most, 0.0, -1)
        with pytest.raises(OSError, match="Bad file descriptor"):
            _burst.serve(served.burst, -1, 1, 0.0, -1)
        with pytest.raises(TypeError, match="set up already"):
            _burst.set_up(type(served.burst), type(served.burst), socket.socket, EMPTY, EMPTY)
    with pytest.raises(AttributeError):
        _burst.Writer().write(b"x")
    with pytest.raises(TypeError):
        _burst.Writer().writeToAll(7, b"x")  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(4))
@PLAIN
def test_whatever_is_put_in_a_slot_the_process_lives_and_others_are_served(
    tmp_path: Path, kind: str, seed: int
) -> None:
    """Python would raise there; what is compiled must not do worse."""
    chance = random.Random(seed)
    strange = [
        None,
        7,
        -1,
        1 << 80,
        b"",
        b"bytes",
        "text",
        [],
        {},
        object(),
        EMPTY,
        len,
        Protocol(),
    ]
    with served_port(kind, tmp_path, Echo) as served:
        for _ in range(60):
            other, _ = served.connect()
            caller, protocol = served.connect()
            transport, name = protocol.transport, chance.choice(HOT)
            inside = chance.random() < 0.5

            def vandalise(transport: Any = transport, name: str = name) -> None:
                if chance.random() < 0.3:
                    delattr(transport, name)
                else:
                    setattr(transport, name, chance.choice(strange))

            if inside:
                own = protocol.dataReceived

                def receive(data: bytes, own: Any = own, vandalise: Any = vandalise) -> None:
                    own(data)
                    vandalise()

                protocol.dataReceived = receive
            else:
                vandalise()
            caller.sendall(b"hello")
            for _ in range(3):
                served.reactor.doIteration(0)
            assert answered(served, other, b"others")
            caller.close()
            other.close()
            served.callers.clear()
            if transport.connected:
                transport.burst = served.burst
                served.burst.lose(transport, Failure(ConnectionDone()))


@pytest.mark.parametrize("name", HOT_OF_BURST)
@pytest.mark.parametrize("value", [None, 7, [], {}, {1: 2}, object()])
def test_a_burst_with_strange_slots_raises_at_most(tmp_path: Path, name: str, value: Any) -> None:
    from socketsuite.transport import _burst

    with served_port("tcp", tmp_path, Echo) as served:
        caller, protocol = served.connect()
        before = getattr(served.burst, name)
        caller.sendall(b"hello")
        setattr(served.burst, name, value)
        try:
            _burst.serve(served.burst, _set_of(served), 128, 0.0, -1)
            _burst.end(served.burst)
        except (TypeError, AttributeError):
            pass
        setattr(served.burst, name, before)
        served.burst.end()
        if not protocol.lost:
            caller.sendall(b"again")
            served.until(lambda: protocol.transport.queued == 0)


def test_under_the_epoll_reactor_others_have_their_turn_and_all_is_as_before_in_the_end(
    tmp_path: Path,
) -> None:
    with served_port("tcp", tmp_path, Echo) as served:
        reactor = served.reactor
        assert "doIteration" not in vars(reactor)
        caller, _ = served.connect()
        assert "doIteration" in vars(reactor)
        assert served.burst in reactor.getReaders()
        started = time.monotonic()
        reactor.wakeUp()  # a reader of the reactor's own
        reactor.doIteration(20.0)
        ran: list[int] = []
        reactor.callLater(0.01, ran.append, 1)
        while not ran:
            reactor.doIteration(reactor.timeout())
            reactor.runUntilCurrent()
        assert time.monotonic() - started < 10.0
        assert answered(served, caller, b"hello")
        caller.close()
        served.until(lambda: not served.burst.members)
        assert "doIteration" not in vars(reactor)
        assert served.burst not in reactor.getReaders()


def test_a_protocol_may_turn_the_reactor_itself(tmp_path: Path) -> None:
    class Turns(Echo):
        def dataReceived(self, data: bytes) -> None:
            self.transport.reactor.iterate(0)
            self.transport.write(data)

    with served_port("tcp", tmp_path, Turns) as served:
        caller, _ = served.connect()
        assert answered(served, caller, b"hello")


def test_the_end_of_the_reactor_is_told_to_every_connection(tmp_path: Path) -> None:
    with served_port("tcp", tmp_path, Echo) as served:
        pairs = [served.connect() for _ in range(3)]
        served.reactor.disconnectAll()
        assert [len(protocol.lost) for _, protocol in pairs] == [1, 1, 1]
        assert served.burst.fileno() == -1
        assert "doIteration" not in vars(served.reactor)


def tell_many(folder: Path) -> None:
    """One burst writes to six at once, more than the kernel takes from it."""
    made: list[Any] = []
    text = bytes(range(256)) * 4096

    class ToAll(Echo):
        def connectionMade(self) -> None:
            made.append(self)

        def dataReceived(self, data: bytes) -> None:
            assert self.transport.writeToAll([one.transport.write for one in made], text) == []

    with served_port("tcp", folder, ToAll) as served:
        callers = [served.connect()[0] for _ in range(6)]
        callers[0].sendall(b"go")
        assert [served.read(caller, len(text)) == text for caller in callers] == [True] * 6
        assert {one.transport.bytes_out for one in made} == {len(text)}


@pytest.mark.skipif("SOCKETSUITE_NO_IO_URING" in os.environ, reason="it is forbidden to all")
@pytest.mark.parametrize("forbidden", ["", "1"])
def test_a_child_of_fork_sends_by_a_ring_of_its_own_or_by_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forbidden: str
) -> None:
    from socketsuite.transport import _burst

    tell_many(tmp_path)
    there_is_one = _burst.io_uring() is None
    monkeypatch.setenv("SOCKETSUITE_NO_IO_URING", forbidden)
    child = os.fork()
    if not child:
        status = 1
        try:
            tell_many(tmp_path)
            status = 0 if compiled.io_uring() == (there_is_one and not forbidden) else 2
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    tell_many(tmp_path)
