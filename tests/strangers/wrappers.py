"""twisted.protocols.policies: the factories that wrap another one."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Generator
from functools import partial

from socketsuite.testing import read_all, read_exactly
from tests.strangers.subject import LISTENERS, Fault, Listener, Stranger

SIZE = 12 << 20
ECHO = f"""
from twisted.internet.protocol import Factory, Protocol
from twisted.protocols import policies


class Echo(Protocol):
    def dataReceived(self, data):
        self.transport.write(b"l" * {SIZE} if data == b"large" else data)


echo = Factory.forProtocol(Echo)

"""
LIMITED = """
class factory(policies.LimitTotalConnectionsFactory):
    protocol = Echo
    connectionLimit = 2
"""


def made(expression: str) -> str:
    return f"{ECHO}\ndef factory():\n    return {expression}\n"


def answers(one: socket.socket, text: bytes = b"hello") -> None:
    one.sendall(text)
    assert read_exactly(one, len(text)) == text


def talk(where: Listener) -> None:
    with where.dial() as one, where.dial() as other:
        answers(one)
        answers(other, b"w" * 50_000)
        one.sendall(b"large")
        assert read_exactly(one, SIZE).count(b"l") == SIZE


def transfer(where: Listener) -> Generator[None]:
    with where.dial() as one:
        one.sendall(b"large")
        got = len(one.recv(1000))
        yield
        while got < SIZE:
            more = one.recv(1 << 16)
            assert more
            got += len(more)


def conversation(where: Listener) -> Generator[None]:
    with where.dial() as one:
        answers(one)
        yield
        answers(one, b"still here")


def throttled_talk(where: Listener) -> None:
    """More than a second's share comes back all the same, later."""
    with where.dial() as one:
        for _ in range(3):
            answers(one, b"t" * 50_000)


def short_talk(where: Listener) -> None:
    with where.dial() as one:
        answers(one)


def limited_talk(where: Listener) -> None:
    with where.dial() as one, where.dial() as other:
        answers(one)
        answers(other)
        # Over TLS and behind a proxy it is one too many only when something has been said.
        with contextlib.suppress(ConnectionError, ssl.SSLError), where.dial() as third:
            assert third.recv(1) == b""
        answers(one)


def timed_out_talk(where: Listener) -> None:
    with where.dial() as one:
        answers(one)
        assert read_all(one) == b""


def logged_talk(where: Listener) -> None:
    before = logs(where)
    talk(where)
    kept = "".join(logs(where)).removeprefix("".join(before))
    assert "hello" in kept


def logs(where: Listener) -> list[str]:
    return [one.read_text() for one in sorted(where.folder.glob("traffic-*"))]


def wrapper(name: str, factory: str, source: str, **more: object) -> Stranger:
    words: dict[str, object] = {
        "clients": "a socket",
        "talk": talk,
        "transfer": transfer,
        "drained": "a large answer",
        **more,
    }
    return partial(Stranger, name, f"`policies.{factory}`", source=source)(**words)  # type: ignore[arg-type]


WRAPPERS = (
    wrapper("wrapped", "WrappingFactory", made("policies.WrappingFactory(echo)")),
    wrapper(
        "throttled",
        "ThrottlingFactory",
        made("policies.ThrottlingFactory(echo, readLimit=100_000, writeLimit=100_000)"),
        talk=throttled_talk,
        transfer=conversation,
        drained="a conversation",
    ),
    wrapper(
        "limited",
        "LimitTotalConnectionsFactory",
        ECHO + LIMITED,
        talk=limited_talk,
        reasons=("closed_by_peer", "closed_by_service", "declined"),
        note="who is one too many is refused as `declined`",
    ),
    wrapper(
        "timed",
        "TimeoutFactory",
        made("policies.TimeoutFactory(echo, timeoutPeriod=0.5)"),
        talk=timed_out_talk,
        transfer=None,
        note="its own time-out is logged as `closed_by_service`",
    ),
    wrapper(
        "spewing",
        "SpewingFactory",
        made("policies.SpewingFactory(echo)"),
        talk=short_talk,
        transfer=conversation,
        drained="a conversation",
        note="it logs every byte",
    ),
    wrapper(
        "traffic",
        "TrafficLoggingFactory",
        made('policies.TrafficLoggingFactory(echo, "traffic")'),
        talk=logged_talk,
    ),
    wrapper(
        "by-peer",
        "LimitConnectionsByPeer",
        made("policies.LimitConnectionsByPeer(echo)"),
        transfer=None,
        faults={
            ("*", kind): Fault(
                "raises TypeError at every connection, on any transport;"
                " use `--max-connections-per-host`",
                "TypeError",
            )
            for kind in LISTENERS
        },
    ),
)
