"""``transport.corked()``: what is written outside of a burst leaves together."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.protocol import Protocol

from tests.support.segments import segments
from tests.support.served_port import KINDS, ServedPort, served_port


class Served(Protocol):
    """Does what it is told to at the next bytes."""

    work: Any = None
    lost = False

    def dataReceived(self, data: bytes) -> None:
        if self.work is not None:
            self.work()

    def connectionLost(self, reason: Any = None) -> None:
        self.lost = True


@pytest.fixture(params=KINDS)
def served(request: pytest.FixtureRequest, tmp_path: Path, loop: str) -> Iterator[ServedPort]:
    with served_port(request.param, tmp_path, Served) as made:
        yield made


def in_pieces(*protocols: Any) -> None:
    for number in range(10):
        for protocol in protocols:
            protocol.transport.write(b"%d" % number)


def is_silent(caller: Any) -> bool:
    try:
        caller.recv(1)
    except BlockingIOError:
        return True
    return False


def test_nothing_leaves_before_the_end_and_then_all_does(served: ServedPort) -> None:
    (one, first), (other, second) = served.connect(), served.connect()

    def work() -> str:
        in_pieces(first, second)
        assert is_silent(one)
        assert is_silent(other)
        return "done"

    assert first.transport.corked(work) == "done"
    for caller in (one, other):
        assert served.read(caller, 10) == b"0123456789"


def test_what_was_written_leaves_as_one_segment(tmp_path: Path, loop: str) -> None:
    with served_port("tcp", tmp_path, Served) as served:
        caller, protocol = served.connect()
        before = segments(caller)
        in_pieces(protocol)
        assert served.read(caller, 10) == b"0123456789"
        # Ten, but a busy kernel may put those behind the first together.
        middle = segments(caller)
        assert middle - before > 1
        protocol.transport.corked(in_pieces, protocol)
        assert served.read(caller, 10) == b"0123456789"
        assert segments(caller) - middle == 1


def test_inside_of_another_nothing_leaves_earlier(served: ServedPort) -> None:
    caller, protocol = served.connect()

    def work() -> None:
        protocol.transport.corked(in_pieces, protocol)
        assert is_silent(caller)

    protocol.transport.corked(work)
    assert served.read(caller, 10) == b"0123456789"
    # And in what reads.
    protocol.work = work
    caller.send(b"!")
    assert served.read(caller, 10) == b"0123456789"


def test_an_exception_is_the_callers_and_what_was_written_leaves(served: ServedPort) -> None:
    caller, protocol = served.connect()

    def work() -> None:
        in_pieces(protocol)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        protocol.transport.corked(work)
    assert served.read(caller, 10) == b"0123456789"
    assert not protocol.lost
    protocol.transport.write(b"again")
    assert served.read(caller, 5) == b"again"


@pytest.mark.parametrize("end", ["loseConnection", "abortConnection"])
def test_others_may_be_ended_meanwhile(served: ServedPort, end: str) -> None:
    (one, first), (_, second) = served.connect(), served.connect()

    def work() -> None:
        in_pieces(first, second)
        getattr(second.transport, end)()
        in_pieces(first, second)

    first.transport.corked(work)
    assert served.read(one, 20) == b"0123456789" * 2
    served.until(lambda: second.lost)
    # One that is over corks as well.
    second.transport.corked(in_pieces, first)
    assert served.read(one, 10) == b"0123456789"


def test_a_peer_that_is_gone_costs_only_itself(served: ServedPort) -> None:
    (one, first), (other, second) = served.connect(), served.connect()
    other.close()
    for _ in range(3):
        second.transport.corked(in_pieces, first, second)
        assert served.read(one, 10) == b"0123456789"
        served.turn()
    served.until(lambda: second.lost)
