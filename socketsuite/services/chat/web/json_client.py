"""A client of JSON over WebSocket: one object a text frame, requests in their order.

This module must not know any one request.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from socketsuite.services.chat.chat import Chat
from socketsuite.services.chat.flood import Verdict
from socketsuite.services.chat.inbox import Inbox
from socketsuite.services.chat.person import Person
from socketsuite.services.chat.refusals import Refused
from socketsuite.services.chat.web.json_frames import decode, frame, render
from socketsuite.services.chat.web.requests import label_of, perform, refused_answer
from socketsuite.services.chat.web.session import Carrier, Session, is_secure
from socketsuite.web.connection import WebSocketConnection

POLICY, GOING_AWAY = 1008, 1001
"""Close codes (RFC 6455, 7.4.1)."""


class JSONClient:
    """One WebSocket connection whose messages are requests; a ``WebSocketHandler``.

    :param clock: the reactor.
    :param settled: called once it has come in, or is gone.
    :ivar since: when it connected, by the reactor's clock.
    """

    connection: WebSocketConnection
    session: Session

    def __init__(self, chat: Chat, clock: Any, settled: Callable[[JSONClient], object]) -> None:
        self.chat = chat
        self.clock = clock
        self.since: float = clock.seconds()
        self._settled = settled
        self.inbox: Inbox[str] = Inbox(clock, chat.flood, self._perform, self._read)

    @property
    def person(self) -> Person | None:
        """Who it is, for the daemon's operator; ``None`` before ``hello``."""
        return self.session.person

    def connection_made(self, connection: WebSocketConnection) -> None:
        """Wait for ``hello``."""
        self.connection = self.inbox.carrier = connection
        carrier = Carrier(
            host=connection.client or "local",
            secure=is_secure(connection),
            render=render,
            write=connection.send_frame,
            close=self.put_out,
        )
        self.session = Session(self.chat, carrier)

    def text_received(self, text: str) -> None:
        """Take a request."""
        if self.session.ended:
            return
        verdict = self.inbox.put(text)
        if verdict is Verdict.DROPPED:
            refused = Refused("busy", "", "too fast, and dropped")
            self._answer(refused_answer(refused, _label_of(text)))
        elif verdict is Verdict.CLOSE:
            self.end("flooding", "too fast", POLICY)

    def binary_received(self, data: bytes) -> None:
        """Refuse it: JSON is text."""
        self._answer(refused_answer(Refused("bad_request", "", "a request is a text frame")))

    def connection_closed(self, code: int, reason: str) -> None:
        """Leave."""
        self._settled(self)
        self.inbox.stop()
        self.session.quit("closed")

    def drain(self) -> None:
        """Leave, say why, close."""
        self.end("the server stops", "the server stops", GOING_AWAY)

    def put_out(self, reason: str) -> None:
        """Leave, because the hub says so; *reason* is told to everybody."""
        self.end(reason, f"you are out: {reason}", POLICY)

    def end(self, reason: str, told: str, code: int) -> None:
        """Leave, and close; *reason* is told to the others, and *told* to this one."""
        if not self.session.ended:
            self.inbox.stop()
            self.session.quit(reason)
            self.connection.send_frame(frame({"type": "closed", "reason": told}))
            self.connection.close(code, told)

    def _perform(self, text: str) -> int:
        try:
            asked = decode(text)
        except ValueError:
            self._answer(refused_answer(Refused("bad_request", "", "that is not JSON")))
            return 1
        return perform(self.session, asked, self._answer, self._wait)

    def _wait(self, result: Deferred[None]) -> None:
        self.inbox.busy = True
        result.addBoth(lambda _: self.inbox.done())

    def _answer(self, answer: dict[str, Any]) -> None:
        if self.person is not None:
            self._settled(self)
        if not self.session.ended:
            self.connection.send_frame(frame(answer))

    def _read(self, reading: bool) -> None:
        if reading:
            self.connection.resume()
        elif not self.chat.flood.rate:
            self.connection.pause()
        else:
            # What has come already is judged as well: who sends too much at once is told so.
            self.clock.callLater(0, self._look_whether_to_read)

    def _look_whether_to_read(self) -> None:
        if not self.inbox.reading:
            self.connection.pause()


def _label_of(text: str) -> str | None:
    """Return what the answer to a request repeats, which is not looked at any further."""
    try:
        asked = decode(text)
        return label_of(asked) if isinstance(asked, dict) else None
    except (ValueError, Refused):
        return None
