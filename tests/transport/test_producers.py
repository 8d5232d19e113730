"""Producers on the burst transport: told to pause and to resume in pairs, and waited for."""

from __future__ import annotations

import contextlib
import itertools
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.interfaces import IPullProducer, IPushProducer
from twisted.internet.protocol import Protocol
from zope.interface import implementer

from socketsuite.transport import burst_loop
from tests.support.served_port import KINDS, ServedPort, served_port

every_kind = pytest.mark.parametrize("kind", KINDS)
PIECE = b"p" * 200_000


class Recorder(Protocol):
    transport: Any

    def __init__(self) -> None:
        self.lost: list[Any] = []

    def connectionLost(self, reason: Any = None) -> None:
        self.lost.append(reason)


@implementer(IPushProducer)
class Counting:
    """Counts its pauses, and forgives none too many: one too few, and it never goes on."""

    def __init__(self) -> None:
        self.pauses = 0
        self.told: list[str] = []

    def pauseProducing(self) -> None:
        self.told.append("pause")
        self.pauses += 1

    def resumeProducing(self) -> None:
        self.told.append("resume")
        self.pauses -= 1

    def stopProducing(self) -> None:
        self.told.append("stop")


def taken(served: ServedPort, caller: Any) -> bytes:
    """Return what has come by now."""
    got = b""
    with contextlib.suppress(BlockingIOError, ConnectionError):
        while piece := caller.recv(1 << 16):
            got += piece
    return got


def take_all(served: ServedPort, caller: Any, count: int) -> bytes:
    got = b""

    def enough() -> bool:
        nonlocal got
        got += taken(served, caller)
        return len(got) >= count

    served.until(enough)
    return got


@every_kind
@pytest.mark.parametrize("inside", [True, False], ids=["in a burst", "outside"])
@pytest.mark.parametrize("sequence", [True, False], ids=["writeSequence", "write"])
def test_pauses_and_resumes_are_told_in_pairs(
    tmp_path: Path, kind: str, inside: bool, sequence: bool
) -> None:
    with served_port(kind, tmp_path, Recorder) as served:
        caller, protocol = served.connect(buffer=4096)
        transport, producer = protocol.transport, Counting()
        transport.registerProducer(producer, True)

        def write(_asked: bytes = b"") -> None:
            for _ in range(20 if sequence else 40):
                if sequence:
                    transport.writeSequence([PIECE, PIECE])
                else:
                    transport.write(PIECE)

        for _ in range(3):
            if inside:
                protocol.dataReceived = write
                (caller.send if kind == "tls" else caller.sendall)(b"go")
            else:
                write()
            assert len(take_all(served, caller, 40 * len(PIECE))) == 40 * len(PIECE)
            served.turn()
        assert set(producer.told[::2]) == {"pause"}
        assert set(producer.told[1::2]) == {"resume"}
        assert producer.pauses == 0


@every_kind
@pytest.mark.parametrize("close", ["loseConnection", "loseWriteConnection"])
def test_a_close_waits_for_a_producer_that_was_paused(
    tmp_path: Path, kind: str, close: str
) -> None:
    """It is resumed when the peer has read, and writes the rest only later."""
    with served_port(kind, tmp_path, Recorder) as served:
        caller, protocol = served.connect(buffer=4096)
        transport, producer = protocol.transport, Counting()
        transport.registerProducer(producer, True)
        size = 0
        while not producer.pauses:
            transport.write(PIECE)
            size += len(PIECE)
            served.turn()
        getattr(transport, close)()
        got = take_all(served, caller, size)
        served.until(lambda: not producer.pauses)
        for _ in range(5):
            served.turn()
        assert protocol.lost == []

        def rest() -> None:
            transport.write(b"the rest")
            transport.unregisterProducer()

        served.reactor.callLater(0, rest)
        got += take_all(served, caller, 8)
        assert got.endswith(b"the rest")
        if close == "loseConnection":
            served.until(lambda: protocol.lost)


@every_kind
def test_a_new_producer_is_not_resumed_for_the_pause_of_the_former(
    tmp_path: Path, kind: str
) -> None:
    with served_port(kind, tmp_path, Recorder) as served:
        caller, protocol = served.connect(buffer=4096)
        transport, former, later = protocol.transport, Counting(), Counting()
        transport.registerProducer(former, True)
        transport.write(b"x" * 6_000_000)
        served.until(lambda: former.pauses)
        transport.unregisterProducer()
        transport.registerProducer(later, True)
        take_all(served, caller, 6_000_000)
        for _ in range(3):
            served.turn()
        assert former.told == ["pause"]
        assert later.told == []


def test_a_pull_producer_is_asked_again_only_in_the_next_burst(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One with no end would keep the burst going, and everybody else waiting."""
    monkeypatch.setattr(burst_loop, "SECONDS_PER_TURN", 0.0)

    @implementer(IPullProducer)
    class Endless:
        asked = 0

        def resumeProducing(self) -> None:
            self.asked += 1
            protocol.transport.write(b"more")

        def stopProducing(self) -> None:
            pass

    with served_port("tcp", tmp_path, Recorder) as served:
        caller, protocol = served.connect()
        producer = Endless()
        protocol.dataReceived = lambda _: protocol.transport.registerProducer(producer, False)
        caller.sendall(b"go")
        asked = [0]
        for _ in range(100):
            served.turn()
            asked.append(producer.asked)
        assert asked[-1] > 10
        assert max(after - before for before, after in itertools.pairwise(asked)) <= 2
