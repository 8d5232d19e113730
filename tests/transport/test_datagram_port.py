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
from socketsuite.transport.datagrams import _answer_from, adopt_datagrams


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


@pytest.fixture(params=["compiled", "python"])
def port(request: pytest.FixtureRequest, recorder: Recorder) -> Iterator[Any]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        bound.setblocking(False)
        reactor: Any = EPollReactor()
        made = adopt_datagrams(reactor, bound, recorder, pure=request.param == "python")
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


def test_only_the_kernels_own_word_of_an_address_is_taken_for_one() -> None:
    """Kinds are numbers of their level: 8 is IP_PKTINFO here, and IPV6_2292HOPLIMIT there."""
    ours = socket.inet_aton("192.0.2.1")
    pktinfo = bytes(4) + ours + socket.inet_aton("192.0.2.255")
    own = (socket.IPPROTO_IP, 8, pktinfo)
    answer = (socket.IPPROTO_IP, 8, bytes(4) + ours + bytes(4))
    others = [
        (socket.IPPROTO_IPV6, 8, pktinfo),
        (socket.SOL_SOCKET, 8, pktinfo),
        (socket.IPPROTO_IP, socket.IPV6_PKTINFO, socket.inet_pton(socket.AF_INET6, "::1") * 2),
        (socket.IPPROTO_IP, socket.IP_TTL, pktinfo),
    ]
    for other in others:
        assert _answer_from([other]) is None
        assert _answer_from([other, own]) == answer


def test_nobody_answers_from_a_group() -> None:
    def asked(address: str) -> tuple[int, int, bytes]:
        told = socket.inet_pton(socket.AF_INET6, address) + bytes(4)
        return socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, told

    assert _answer_from([asked("ff02::1")]) is None
    assert _answer_from([asked("2001:db8::1")]) == asked("2001:db8::1")
