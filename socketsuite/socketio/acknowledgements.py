"""Acknowledgements that a socket waits for, each with its time-out.

It must not know how an event is sent.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail


class AckTimeoutError(Exception):
    """No acknowledgement came in time, or none can come any more; the text says which."""


class Acknowledgements:
    """Those of one socket; of more than *most* at a time the next one fails at once."""

    __slots__ = ("_most", "_next", "_reactor", "_waiting")

    def __init__(self, reactor: Any, most: int) -> None:
        self._reactor, self._most = reactor, most
        self._waiting: dict[int, tuple[Deferred[Any], Any]] = {}
        self._next = 0

    def none(self, why: str) -> Deferred[Any]:
        """Return what fails at once."""
        return fail(AckTimeoutError(why))

    def expect(self, timeout: float) -> tuple[int | None, Deferred[Any]]:
        """Return an id to send, if one more may be waited for, and what fires with the answer."""
        if len(self._waiting) >= self._most:
            return None, self.none("too many acknowledgements are waited for")
        ack_id, self._next = self._next, self._next + 1
        answer: Deferred[Any] = Deferred(lambda _: self._forget(ack_id))
        call = self._reactor.callLater(timeout, self._late, ack_id, timeout)
        self._waiting[ack_id] = (answer, call)
        return ack_id, answer

    def answered(self, ack_id: int | None, arguments: list[Any]) -> None:
        """Take an answer; one that nobody waits for any more is dropped."""
        answer = self._take(ack_id)
        if answer is not None:
            answer.callback(arguments if len(arguments) > 1 else next(iter(arguments), None))

    def close(self) -> None:
        """Fail all that is waited for."""
        for ack_id in list(self._waiting):
            self._fail(ack_id, "the client has disconnected")

    def _late(self, ack_id: int, timeout: float) -> None:
        self._fail(ack_id, f"no acknowledgement in {timeout:g} seconds")

    def _fail(self, ack_id: int, why: str) -> None:
        answer = self._take(ack_id)
        if answer is not None:
            answer.errback(AckTimeoutError(why))

    def _forget(self, ack_id: int) -> None:
        self._take(ack_id)

    def _take(self, ack_id: int | None) -> Deferred[Any] | None:
        answer, call = self._waiting.pop(-1 if ack_id is None else ack_id, (None, None))
        if call is not None and call.active():
            call.cancel()
        return answer


def answer_list(result: Any) -> list[Any]:
    """Return what a handler's *result* is as an acknowledgement's arguments."""
    if result is None:
        return []
    return list(result) if isinstance(result, tuple) else [result]
