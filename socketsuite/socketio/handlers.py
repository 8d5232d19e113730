"""The functions that a program has registered for events, and how they are called.

A handler may return a value, a Deferred or be a coroutine.  What it raises concerns one socket:
it is a line in the log, and few lines for each socket.  This module must not know of sessions.
"""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from socketsuite.socketio.packets import check_event_name
from socketsuite.wire.printable import printable

_log = Logger(namespace="socketsuite.socketio")
_MOST_LINES = 10
"""Lines that one socket may add to the log by what its handlers raise."""

_LONGEST_LINE = 300

Handler = Callable[..., Any]
HandlerT = TypeVar("HandlerT", bound=Handler)
_OWN = ("connect", "disconnect")
ANY = "*"
"""The event whose handler is given every event that has none of its own, by its name."""


class Handlers:
    """The handlers of one namespace, by event."""

    def __init__(self) -> None:
        self._handlers: dict[str, tuple[Handler, int, float]] = {}

    def on(self, event: str) -> Callable[[HandlerT], HandlerT]:
        """Return a decorator that makes a function the handler of *event*."""

        def register(handler: HandlerT) -> HandlerT:
            if event not in _OWN:
                check_event_name(event)
            if event in self._handlers:
                raise ValueError(f"the event {event} has a handler already")
            self._handlers[event] = (handler, *_takes(handler))
            return handler

        return register

    def bound(self, event: str, arguments: list[Any]) -> Callable[[Any], Any] | None:
        """Return what calls the handler of *event* with a socket; ``None`` where there is none.

        :raises TypeError: when it does not take so many arguments.
        """
        found = None if event == ANY else self._handlers.get(event)
        if found is None:
            found = self._handlers.get(ANY)
            if found is None:
                return None
            arguments = [event, *arguments]
        handler, least, most = found
        if not least <= len(arguments) + 1 <= most:
            raise TypeError("no handler takes so many arguments")
        return lambda socket: handler(socket, *arguments)

    def own(self, event: str, *arguments: Any) -> Callable[[Any], Any] | None:
        """Return what calls the handler of *event*, one of Socket.IO's own.

        It is given as many of the *arguments* as it takes.
        """
        found = self._handlers.get(event)
        if found is None:
            return None
        handler, _, most = found
        given = arguments if most > len(arguments) else arguments[: int(most) - 1]
        return lambda socket: handler(socket, *given)


def _takes(handler: Handler) -> tuple[int, float]:
    """Return how many positional arguments *handler* takes at least and at most."""
    least, most = 0, 0.0
    for each in inspect.signature(handler).parameters.values():
        if each.kind is each.VAR_POSITIONAL:
            most = float("inf")
        elif each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD):
            most += 1
            least += each.default is each.empty
    return least, most


def called(call: Callable[[Any], Any], socket: Any) -> Deferred[Any] | Any:
    """Call a handler for *socket*; return its value, or a Deferred where it takes its time."""
    result = call(socket)
    if isinstance(result, Coroutine):
        return Deferred.fromCoroutine(result)
    return result


class FaultLog:
    """What the handlers of one socket have raised, a line each."""

    __slots__ = ("_lines", "_where")

    def __init__(self, where: str) -> None:
        self._where = where
        self._lines = 0

    def add(self, event: str, failure: Failure) -> None:
        """Log one; that of a handler which was cancelled says nothing new."""
        if self._lines >= _MOST_LINES or failure.check(CancelledError):
            return
        self._lines += 1
        text = f"{type(failure.value).__name__}: {failure.value}"[:_LONGEST_LINE]
        last = traceback.extract_tb(failure.getTracebackObject())[-1:]
        _log.error(
            "{where}: the handler of {event} failed: {text}{place}{end}",
            where=self._where,
            event=printable(event.encode("utf-8", "replace")).decode(),
            text=printable(text.encode("utf-8", "replace")).decode(),
            place="".join(f" ({each.filename}:{each.lineno})" for each in last),
            end="; no more is logged of this socket" if self._lines == _MOST_LINES else "",
        )
