"""magic-wormhole's two servers: the mailbox (WebSocket), and the transit relay."""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Generator
from typing import Any

from socketsuite.testing import read_line
from tests.strangers.autobahn_echo import BY_CLASS
from tests.strangers.subject import SECONDS, Fault, Listener, Stranger

MAILBOX_SOURCE = """
from wormhole_mailbox_server.database import create_or_upgrade_channel_db
from wormhole_mailbox_server.server import make_server
from wormhole_mailbox_server.web import make_web_server


def factory():
    return make_web_server(make_server(create_or_upgrade_channel_db(":memory:")), False)
"""
# As its own twistd plugin puts it together.
RELAY_SOURCE = """
from twisted.internet.protocol import ServerFactory
from wormhole_transit_relay.transit_server import Transit, TransitConnection
from wormhole_transit_relay.usage import create_usage_tracker


def factory(reactor):
    made = ServerFactory()
    made.protocol = TransitConnection
    made.log_requests = False
    usage = create_usage_tracker(blur_usage=None, log_file=None, usage_db=None)
    made.transit = Transit(usage, reactor.seconds)
    return made
"""


class _Client:
    """One side of a mailbox."""

    def __init__(self, where: Listener, stack: contextlib.ExitStack, side: str) -> None:
        from websockets.sync.client import connect

        options: Any = {"sock": where.dial(), "close_timeout": 1}
        self.socket = stack.enter_context(connect("ws://127.0.0.1/v1", **options))
        self.until("welcome")
        self.say("bind", appid="tests", side=side)

    def say(self, kind: str, **more: str) -> None:
        self.socket.send(json.dumps({"type": kind, "id": secrets.token_hex(2), **more}))

    def until(self, kind: str) -> dict[str, Any]:
        while True:
            told: dict[str, Any] = json.loads(self.socket.recv(SECONDS))
            assert told["type"] != "error", told
            if told["type"] == kind:
                return told


def met(where: Listener, stack: contextlib.ExitStack) -> tuple[_Client, _Client]:
    """Return two clients who have found each other."""
    first, second = (_Client(where, stack, side) for side in ("first", "second"))
    first.say("allocate")
    plate = first.until("allocated")["nameplate"]
    for client in (first, second):
        client.say("claim", nameplate=plate)
        client.say("open", mailbox=client.until("claimed")["mailbox"])
    return first, second


def heard(client: _Client, side: str) -> str:
    while (told := client.until("message"))["side"] != side:
        pass
    return str(told["body"])


def mailbox_talk(where: Listener) -> None:
    for _ in mailbox_transfer(where):
        pass


def mailbox_transfer(where: Listener) -> Generator[None]:
    with contextlib.ExitStack() as stack:
        first, second = met(where, stack)
        first.say("add", phase="1", body="6f6e65")
        assert heard(second, "first") == "6f6e65"
        yield
        second.say("add", phase="2", body="74776f" * 10_000)
        assert heard(first, "second") == "74776f" * 10_000


def relay_talk(where: Listener) -> None:
    for _ in relayed(where, b"small"):
        pass
    for _ in relay_transfer(where):
        pass


def relay_transfer(where: Listener) -> Generator[None]:
    large = (where.folder / "content" / "large.bin").read_bytes()
    yield from relayed(where, large[:3_000_000])


def relayed(where: Listener, data: bytes) -> Generator[None]:
    """Have *data* relayed, half of it before the yield."""
    token = secrets.token_hex(32)
    with where.dial() as sender, where.dial() as receiver:
        for side, one in enumerate((sender, receiver)):
            one.sendall(f"please relay {token} for side {side:016x}\n".encode())
        assert read_line(sender) == read_line(receiver) == b"ok\n"
        half = len(data) // 2
        got = b""
        for part in (data[:half], data[half:]):
            if got or not part:
                yield
            for start in range(0, len(part), 50_000):
                piece = part[start : start + 50_000]
                sender.sendall(piece)
                wanted = len(got) + len(piece)
                while len(got) < wanted:
                    more = receiver.recv(1 << 16)
                    assert more
                    got += more
        assert got == data


MAILBOX = Stranger(
    "mailbox",
    "magic-wormhole-mailbox-server: `make_web_server(…)`",
    "websockets; the `wormhole` command",
    MAILBOX_SOURCE,
    mailbox_talk,
    mailbox_transfer,
    "a conversation",
    faults={
        ("burst", "tls"): BY_CLASS,
        ("*", "unix"): Fault("it asks for the peer's port", "invalid literal for int.*'unix'"),
    },
    packages=("wormhole_mailbox_server", "websockets"),
)
RELAY = Stranger(
    "relay",
    "magic-wormhole-transit-relay: `TransitConnection`",
    "a socket on each side; the `wormhole` command",
    RELAY_SOURCE,
    relay_talk,
    relay_transfer,
    "a file between two clients",
    packages=("wormhole_transit_relay",),
)
