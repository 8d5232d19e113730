"""Every request, by its type, and how one is answered.

A request is an object with a ``type``, perhaps a ``request`` (a text that its answer repeats), and
its own fields.  The answer's type is ``done`` or ``refused``.  This module must not know how
objects are carried.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from socketsuite.services.chat.refusals import Refused
from socketsuite.services.chat.web import (
    requests_moderation,
    requests_rooms,
    requests_self,
    requests_talk,
)
from socketsuite.services.chat.web.fields import Field, checked
from socketsuite.services.chat.web.request import Request, Result
from socketsuite.services.chat.web.session import MOST_GUESSES, Session

_log = Logger(namespace="socketsuite-chat")

REQUESTS: dict[str, Request] = {
    **requests_self.REQUESTS,
    **requests_talk.REQUESTS,
    **requests_rooms.REQUESTS,
    **requests_moderation.REQUESTS,
}
"""All there are."""

LABEL = Field("what the answer repeats", most=64)
"""The field ``request`` that every request may have."""

_COST_OF_WRONG = 2

Answer = Callable[[dict[str, Any]], object]


def perform(
    session: Session, asked: Any, answer: Answer, wait: Callable[[Deferred[None]], object]
) -> int:
    """Do what *asked*, a decoded JSON value, says; return its cost.

    :param answer: is given the answer, once.
    :param wait: is given what the next request has to wait for.
    """
    label = None
    try:
        if not isinstance(asked, dict):
            raise Refused("bad_request", "", "a request is an object")
        label = label_of(asked)
        request = _request(asked.get("type"), session)
        fields = checked(asked, request.fields, ("type", "request"))
        result = request.run(session, fields)
    except Refused as refused:
        answer(refused_answer(refused, label))
        if session.guesses >= MOST_GUESSES:
            session.carrier.close(refused.text)
        return _COST_OF_WRONG
    if isinstance(result, Deferred):
        done = result.addCallbacks(
            lambda found: answer(_done(found, label)),
            lambda failure: answer(_failed(failure, session, label)),
        )
        wait(done.addCallback(lambda _: None))
    else:
        answer(_done(result, label))
    return request.cost


def label_of(asked: dict[str, Any]) -> str | None:
    """Return what the answer to a request repeats.

    :raises Refused: when that is no text, or too long.
    """
    label = asked.get("request")
    return None if label is None else str(LABEL.check("request", label))


def _request(name: Any, session: Session) -> Request:
    if not isinstance(name, str) or name not in REQUESTS:
        said = name[:20] if isinstance(name, str) else ""
        near = difflib.get_close_matches(said, REQUESTS, 1, 0.5)
        cure = f"did you mean {near[0]}?" if near else f"there are {', '.join(REQUESTS)}"
        raise Refused("bad_request", "type", f"is no request: {cure}")
    request = REQUESTS[name]
    if session.person is None and not request.early:
        raise Refused("bad_request", "type", "the first request is hello")
    return request


def _done(result: Result | None, label: str | None) -> dict[str, Any]:
    return _labelled({"type": "done"}, label) | (result or {})


def refused_answer(refused: Refused, label: str | None = None) -> dict[str, Any]:
    """Return how a refusal is answered."""
    return _labelled(
        {
            "type": "refused",
            "code": refused.code,
            "about": refused.about,
            "text": refused.text,
        },
        label,
    )


def _failed(failure: Failure, session: Session, label: str | None) -> dict[str, Any]:
    if isinstance(failure.value, Refused):
        return refused_answer(failure.value, label)
    _log.failure("a request from {host} failed", failure, host=session.host)
    return refused_answer(
        Refused("busy", "", "that did not work; the server's log says why"), label
    )


def _labelled(answer: dict[str, Any], label: str | None) -> dict[str, Any]:
    if label is not None:
        answer["request"] = label
    return answer
