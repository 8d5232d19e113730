"""TLS on the burst transport: closes in a handshake, and what comes with its end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import Protocol
from zope.interface import implementer

from tests.support.served_port import ServedPort, TLSCaller, served_port


class Recorder(Protocol):
    transport: Any

    def __init__(self) -> None:
        self.told: list[str] = []
        self.received = b""

    def connectionMade(self) -> None:
        self.told.append("made")

    def dataReceived(self, data: bytes) -> None:
        self.told.append("data")
        self.received += data

    def connectionLost(self, reason: Any = None) -> None:
        self.told.append("lost")


def in_a_handshake(served: ServedPort) -> tuple[TLSCaller, Any]:
    """Return a caller in the middle of its handshake, and the transport."""
    caller = TLSCaller(served.call())
    caller.raw.sendall(caller.flight()[:100])
    served.until(lambda: served.burst.members)
    served.turn()
    (transport,) = served.burst.members.values()
    return caller, transport


@pytest.mark.parametrize("how", ["loseConnection", "loseWriteConnection", "abortConnection"])
def test_a_close_in_a_handshake_takes_effect_at_once(tmp_path: Path, how: str) -> None:
    with served_port("tls", tmp_path, Recorder) as served:
        _, transport = in_a_handshake(served)
        getattr(transport, how)()
        for _ in range(3):
            served.turn()
        assert served.burst.members == {}
        assert not hasattr(transport, "socket")
        assert served.reactor.getDelayedCalls() == []
        assert served.made[0].told == []  # it never had a connection to lose


def end_of_handshake_and(served: ServedPort, data: bytes) -> TLSCaller:
    """Send *data* in one segment with the end of the handshake."""
    caller = TLSCaller(served.call())
    caller.raw.sendall(caller.flight())
    last = b""

    def answered() -> bytes:
        nonlocal last
        last = caller.flight()
        return last

    served.until(answered)
    caller.raw.sendall(last + caller.encrypted(data))
    return caller


def test_who_pauses_when_it_is_connected_is_given_no_data(tmp_path: Path) -> None:
    class Paused(Recorder):
        def connectionMade(self) -> None:
            super().connectionMade()
            self.transport.pauseProducing()

    with served_port("tls", tmp_path, Paused) as served:
        end_of_handshake_and(served, b"early")
        served.until(lambda: served.made and served.made[0].told)
        for _ in range(3):
            served.turn()
        (protocol,) = served.made
        assert protocol.told == ["made"]
        protocol.transport.resumeProducing()
        served.until(lambda: protocol.received)
        assert protocol.received == b"early"


@pytest.mark.parametrize("listens", [True, False])
def test_the_end_of_the_handshake_is_told_to_who_listens(tmp_path: Path, listens: bool) -> None:
    class Listening(Recorder):
        def handshakeCompleted(self) -> None:
            self.told.append("handshake")
            self.transport.write(b"secured")

    if listens:
        implementer(IHandshakeListener)(Listening)
    with served_port("tls", tmp_path, Listening) as served:
        caller = end_of_handshake_and(served, b"early")
        served.until(lambda: served.made and served.made[0].received)
        told = ["made", "handshake", "data"] if listens else ["made", "data"]
        assert served.made[0].told == told
        if listens:
            assert served.read(caller, 7) == b"secured"


def test_what_is_written_when_a_handshake_ends_inside_a_flush_arrives(tmp_path: Path) -> None:
    """A handshake goes on in a flush when the kernel would not take its last flight."""

    class Greeting(Recorder):
        def connectionMade(self) -> None:
            super().connectionMade()
            self.transport.write(b"welcome")

    with served_port("tls", tmp_path, Greeting) as served:
        caller = TLSCaller(served.call())
        caller.raw.sendall(caller.flight())
        served.until(lambda: served.burst.members)
        last = b""

        def answered() -> bytes:
            nonlocal last
            last = caller.flight()
            return last

        served.until(answered)
        (transport,) = served.burst.members.values()
        # So that only the readiness to write is looked at.
        transport.stopReading()
        caller.raw.sendall(last)
        transport.arm()
        served.until(lambda: served.made[0].told)
        assert served.read(caller, 7) == b"welcome"


def test_a_protocol_that_raises_when_it_is_connected_ends_alone(tmp_path: Path) -> None:
    class Failing(Recorder):
        def connectionMade(self) -> None:
            super().connectionMade()
            raise OSError("not the socket's")

    with served_port("tls", tmp_path, Failing) as served:
        end_of_handshake_and(served, b"early")
        served.until(lambda: served.made and "lost" in served.made[0].told)
        assert served.made[0].told == ["made", "lost"]


def test_the_close_alert_of_a_half_close_waits_for_room(tmp_path: Path) -> None:
    with served_port("tls", tmp_path, Recorder) as served:
        caller, protocol = served.connect()
        transport = protocol.transport
        send_alert, tries = transport._try_close_notify, []

        def no_room_at_first() -> bool:
            tries.append(1)
            return len(tries) > 2 and send_alert()

        transport._try_close_notify = no_room_at_first
        transport.write(b"last words")
        transport.loseWriteConnection()
        assert served.read(caller, 10) == b"last words"
        # recv() returns nothing only for the alert; the stream itself is still open.
        served.until(lambda: _ended(caller))
        assert len(tries) == 3
        caller.send(b"still heard")
        served.until(lambda: protocol.received)


def _ended(caller: TLSCaller) -> bool:
    try:
        return caller.recv(1) == b""
    except BlockingIOError:
        return False
