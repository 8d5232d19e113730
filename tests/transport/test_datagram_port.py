"""The UDP port that drains and answers: what a flood, or a failure, can do to it."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.error import MessageLengthError
from twisted.internet.protocol import DatagramProtocol
from twisted.python import log

from socketsuite.transport import datagrams
from socketsuite.transport.datagrams import _answer_from, adopt_datagrams


class Recorder(DatagramProtocol):
    """Keeps what it receives, and does what a test wants of it then."""

    noisy = False
    transport: Any

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.act: Callable[[bytes, Any], object] = lambda datagram, addr: None

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        self.received.append(datagram)
        self.act(datagram, addr)
        if datagram == b"bad":
            raise ValueError("I do not like that")

    def echo(self, datagram: bytes, addr: Any) -> None:
        self.transport.write(datagram, addr)


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
    with caller_of(port) as made:
        yield made


def caller_of(port: Any) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.settimeout(10)
    made.connect(("127.0.0.1", port.getHost().port))
    return made


def answers(caller: socket.socket, count: int) -> list[bytes]:
    return [caller.recv(1 << 16) for _ in range(count)]


def counted(port: Any) -> tuple[int, int, int, int]:
    return port.datagrams_in, port.bytes_in, port.datagrams_out, port.bytes_out


@pytest.fixture
def errors() -> Iterator[list[Any]]:
    """The types of exceptions that are logged."""
    logged: list[Any] = []

    def observe(event: Any) -> None:
        if event["isError"]:
            logged.append(event["failure"].type)

    log.addObserver(observe)
    yield logged
    log.removeObserver(observe)


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
    port: Any, recorder: Recorder, caller: socket.socket, errors: list[Any]
) -> None:
    recorder.act = recorder.echo
    for datagram in (b"one", b"bad", b"two"):
        caller.send(datagram)
    port.doRead()
    assert recorder.received == answers(caller, 3) == [b"one", b"bad", b"two"]
    assert errors == [ValueError]
    assert counted(port) == (3, 9, 3, 9)


def test_each_caller_has_its_own_answers_in_order(port: Any, recorder: Recorder) -> None:
    def twice(datagram: bytes, addr: Any) -> None:
        port.write(datagram + b" 1", addr)
        port.write(datagram + b" 2", addr)

    recorder.act = twice
    with contextlib.ExitStack() as open_ones:
        callers = [open_ones.enter_context(caller_of(port)) for _ in range(300)]
        for turn in (b"a", b"b"):
            for number, one in enumerate(callers):
                one.send(turn)
                if number % 100 == 99:
                    port.doRead()
        for one in callers:
            assert answers(one, 4) == [b"a 1", b"a 2", b"b 1", b"b 2"]
    assert counted(port) == (600, 600, 1200, 3600)


def test_what_is_written_to_others_leaves_between_the_answers(
    port: Any, recorder: Recorder, caller: socket.socket
) -> None:
    """Whoever is written to, in whatever way: in the order of the writes."""

    def act(datagram: bytes, addr: Any) -> None:
        port.write(datagram + b" 1", addr)
        port.write(datagram + b" 2", addr=addr)
        port.write(bytearray(datagram + b" 3"), addr)
        port.write(datagram + b" 4", (addr[0], addr[1]))
        port.writeSequence([datagram, b" 5"], addr)

    recorder.act = act
    caller.send(b"a")
    caller.send(b"b")
    port.doRead()
    expected = [b"%c %d" % (letter, number) for letter in b"ab" for number in range(1, 6)]
    assert answers(caller, 10) == expected
    with pytest.raises(TypeError):
        port.write(b"to nobody")


def test_an_address_that_was_kept_is_good_later(
    port: Any, recorder: Recorder, caller: socket.socket
) -> None:
    kept: list[Any] = []
    recorder.act = lambda datagram, addr: kept.append(addr)
    caller.send(b"call me")
    port.doRead()
    port.write(b"between turns", kept[0])
    assert answers(caller, 1) == [b"between turns"]
    recorder.act = lambda datagram, addr: port.write(b"in another's turn", kept[0])
    with caller_of(port) as other:
        other.send(b"")
        port.doRead()
    assert answers(caller, 1) == [b"in another's turn"]


def test_a_turn_within_a_turn_takes_what_is_left(
    port: Any, recorder: Recorder, caller: socket.socket, errors: list[Any]
) -> None:
    def act(datagram: bytes, addr: Any) -> None:
        recorder.echo(datagram, addr)
        if datagram == b"0":
            for number in range(50, 60):
                caller.send(b"%d" % number)
            port.doRead()
            port.write(b"over", addr)

    recorder.act = act
    for number in range(50):
        caller.send(b"%d" % number)
    port.doRead()
    wanted = sorted(b"%d" % number for number in range(60))
    assert sorted(recorder.received) == wanted
    assert sorted(answers(caller, 61)) == sorted([*wanted, b"over"])
    assert (port.datagrams_in, port.datagrams_out, errors) == (60, 61, [])


def test_a_port_that_is_stopped_in_a_turn_sends_its_answers(
    port: Any, recorder: Recorder, caller: socket.socket, errors: list[Any]
) -> None:
    def act(datagram: bytes, addr: Any) -> None:
        recorder.echo(datagram, addr)
        port.stopListening()

    recorder.act = act
    caller.send(b"one")
    caller.send(b"two")
    port.doRead()
    assert answers(caller, 2) == [b"one", b"two"]
    assert errors == []


def test_a_port_that_is_lost_in_a_turn_hands_on_nothing_more(
    port: Any, recorder: Recorder, caller: socket.socket
) -> None:
    def act(datagram: bytes, addr: Any) -> None:
        recorder.echo(datagram, addr)
        port.stopReading()
        port.connectionLost()

    recorder.act = act
    for datagram in (b"one", b"two", b"three"):
        caller.send(datagram)
    port.doRead()
    assert recorder.received == answers(caller, 1) == [b"one"]
    assert counted(port) == (1, 3, 1, 3)


def test_a_socket_that_is_closed_in_a_turn_ends_the_turn(
    port: Any, recorder: Recorder, caller: socket.socket, errors: list[Any]
) -> None:
    def act(datagram: bytes, addr: Any) -> None:
        port.stopReading()
        port.socket.close()

    recorder.act = act
    caller.send(b"one")
    port.doRead()
    assert recorder.received == [b"one"]
    assert errors == [OSError]


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
