"""What a service's object may be asked for beyond a factory, wherever a wrapper has put it.

Asks with care: what a stranger's method does wrong costs what it would have told, and one line of
the log.  This module must not know what is done with an answer.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any, Generic, TypeVar

from twisted.logger import Logger

_log = Logger(namespace="socketsuite")
_MOST_LAYERS = 16
SLOW_SECONDS = 0.25
"""A method that takes longer is asked no more than a hundredth of the time."""

_REST = 100.0
_Answer = TypeVar("_Answer")


def hook_of(factory: Any, name: str) -> Callable[..., Any] | None:
    """Return the method *name* of *factory*, or of what it wraps; ``None`` where there is none.

    Looks through ``wrappedFactory``, as Twisted's wrapping factories call what they wrap, the
    outermost first, at most 16 deep.
    """
    layer = factory
    for _ in range(_MOST_LAYERS):
        if layer is None:
            return None
        found = getattr(layer, name, None)
        if callable(found):
            return found  # type: ignore[no-any-return]
        layer = getattr(layer, "wrappedFactory", None)
    return None


class Hook(Generic[_Answer]):
    """One such method of one service, asked again and again.

    What it does wrong is logged once for each kind of wrong, however often it is asked.  One that
    takes more than :data:`SLOW_SECONDS` is not asked for a hundred times as long; its last answer
    stands meanwhile.

    :param service: the service's name, for the log.
    :param absent: what stands for the answer of a service that has no such method.
    :param failed: makes of an exception what stands for the answer.
    """

    def __init__(
        self,
        service: str,
        name: str,
        absent: _Answer,
        failed: Callable[[Exception], _Answer],
        seconds: Callable[[], float] = monotonic,
    ) -> None:
        self._service = service
        self._name = name
        self._last = self._absent = absent
        self._failed = failed
        self._seconds = seconds
        self._rests_until = float("-inf")
        self._told: set[str] = set()

    def ask(self, factory: Any, use: Callable[[Callable[..., Any]], _Answer]) -> _Answer:
        """Return what *use* makes of the method, or what stands for that.

        :param use: calls the method, and reads what it returns; may raise.
        """
        began = self._seconds()
        if began < self._rests_until:
            return self._last
        try:
            method = hook_of(factory, self._name)
            self._last = self._absent if method is None else use(method)
        except Exception as error:  # noqa: BLE001 - a stranger's code: it costs its answer alone
            self.raised()
            self._last = self._failed(error)
        took = self._seconds() - began
        if took > SLOW_SECONDS:
            self._rests_until = began + took + _REST * took
            self.complain(
                f"took {took:.2f} s, for which the service stood still; from now on it is asked"
                " less often",
                kind="slow",
            )
        return self._last

    def raised(self) -> None:
        """Log the exception at hand, the first time."""
        self._once("raised", self._failure)

    def complain(self, text: str, kind: str = "answer") -> None:
        """Log what is wrong with an answer, the first time."""
        self._once(kind, lambda: self._warn(text))

    def _once(self, kind: str, tell: Callable[[], None]) -> None:
        if kind not in self._told:
            self._told.add(kind)
            tell()

    def _failure(self) -> None:
        _log.failure("{service}: {hook}() raised", service=self._service, hook=self._name)

    def _warn(self, what: str) -> None:
        text = "{service}: {hook}(): {what}"
        _log.error(text, service=self._service, hook=self._name, what=what)
