"""``close(reason)`` and ``abort(reason)`` of observed connections, on every transport."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Factory, Protocol
from zope.interface import implementer

from socketsuite.reasons import CLOSED_BY_OPERATOR, IDLE_TIMEOUT, SEND_QUEUE_FULL
from socketsuite.transport.observed import observe_port
from socketsuite.transport.options import PortOptions, TLSOptions
from tests.support.hand_turned import HandTurned
from tests.support.served_port import TLSCaller, server_context


class Observer:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.open: list[Any] = []
        self.ended: list[Any] = []

    def opened(self, transport: Any) -> None:
        self.open.append(transport)

    def closed(self, transport: Any, reason: Any) -> None:
        self.ended.append(transport)

    def busy(self, transport: Any) -> None:
        return None

    def half_close_seconds(self) -> float:
        return 0.05

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


@implementer(IPushProducer)
class Endless:
    """A producer that may go on at any time, and does not."""

    stopped = False

    def pauseProducing(self) -> None:
        pass

    resumeProducing = pauseProducing

    def stopProducing(self) -> None:
        self.stopped = True


class Served(HandTurned):
    def __init__(self, kind: str, *, burst: bool, send_queue: int = 1 << 20) -> None:
        super().__init__()
        self.kind = kind
        self.observer = Observer()
        self.made: list[Any] = []

        def build() -> Protocol:
            self.made.append(Protocol())
            return self.made[-1]  # type: ignore[no-any-return]

        factory = Factory()
        factory.noisy = False
        factory.protocol = build
        self.port = self.reactor.listenTCP(0, factory, interface="127.0.0.1")
        tls = TLSOptions(server_context) if kind == "tls" else None
        observer: Any = self.observer
        options = PortOptions(observer, kind, send_queue, tls=tls)
        observe_port(self.port, options, burst=burst)

    def connect(self) -> tuple[Any, Any]:
        """Return a caller that is connected, and its transport."""
        caller: Any = self.call()
        if self.kind == "tls":
            caller = TLSCaller(caller)

            def secured() -> bool:
                caller.raw.sendall(caller.flight())
                return bool(self.made and self.made[0].transport)

            self.until(secured)
        self.until(lambda: self.made and self.made[0].transport)
        return caller, self.observer.open[0]


CASES = [("tcp", True), ("tcp", False), ("tls", True)]


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}-{'burst' if case[1] else 'twisted'}")
def served(request: Any) -> Iterator[Served]:
    kind, burst = request.param
    made = Served(kind, burst=burst)
    yield made
    made.close()


def all_that_comes(served: Served, caller: Any) -> tuple[bytes, str]:
    """Return what comes until the end, and how that comes."""
    got, how = b"", ""

    def ended() -> bool:
        nonlocal got, how
        with contextlib.suppress(BlockingIOError):
            try:
                while piece := caller.recv(1 << 16):
                    got += piece
                how = "closed"
            except ConnectionError:
                how = "reset"
        return bool(how)

    served.until(ended)
    return got, how


def test_an_idle_connection_is_closed_in_good_order_and_once(served: Served) -> None:
    caller, transport = served.connect()
    transport.close(IDLE_TIMEOUT)
    transport.close(CLOSED_BY_OPERATOR)
    assert all_that_comes(served, caller) == (b"", "closed")
    served.until(lambda: served.observer.ended)
    assert transport.why == IDLE_TIMEOUT


@pytest.mark.parametrize("asked_before", [True, False])
def test_a_close_does_not_wait_for_a_producer_that_has_nothing_to_say(
    served: Served, asked_before: bool
) -> None:
    """As ``twisted.web`` has one on each connection, for as long as that lives."""
    caller, transport = served.connect()
    producer = Endless()
    transport.registerProducer(producer, True)
    if asked_before:
        transport.loseConnection()
        served.turn()
    transport.close(IDLE_TIMEOUT)
    assert all_that_comes(served, caller) == (b"", "closed")
    served.until(lambda: served.observer.ended)
    assert producer.stopped


def test_a_peer_that_leaves_bytes_unread_is_not_waited_for(served: Served) -> None:
    _, transport = served.connect()
    served.made[0].transport.write(b"x" * 8_000_000)
    served.turn()
    assert transport.queued > 0
    transport.close(IDLE_TIMEOUT)
    served.until(lambda: served.observer.ended)
    assert (transport.why, transport.queued) == (IDLE_TIMEOUT, 0)


def test_abort_drops_what_waits_and_takes_no_more(served: Served) -> None:
    _, transport = served.connect()
    transport.write(b"x" * 8_000_000)
    transport.abort(CLOSED_BY_OPERATOR)
    transport.write(b"x" * 8_000_000)
    transport.writeSequence([b"x" * 8_000_000])
    assert transport.queued == 0
    served.until(lambda: served.observer.ended)
    assert transport.why == CLOSED_BY_OPERATOR


def test_a_peer_that_says_it_is_done_is_not_kept_by_an_endless_producer(served: Served) -> None:
    caller, transport = served.connect()
    transport.registerProducer(Endless(), True)
    if served.kind == "tls":
        with contextlib.suppress(Exception):
            caller.tls.unwrap()
        caller.raw.sendall(caller._unsent.read())
    else:
        caller.shutdown(1)
    served.until(lambda: served.observer.ended)
    assert transport.why is None
    assert transport.peer_finished


WRITERS: dict[str, Callable[[Any, bytes], object]] = {
    "write": lambda transport, data: transport.write(data),
    "writeSequence": lambda transport, data: transport.writeSequence([data]),
}


@pytest.mark.parametrize("writer", WRITERS)
def test_a_queue_is_judged_by_what_was_left_of_earlier_turns(served: Served, writer: str) -> None:
    """Ten times the limit in one turn is an answer; a byte in the next is one too many."""
    _, transport = served.connect()
    for _ in range(10):
        WRITERS[writer](transport, b"x" * (1 << 20))
    served.turn()
    assert transport.queued > 1 << 20
    still: Any = transport.why
    WRITERS[writer](transport, b"y")
    assert (still, transport.why) == (None, SEND_QUEUE_FULL)
    served.until(lambda: served.observer.ended)
