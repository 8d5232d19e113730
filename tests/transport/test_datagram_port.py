"""The UDP port that drains and answers: what a flood, or a failure, can do to it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.error import MessageLengthError
from twisted.internet.protocol import DatagramProtocol
from twisted.python import log

from socketsuite.transport import datagrams
from socketsuite.transport.datagrams import adopt_datagrams


class Recorder(DatagramProtocol):
    noisy = False

    def __init__(self) -> None:
        self.received: list[bytes] = []

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        self.received.append(datagram)
        if datagram == b"bad":
            raise ValueError("I do not like that")


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def port(recorder: Recorder) -> Iterator[Any]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        bound.setblocking(False)
        reactor: Any = EPollReactor()
        made = adopt_datagrams(reactor, bound, recorder)
    yield made
    reactor.disconnectAll()


@pytest.fixture
def caller(port: Any) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.connect(("127.0.0.1", port.getHost().port))
        yield made


def test_a_turn_takes_a_bounded_number_of_empty_datagrams(
    port: Any, recorder: Recorder, caller: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datagrams, "_DATAGRAMS_PER_TURN", 50)
    for _ in range(55):
        caller.send(b"")
    port.doRead()
    assert len(recorder.received) == 50
    port.doRead()
    assert len(recorder.received) == 55


def test_an_exception_costs_its_datagram_alone(
    port: Any, recorder: Recorder, caller: socket.socket
) -> None:
    logged: list[Any] = []
    log.addObserver(logged.append)
    for datagram in (b"one", b"bad", b"two"):
        caller.send(datagram)
    port.doRead()
    log.removeObserver(logged.append)
    assert recorder.received == [b"one", b"bad", b"two"]
    assert [event["failure"].type for event in logged if event["isError"]] == [ValueError]


def test_the_largest_datagram_arrives_whole(
    port: Any, recorder: Recorder, caller: socket.socket
) -> None:
    caller.send(b"x" * 65_507)
    port.doRead()
    assert [len(one) for one in recorder.received] == [65_507]


def test_an_answer_to_nobody_does_not_disturb_the_next(
    port: Any, recorder: Recorder, caller: socket.socket
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind(("127.0.0.1", 0))
        nobody = gone.getsockname()
    port.write(b"are you there?", nobody)
    caller.send(b"I am")
    port.doRead()
    assert recorder.received == [b"I am"]


def test_an_answer_that_no_datagram_can_hold_is_an_error(port: Any) -> None:
    with pytest.raises(MessageLengthError):
        port.write(b"x" * 65_508, port.socket.getsockname())
