"""The chat's site in memory: HTTP, WebSocket with each of its subprotocols, and Socket.IO.

As in :mod:`tests.fuzz.stage`, the first byte of an input says in which of several situations it
comes, and a few other people are there, who look at what they hear.
"""

from __future__ import annotations

import functools
import json
import re
from typing import Any

from socketsuite.services.chat.web import factory
from socketsuite.services.chat.web.factory import WebFactory
from socketsuite.services.chat.web.page_files import page_files
from socketsuite.services.chat.web.site import IRC_BINARY, IRC_TEXT, JSON, LINES
from tests.fuzz.screens import check_irc, check_lines
from tests.fuzz.stage import Hostile, Stage
from tests.fuzz.words import LATER, OTHER
from tests.support.no_daemon import NoDaemon
from tests.support.websocket_frames import TEXT, frame, opening, take_frame

# The files of the page are read once.
factory.page_files = functools.cache(page_files)  # type: ignore[attr-defined]
_NO_MASK = bytes(4)
"""A mask by which a payload stays readable, and so can be changed by words."""

SUBPROTOCOLS = [JSON, LINES, IRC_TEXT, IRC_BINARY]
DEFLATED, ENGINE = 4, 8
"""The situations of a WebSocket: bits beside the number of the subprotocol."""

_HEAD = re.compile(rb"HTTP/1\.[01] (\d\d\d) [^\r\n]*\r\n(?:[A-Za-z-]+: [^\r\n]*\r\n)*\r\n")
_SID = re.compile(rb'"sid":"([\w-]+)"')
_MOST_PARTS = 100
_ENGINE_PATH = "/socket.io/?EIO=4&transport={}"


class Site(Stage):
    """A stage with the web frontend."""

    def __init__(self, situation: int) -> None:
        super().__init__(situation)
        # What is no WebSocket's is no person's: only the bits of a person are the stage's own.
        daemon: Any = NoDaemon(proxies=True)
        self.web = WebFactory(self.chat, self.clock, daemon)
        self.web.startFactory()
        self.calls = len(self.clock.getDelayedCalls())

    def enter(self) -> Hostile:
        return Hostile(self.web, lambda wire: None)

    def leave(self, *there: Hostile) -> None:
        """Have everybody go, and see that nothing is left of them."""
        self.check_hub()
        self.check_heard()
        for number, one in enumerate(there):
            if not one.over and (self.situation + number) % 3 == 0:
                one.stream.protocol.readConnectionLost()
            one.leave()
        for _ in range(12):
            self.clock.advance(15.0)
        self.check_heard()
        self.check_gone()
        assert not self.web.site.clients
        assert self.web.site.socketio.server.sessions == 0
        assert not self.web.site.socketio.waiting
        self.check_trouble()


def heads(wire: bytes) -> list[int]:
    """Return the statuses of answers; nothing but answers may stand between them."""
    assert not wire or wire.startswith(b"HTTP/1."), wire
    assert b"Traceback" not in wire
    return [int(found[1]) for found in _HEAD.finditer(wire)]


def http(data: bytes) -> None:
    """Requests of any kind to the chat's own site."""
    site = Site(data[0] if data else 0)
    one, wire = site.enter(), bytearray()
    one.check = wire.extend
    for part in data[1:].split(LATER):
        one.send(part)
        site.clock.advance(7.0)
    one.look()
    assert bool(heads(bytes(wire))) == bool(wire)
    site.leave(one)


def websocket(data: bytes) -> None:
    """Frames on an open WebSocket, of a subprotocol that the first byte chooses."""
    situation = data[0] if data else 0
    site = Site(situation & ~(DEFLATED | ENGINE | 3) & 0xFF)
    one, wire = _opened(site, situation)
    for part in data[1:].split(LATER):
        one.send(part)
        site.clock.advance(7.0)
    one.look()
    _check_frames(bytes(wire), None if situation & ENGINE else SUBPROTOCOLS[situation & 3])
    site.leave(one)


def websocket_json(data: bytes) -> None:
    """Text frames, each a line of the input: requests in JSON."""
    site = Site(0)
    one, wire = _opened(site, 0)
    for line in data.split(b"\n"):
        one.send(frame(TEXT, line.replace(LATER, b""), mask=_NO_MASK))
        if LATER in line:
            site.clock.advance(7.0)
    one.look()
    _check_frames(bytes(wire), JSON)
    site.leave(one)


def _opened(site: Site, situation: int) -> tuple[Hostile, bytearray]:
    one, wire = site.enter(), bytearray()
    one.check = wire.extend
    more = ["Sec-WebSocket-Extensions: permessage-deflate"] if situation & DEFLATED else []
    if situation & ENGINE:
        request = opening(_ENGINE_PATH.format("websocket"), *more)
    else:
        chosen = SUBPROTOCOLS[situation & 3]
        request = opening("/ws", f"Sec-WebSocket-Protocol: {chosen}", *more)
    one.stream.protocol.dataReceived(request)
    head, _, rest = one.stream.taken().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 "), head
    wire += rest
    return one, wire


def _check_frames(wire: bytes, subprotocol: str | None) -> None:
    """See that all of *wire* is whole frames, and a message what its subprotocol has."""
    while wire:
        taken = take_frame(wire)
        assert taken is not None, wire[:100]
        got, wire = taken
        assert got.opcode in (1, 2, 8, 9, 10)
        if got.opcode not in (1, 2):
            assert len(got.payload) <= 125
        elif got.compressed or subprotocol is None:
            pass
        elif subprotocol == JSON:
            assert isinstance(json.loads(got.payload)["type"], str)
        elif subprotocol == LINES:
            check_lines(got.payload + b"\n")
        else:
            check_irc(got.payload + b"\r\n")


def polling(data: bytes) -> None:
    """Payloads of a session over polling; each part of the input is posted, and then polled."""
    site = Site(0)
    opener, wire = site.enter(), bytearray()
    opener.check = wire.extend
    opener.send(_asked("GET", ""))
    found = _SID.search(wire)
    assert found is not None, wire
    session = f"&sid={found[1].decode()}"
    poller, poster = site.enter(), site.enter()
    heard, answered = bytearray(), bytearray()
    poller.check, poster.check = heard.extend, answered.extend
    poster.send(_asked("POST", session, b"40"))
    for part in re.split(b"([%b%b])" % (OTHER, LATER), data, maxsplit=_MOST_PARTS):
        if part == LATER:
            site.clock.advance(7.0)
        elif part == OTHER:
            poller.send(_asked("GET", session))
            site.clock.advance(0)
        else:
            poster.send(_asked("POST", session, part))
    for one in (opener, poller, poster):
        one.look()
    for said in (wire, heard, answered):
        assert set(heads(bytes(said))) <= {200, 400, 413, 503}
    site.leave(opener, poller, poster)


def _asked(method: str, session: str, body: bytes = b"") -> bytes:
    path = _ENGINE_PATH.format("polling") + session
    length = f"Content-Length: {len(body)}\r\n" if method == "POST" else ""
    return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{length}\r\n".encode() + body
