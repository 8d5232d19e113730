"""The services' own commands, run for an operator: found, called, waited for, bounded.

This module must not know how a request came, nor how its answer travels.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from socketsuite.contract import AdminCommand, CommandError
from socketsuite.observe.own_figures import shown

TIMEOUT = 30.0
"""How many seconds a command has."""

MOST_ARGUMENTS = 64
LONGEST_ANSWER = 1 << 20
_LONGEST_HELP = 200
_LONGEST_ERROR = 300

_log = Logger(namespace="socketsuite")

Answer = dict[str, Any]
Tell = Callable[[Answer], None]
# Of what was said wrongly, which another way of saying it would cure.
_USAGE = "usage"


class Commands:
    """What the operator may have the services do.

    :param services: each has ``name``, and ``hooks`` with their ``commands()``.
    """

    def __init__(self, services: Sequence[Any], reactor: Any) -> None:
        self._services = services
        self._reactor = reactor

    def listed(self) -> list[dict[str, str]]:
        """Return every command: ``service``, ``name``, ``usage`` and ``help``."""
        return [
            {
                "service": one.name,
                "name": name,
                "usage": usage_of(command),
                "help": shown(next(iter(command.help.strip().splitlines()), ""), _LONGEST_HELP),
            }
            for one in self._services
            for name, command in one.hooks.commands().items()
        ]

    def run(self, request: dict[str, Any], tell: Tell) -> Run | None:
        """Run what *request* names; *tell* is called once, with its answer, now or later.

        :return: what is under way, to be cancelled; ``None`` when it is over.
        """
        service, name = request.get("service"), request.get("name")
        arguments = request.get("arguments", [])
        if not _are_words(arguments):
            tell(_wrong(f"arguments must be a list of at most {MOST_ARGUMENTS} strings"))
            return None
        found = [
            (one.name, command)
            for one in self._services
            if service in (None, one.name)
            for known, command in one.hooks.commands().items()
            if known == name
        ]
        if len(found) != 1:
            of = f" of {service!r:.100}" if service is not None else ""
            why = "several services have" if found else "there is no"
            tell(_wrong(f"{why} command {name!r:.100}{of}"))
            return None
        ((owner, command),) = found
        if not takes(command, arguments):
            tell(_wrong(f"usage: {name} {usage_of(command)}".rstrip()))
            return None
        _log.info("{service} runs {name}, as the admin socket was told", service=owner, name=name)
        run = Run(owner, str(name), tell)
        run.begin(command, arguments, self._reactor)
        return None if run.over else run


class Run:
    """One command under way; tells its answer once, unless it is cancelled before.

    :ivar over: whether nothing more will be told.
    """

    def __init__(self, service: str, name: str, tell: Tell) -> None:
        self.over = False
        self._service = service
        self._name = name
        self._tell = tell
        self._result: Deferred[Any] | None = None
        self._late: Any = None

    def begin(self, command: AdminCommand, arguments: Sequence[str], reactor: Any) -> None:
        """Call it."""
        try:
            result = command.function(*arguments)
            if inspect.iscoroutine(result):
                result = Deferred.fromCoroutine(result)
        except Exception:  # noqa: BLE001 - a stranger's code: it costs its own answer alone
            self._failed(Failure())
            return
        if not isinstance(result, Deferred):
            self._done(result)
            return
        self._result = result
        self._late = reactor.callLater(TIMEOUT, self._give_up)
        result.addCallbacks(self._done, self._failed)

    def cancel(self) -> None:
        """Have it stop; nothing is told any more."""
        self._end()
        if self._result is not None:
            self._result.cancel()

    def _give_up(self) -> None:
        self._finish({"error": f"{self._name} was cancelled after {TIMEOUT:g} s"})
        if self._result is not None:
            self._result.cancel()

    def _done(self, result: Any) -> None:
        try:
            size = len(json.dumps(result, allow_nan=False))
        except (TypeError, ValueError, RecursionError):
            kind = type(result).__qualname__
            self._finish({"error": f"{self._name} returned what JSON has not ({kind:.100})"})
            return
        if size > LONGEST_ANSWER:
            error = f"{self._name} returned more than {LONGEST_ANSWER} bytes"
            self._finish({"error": error})
        else:
            self._finish({"result": result})

    def _failed(self, failure: Failure) -> None:
        if self.over and failure.check(CancelledError):
            return  # by ourselves, which is no news
        if failure.check(CommandError):
            words = " ".join(str(failure.value).split())
            self._finish({"error": shown(words, _LONGEST_ERROR)})
            return
        _log.failure("{service}: {name} raised", failure, service=self._service, name=self._name)
        kind = type(failure.value).__name__
        words = f"{self._name} raised {kind}: {failure.value}".rstrip(": ")
        self._finish({"error": shown(" ".join(words.split()), _LONGEST_ERROR)})

    def _finish(self, answer: Answer) -> None:
        if not self.over:
            self._end()
            self._tell(answer)

    def _end(self) -> None:
        self.over = True
        if self._late is not None and self._late.active():
            self._late.cancel()


def _are_words(arguments: Any) -> bool:
    return (
        isinstance(arguments, list)
        and len(arguments) <= MOST_ARGUMENTS
        and all(isinstance(word, str) for word in arguments)
    )


def _wrong(text: str) -> Answer:
    return {"error": text, "cause": _USAGE}


def takes(command: AdminCommand, arguments: Sequence[str]) -> bool:
    """Whether *command* can be called with so many words."""
    try:
        inspect.signature(command.function).bind(*arguments)
    except TypeError:
        return False
    except ValueError:  # a callable written in C may not tell
        return True
    return True


def usage_of(command: AdminCommand) -> str:
    """Return the words that *command* takes, as it says, or by its parameters' names."""
    if command.usage:
        return shown(command.usage, _LONGEST_HELP)
    try:
        parameters = inspect.signature(command.function).parameters.values()
    except (TypeError, ValueError):
        return "[WORD]…"
    words = []
    for one in parameters:
        name = one.name.upper()
        if one.kind is one.VAR_POSITIONAL:
            words.append(f"[{name}]…")
        elif one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD):
            words.append(name if one.default is one.empty else f"[{name}]")
    return shown(" ".join(words), _LONGEST_HELP)
