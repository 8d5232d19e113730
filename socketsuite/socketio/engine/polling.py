"""The transport of Engine.IO that is made of HTTP requests: a poll that hangs, and posts.

Sends what has gathered in one turn by one answer.  It must not know how sessions are opened, nor
what a request has to be like to reach it.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from twisted.web.server import NOT_DONE_YET, Request

from socketsuite.socketio.engine.answers import (
    Refusal,
    RequestRefusedError,
    answer_packets,
    answer_refusal,
)
from socketsuite.socketio.engine.packets import (
    Encoded,
    PacketError,
    decode_payload,
    join_payloads,
)
from socketsuite.socketio.engine.session import NOOP, Session
from socketsuite.socketio.options import EngineOptions
from socketsuite.socketio.reasons import DisconnectReason


class PollingTransport:
    """What waits for one client's next poll, and the poll that waits for it."""

    name = "polling"

    __slots__ = ("_flush_call", "_options", "_poll", "_queue", "_reactor", "_session", "_waiting")

    def __init__(self, reactor: Any, options: EngineOptions, session: Session) -> None:
        self._reactor, self._options, self._session = reactor, options, session
        self._queue: deque[Encoded] = deque()
        self._waiting = 0
        self._poll: Request | None = None
        self._flush_call: Any = None

    # ── from the session ────────────────────────────────────────────────────────────

    def send(self, encoded: Encoded) -> None:
        """Keep packets for the poll, which is answered when this turn is over."""
        self._queue.append(encoded)
        self._waiting += len(encoded.payload)
        options = self._options
        if self._waiting > options.max_queue_bytes or len(self._queue) > options.max_queue_packets:
            self._drop()
            self._session.fail(DisconnectReason.LIMIT_EXCEEDED, "more waits than its polls fetch")
        elif self._poll is not None and self._flush_call is None:
            self._flush_call = self._reactor.callLater(0, self._flush)

    def close(self, farewell: Encoded, lingers: bool) -> bool:
        """End the poll that hangs; without one, keep what waits only if it *lingers*.

        What waits and the end come by two polls: the npm client drops messages that come with it.
        """
        if self._poll is None and not lingers:
            self._drop()
            return True
        if self._poll is not None and self._queue and lingers:
            self._flush()
        self._queue.append(farewell)
        if self._poll is not None:
            self._flush()
        return not self._queue

    def take_queue(self) -> list[Encoded]:
        """Hand over what waits, to be sent by another transport; a poll that hangs is over."""
        waiting = list(self._queue)
        self._drop()
        self.end_poll()
        return waiting

    def end_poll(self) -> None:
        """Answer a poll that hangs, with what there is or with nothing."""
        if self._poll is not None:
            if not self._queue:
                self._queue.append(NOOP)
            self._flush()

    # ── from requests ───────────────────────────────────────────────────────────────

    def poll(self, request: Request) -> object:
        """Answer a poll, now or when there is something to say."""
        if self._poll is not None:
            # The protocol: it ends the session.  The one that hangs is told so.
            self._session.fail(DisconnectReason.TRANSPORT_ERROR, "a second poll beside the first")
            return answer_refusal(request, RequestRefusedError(Refusal.BAD_REQUEST))
        self._poll = request
        if self._queue:
            self._flush()
        elif self._session.upgrading:
            self.end_poll()
        else:
            request.notifyFinish().addErrback(self._poll_lost, request)
            waiting: Any = request
            waiting.abandoned = lambda: self._abandoned(request)
        return NOT_DONE_YET

    def post(self, request: Request, body: bytes) -> object:
        """Take the packets of a request's body."""
        try:
            packets = decode_payload(body, self._options.max_payload_packets)
        except PacketError as error:
            self._session.fail(DisconnectReason.PARSE_ERROR, str(error))
            return answer_refusal(request, RequestRefusedError(Refusal.BAD_REQUEST))
        self._session.packets_received(packets)
        request.setHeader("Content-Type", "text/html")  # as the JavaScript server has it
        return b"ok"

    def _poll_lost(self, failure: Any, request: Request) -> None:
        if self._poll is request:
            self._poll = None
            self._session.close(DisconnectReason.TRANSPORT_ERROR)

    def _abandoned(self, request: Request) -> None:
        """End the session: the client has closed its half, and will not poll again."""
        if self._poll is request:
            self.end_poll()
            self._session.close(DisconnectReason.TRANSPORT_ERROR)

    # ── the answer ──────────────────────────────────────────────────────────────────

    def _flush(self) -> None:
        if self._flush_call is not None and self._flush_call.active():
            self._flush_call.cancel()
        self._flush_call = None
        request, self._poll = self._poll, None
        if request is not None:
            body = join_payloads(self._queue)
            self._drop()
            answer_packets(request, body)

    def _drop(self) -> None:
        self._queue.clear()
        self._waiting = 0
