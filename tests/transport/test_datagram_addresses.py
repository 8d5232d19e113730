"""Whose an answer is and from where it comes: IPv4, IPv6, one address, every address."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.protocol import DatagramProtocol

from socketsuite.transport.datagrams import adopt_datagrams

# Where a port is bound, and the addresses that it is asked at.
BOUND = {
    "127.0.0.1": ["127.0.0.1"],
    "0.0.0.0": ["127.0.0.1", "127.9.9.9"],
    "::1": ["::1"],
    "::": ["::1", "127.0.0.1", "127.9.9.9"],
}
TEXTS = (b"a", b"nested", b"b")
WAYS = (1, 2, 3, 4)


class Answerer(DatagramProtocol):
    """Answers each datagram in every way there is, and keeps whose they were."""

    noisy = False
    transport: Any

    def __init__(self) -> None:
        self.senders: list[Any] = []

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        self.senders.append(addr)
        self.transport.write(datagram + b" 1", addr)
        self.transport.write(datagram + b" 2", addr=addr)
        self.transport.write(datagram + b" 3", addr[:1] + addr[1:])
        self.transport.write(datagram + b" 4", addr)
        if datagram == b"nested":
            self.transport.doRead()


@pytest.fixture
def answerer() -> Answerer:
    return Answerer()


@pytest.fixture(params=BOUND)
def asked(request: pytest.FixtureRequest) -> list[str]:
    return BOUND[request.param]


@pytest.fixture(params=["compiled", "python"])
def port(request: pytest.FixtureRequest, asked: list[str], answerer: Answerer) -> Iterator[Any]:
    interface = next(name for name, addresses in BOUND.items() if addresses is asked)
    with socket.socket(_family(interface), socket.SOCK_DGRAM) as bound:
        if interface == "::":
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        bound.bind((interface, 0))
        bound.setblocking(False)
        reactor: Any = EPollReactor()
        made = adopt_datagrams(reactor, bound, answerer, pure=request.param == "python")
    yield made
    reactor.disconnectAll()


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


@pytest.fixture
def callers(port: Any, asked: list[str]) -> Iterator[list[socket.socket]]:
    """One for each address; each hears nobody but the address that it asked."""
    made = []
    for address in asked:
        one = socket.socket(_family(address), socket.SOCK_DGRAM)
        one.settimeout(10)
        one.connect((address, port.socket.getsockname()[1]))
        made.append(one)
    yield made
    for one in made:
        one.close()


def test_the_address_that_was_asked_answers(
    port: Any, answerer: Answerer, callers: list[socket.socket]
) -> None:
    for text in TEXTS:
        for one in callers:
            one.send(text)
    port.doRead()
    for one in callers:
        got = [one.recv(100) for _ in range(12)]
        wanted = [
            b"%s %d" % (text, way) for text in (b"a", b"nested", b"b") for way in (1, 2, 3, 4)
        ]
        assert sorted(got) == sorted(wanted)
    assert (port.datagrams_in, port.datagrams_out) == (3 * len(callers), 12 * len(callers))


def test_a_sender_is_told_as_the_socket_tells_it(
    port: Any, answerer: Answerer, callers: list[socket.socket]
) -> None:
    for one in callers:
        one.send(b"x")
    port.doRead()
    for told, one in zip(answerer.senders, callers, strict=True):
        own = one.getsockname()
        if port.socket.family == socket.AF_INET6 and one.family == socket.AF_INET:
            own = (f"::ffff:{own[0]}", own[1], 0, 0)
        assert told == own


def test_what_is_written_between_turns_comes_from_anywhere(
    port: Any, answerer: Answerer, callers: list[socket.socket]
) -> None:
    callers[0].send(b"x")
    port.doRead()
    for _ in range(4):
        callers[0].recv(100)
    port.write(b"later", answerer.senders[0])
    assert callers[0].recv(100) == b"later"
