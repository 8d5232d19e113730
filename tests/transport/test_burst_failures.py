"""What is raised in a burst, by anybody or for want of memory, ends one connection."""

from __future__ import annotations

import contextlib
import gc
import socket
import struct
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Protocol
from twisted.python import log

from socketsuite.transport.burst import burst_of
from tests.support.served_port import KINDS, ServedPort, served_port

every_kind = pytest.mark.parametrize("kind", KINDS)

GIBIBYTE = bytes(1 << 30)  # never touched, so it costs no memory
MORE_THAN_AN_ADDRESS_SPACE = 150_000


class Echo(Protocol):
    transport: Any

    def __init__(self) -> None:
        self.received = b""
        self.lost: list[Any] = []

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        self.transport.write(data)

    def connectionLost(self, reason: Any = None) -> None:
        self.lost.append(reason)


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """The types of the exceptions that are logged."""
    types: list[str] = []

    def observe(event: Any) -> None:
        if "failure" in event:
            types.append(event["failure"].type.__name__)

    log.addObserver(observe)
    yield types
    log.removeObserver(observe)


def others_are_served(served: ServedPort, caller: Any) -> None:
    caller.sendall(b"old") if served.kind != "tls" else caller.send(b"old")
    assert served.read(caller, 3) == b"old"
    later, _ = served.connect()
    later.sendall(b"new") if served.kind != "tls" else later.send(b"new")
    assert served.read(later, 3) == b"new"
    assert not served.burst.active


def send(served: ServedPort, caller: Any, data: bytes) -> None:
    (caller.send if served.kind == "tls" else caller.sendall)(data)


@every_kind
def test_no_memory_for_what_is_to_be_flushed_ends_that_connection(
    tmp_path: Path, kind: str, logged: list[str]
) -> None:
    with served_port(kind, tmp_path, Echo) as served:
        other, _ = served.connect()
        caller, protocol = served.connect()

        def write_too_much(data: bytes) -> None:
            for _ in range(MORE_THAN_AN_ADDRESS_SPACE):
                protocol.transport.write(GIBIBYTE)

        protocol.dataReceived = write_too_much
        send(served, caller, b"go")
        served.until(lambda: protocol.lost)
        assert logged == ["MemoryError"]
        others_are_served(served, other)


@every_kind
@pytest.mark.parametrize("raised", [MemoryError, OSError, RecursionError, GeneratorExit])
@pytest.mark.parametrize("place", ["receive", "send", "take_unsent"])
def test_whatever_is_raised_in_a_burst_ends_the_connection_it_comes_from(
    tmp_path: Path, kind: str, place: str, raised: type[BaseException], logged: list[str]
) -> None:
    with served_port(kind, tmp_path, Echo) as served:
        other, _ = served.connect()
        caller, protocol = served.connect()

        def fail(*_: Any) -> Any:
            raise raised

        original = protocol.dataReceived

        def receive(data: bytes) -> None:
            original(data)
            protocol.transport.write(b"and more")  # a second piece, which is to be joined

        protocol.dataReceived = receive
        setattr(protocol.transport, place, fail)
        send(served, caller, b"go")
        served.until(lambda: protocol.lost)
        assert logged in ([], [raised.__name__])
        assert raised is OSError or logged != []
        others_are_served(served, other)


@every_kind
def test_a_failing_log_ends_no_other_connection(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served_port(kind, tmp_path, Echo) as served:
        other, _ = served.connect()
        caller, protocol = served.connect()

        def fail(*_: Any, **__: Any) -> Any:
            raise MemoryError

        monkeypatch.setattr(log, "err", fail)
        protocol.dataReceived = fail
        send(served, caller, b"go")
        served.until(lambda: protocol.lost)
        others_are_served(served, other)


class Producer:
    """Raises in one of its methods."""

    def __init__(self, bad: str) -> None:
        self.bad = bad

    def __getattribute__(self, name: str) -> Any:
        if name in ("stopProducing", "pauseProducing", "resumeProducing"):

            def called() -> None:
                if name == object.__getattribute__(self, "bad"):
                    raise ZeroDivisionError

            return called
        return object.__getattribute__(self, name)


@every_kind
@pytest.mark.parametrize("bad", ["stopProducing", "pauseProducing", "resumeProducing"])
def test_a_producer_that_raises_leaves_nothing_of_its_connection(
    tmp_path: Path, kind: str, bad: str, logged: list[str]
) -> None:
    with served_port(kind, tmp_path, Echo) as served:
        other, _ = served.connect()
        caller, protocol = served.connect(buffer=4096)
        protocol.transport.registerProducer(Producer(bad), True)
        if bad == "stopProducing":
            caller.close()
        else:
            protocol.dataReceived = lambda data: protocol.transport.write(b"x" * 4_000_000)
            send(served, caller, b"go")

        def ended() -> Any:
            with contextlib.suppress(BlockingIOError, ConnectionError):
                caller.recv(1 << 16)
            return protocol.lost

        served.until(protocol.lost.__len__ if bad == "stopProducing" else ended)
        assert len(protocol.lost) == 1
        assert logged == ["ZeroDivisionError"]
        assert not hasattr(protocol.transport, "socket")
        assert protocol.transport not in served.burst.members.values()
        others_are_served(served, other)


def test_a_producer_and_a_log_that_both_fail_still_end_the_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise MemoryError

    with served_port("tcp", tmp_path, Echo) as served:
        caller, protocol = served.connect()
        protocol.transport.registerProducer(Producer("stopProducing"), True)
        monkeypatch.setattr(log, "err", fail)
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        caller.close()
        served.until(lambda: protocol.lost)
        assert not hasattr(protocol.transport, "socket")


def test_a_factory_that_raises_costs_its_caller_and_not_the_port(
    tmp_path: Path, logged: list[str]
) -> None:
    with served_port("tcp", tmp_path, Echo) as served:
        build = served.port.factory.buildProtocol

        def fail(_: Any) -> Any:
            served.port.factory.buildProtocol = build
            raise SystemExit

        served.port.factory.buildProtocol = fail
        caller = served.call()
        served.until(lambda: logged)
        served.until(lambda: caller.recv(1) == b"")
        assert logged == ["SystemExit"]
        others_are_served(served, served.connect()[0])


def test_a_reactors_burst_is_freed_with_it(tmp_path: Path) -> None:
    with served_port("tcp", tmp_path, Echo) as served:
        served.connect()
        dead = [weakref.ref(served.burst), weakref.ref(served.reactor)]
    del served
    gc.collect()
    assert [each() for each in dead] == [None, None]


def test_a_connection_without_a_producer_ends_as_before(tmp_path: Path) -> None:
    with served_port("tcp", tmp_path, Echo) as served:
        caller, protocol = served.connect()
        caller.close()
        served.until(lambda: protocol.lost)
        assert protocol.lost[0].check(ConnectionDone)
        assert burst_of(served.reactor) is served.burst
