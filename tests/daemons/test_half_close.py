"""Callers who close their half, at services that have never heard of half-closed connections."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from socketsuite.testing import Daemon, read_all, read_line
from tests.daemons.conftest import Start
from tests.support.outside import SECONDS, at_work
from tests.support.stranger import package

# Each line tells what is to be done with it: ``late 0.4 TEXT``, ``now TEXT``, ``never``,
# ``drops 0.2 TEXT`` in as many pieces as it has words, ``push COUNT`` pieces by a producer.
SERVICE = """
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols.basic import LineOnlyReceiver


class Push:
    def __init__(self, transport, reactor, count):
        self.transport, self.reactor, self.count = transport, reactor, count
        transport.registerProducer(self, True)
        self.produce()

    def produce(self):
        self.transport.write(b"p" * 1000)
        self.count -= 1
        if self.count:
            self.reactor.callLater(0.1, self.produce)
        else:
            self.transport.unregisterProducer()

    def pauseProducing(self):
        pass

    resumeProducing = stopProducing = pauseProducing


class Answers(LineOnlyReceiver):
    delimiter = b"\\n"

    def lineReceived(self, line):
        word, *rest = line.split()
        clock = self.factory.reactor
        if word == b"now":
            self.sendLine(rest[0])
        elif word == b"late":
            clock.callLater(float(rest[0]), self.sendLine, rest[1])
        elif word == b"drops":
            for number, each in enumerate(rest[1:], 1):
                clock.callLater(number * float(rest[0]), self.sendLine, each)
        elif word == b"push":
            Push(self.transport, clock, int(rest[0]))

    def connectionLost(self, reason):
        print("protocol has lost its connection", flush=True)


def factory(reactor):
    made = Factory.forProtocol(Answers)
    made.reactor = reactor
    return made
"""

every_kind = pytest.mark.parametrize(
    ("kind", "transport"),
    [("tcp", "burst"), ("tcp", "twisted"), ("unix", "burst"), ("unix", "twisted")],
)


def start(serve: Start, folder: Path, kind: str, transport: str, *more: str) -> Daemon:
    where = ("--port", "0") if kind == "tcp" else ("--unix", str(folder / "sock"))
    env = package(folder, SERVICE)
    return serve("acme-service", *where, "--transport", transport, *more, env=env)


def half_closed(daemon: Daemon, folder: Path, kind: str, text: bytes) -> socket.socket:
    """Return a connection by which *text* was said, and then FIN."""
    caller = socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET)
    caller.settimeout(SECONDS)
    caller.connect(str(folder / "sock") if kind == "unix" else ("127.0.0.1", daemon.port()))
    caller.sendall(text)
    caller.shutdown(socket.SHUT_WR)
    return caller


def said_by(daemon: Daemon, folder: Path, kind: str, text: bytes) -> tuple[bytes, float]:
    """Return what is said to a caller of *text* who half-closes, and how long it took."""
    began = time.monotonic()
    with half_closed(daemon, folder, kind, text) as caller:
        return read_all(caller), time.monotonic() - began


@every_kind
def test_an_answer_that_comes_after_the_callers_fin_arrives(
    serve: Start, tmp_path: Path, kind: str, transport: str
) -> None:
    # Each answer takes longer than the time-out, or comes well before it.
    daemon = start(serve, tmp_path, kind, transport, "--half-close-timeout", "0.5")
    answers = {
        b"late 0.2 yes\n": b"yes\n",
        b"drops 0.25 one two three\n": b"one\ntwo\nthree\n",
        b"push 8\n": b"p" * 8_000,
    }
    callers = [half_closed(daemon, tmp_path, kind, text) for text in answers]
    for caller, answer in zip(callers, answers.values(), strict=True):
        with caller:
            assert read_all(caller) == answer


@every_kind
def test_who_has_been_answered_is_closed_at_once(
    serve: Start, tmp_path: Path, kind: str, transport: str
) -> None:
    daemon = start(serve, tmp_path, kind, transport, "--half-close-timeout", "30")
    for text, answer in {b"now yes\n": b"yes\n", b"": b""}.items():
        said, seconds = said_by(daemon, tmp_path, kind, text)
        assert (said, seconds < SECONDS / 2) == (answer, True)


@every_kind
def test_one_that_is_never_answered_is_closed_after_the_half_close_timeout(
    serve: Start, tmp_path: Path, kind: str, transport: str
) -> None:
    daemon = start(serve, tmp_path, kind, transport, "--half-close-timeout", "0.5")
    said, seconds = said_by(daemon, tmp_path, kind, b"never\n")
    assert (said, seconds > 0.4) == (b"", True)
    daemon.wait_for_line("protocol has lost its connection")
    daemon.wait_for_line("closed .*reason=closed_by_peer")


def test_a_half_close_timeout_of_0_closes_at_once(serve: Start, tmp_path: Path) -> None:
    daemon = start(serve, tmp_path, "tcp", "burst", "--half-close-timeout", "0")
    assert said_by(daemon, tmp_path, "tcp", b"late 5 no\n")[0] == b""


def test_a_peer_that_is_gone_for_good_is_noticed_with_the_first_answer(
    serve: Start, tmp_path: Path
) -> None:
    daemon = start(serve, tmp_path, "tcp", "burst", "--half-close-timeout", "60")
    with daemon.connect() as caller:
        caller.sendall(b"drops 0.1 one two three four five\n")
    daemon.wait_for_line(r"closed .*reason=(lost|closed_by_peer)")


def test_a_drain_ends_those_who_wait_for_an_answer_too(serve: Start, tmp_path: Path) -> None:
    daemon = start(
        serve, tmp_path, "tcp", "burst", "--half-close-timeout", "60", "--drain-timeout", "0.3"
    )
    with daemon.connect() as caller:
        caller.sendall(b"never\n")
        caller.shutdown(socket.SHUT_WR)
        assert daemon.stop() == 0


def test_nc_gets_a_late_answer_by_the_default(serve: Start, tmp_path: Path) -> None:
    daemon = start(serve, tmp_path, "tcp", "burst")
    with at_work("nc.openbsd", "-N", "127.0.0.1", str(daemon.port())) as netcat:
        netcat.sendall(b"late 0.5 yes\n")
        netcat.shutdown(socket.SHUT_WR)
        assert read_line(netcat) == b"yes\n"
