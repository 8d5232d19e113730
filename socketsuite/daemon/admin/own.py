"""What a service says of itself to an operator: figures, health checks, columns, commands.

Reads the answers with care, and bounds them.  This module must not know how they are shown.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from time import monotonic
from typing import Any

from twisted.internet.defer import Deferred

from socketsuite.contract import AdminCommand
from socketsuite.daemon.serve.hooks import SLOW_SECONDS, Hook
from socketsuite.daemon.serve.protocols import innermost
from socketsuite.observe.own_figures import OwnFigure, Read, Unreadable, read_figures, shown

MOST_CHECKS = 64
MOST_COLUMNS = 8
MOST_COMMANDS = 64
_LONGEST_NAME = 64
_LONGEST_CELL = 64
_LONGEST_TEXT = 200
_COMMAND_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")

Checks = dict[str, str | None]
Columns = dict[str, str | int | float]


class OwnHooks:
    """One service's optional methods, asked where they are.

    :param service: has ``name`` and ``factory``, which is ``None`` while it is not served.
    """

    def __init__(self, service: Any, seconds: Callable[[], float] = monotonic) -> None:
        self._service = service
        self._seconds = seconds
        name = service.name
        self._metrics = Hook(name, "metrics", Read(), lambda _: Read(), seconds)
        self._health: Hook[Checks] = Hook(name, "health", {}, _failed_health, seconds)
        self._columns: Hook[dict[int, Columns]] = Hook(
            name, "status_columns", {}, lambda _: {}, seconds
        )
        self._commands: Hook[dict[str, AdminCommand]] = Hook(
            name, "admin_commands", {}, lambda _: {}, seconds
        )

    def figures(self) -> Sequence[OwnFigure]:
        """Return what ``metrics()`` says, as far as it can be shown."""
        read = self._metrics.ask(
            self._service.factory, lambda metrics: read_figures(_at_once(metrics()))
        )
        if read.complaint is not None:
            self._metrics.complain(read.complaint)
        return read.figures

    def checks(self) -> Mapping[str, str | None]:
        """Return what is wrong by the name of each check of ``health()``; ``None`` is nothing."""
        return self._health.ask(
            self._service.factory, lambda health: _read_checks(_at_once(health()))
        )

    def columns(self, protocols: Mapping[int, Any]) -> Mapping[int, Columns]:
        """Return what ``status_columns()`` says, by the ids of connections; of some nothing.

        :param protocols: the outermost protocol of each connection, by its id.
        """
        return self._columns.ask(
            self._service.factory, lambda asked: dict(self._told(asked, protocols))
        )

    def _told(
        self, asked: Callable[..., Any], protocols: Mapping[int, Any]
    ) -> Iterator[tuple[int, Columns]]:
        until = self._seconds() + SLOW_SECONDS
        for number, outermost in protocols.items():
            protocol = innermost(outermost)
            # It is made at accept, and connected after a handshake; until then it knows nothing.
            if protocol is None or not getattr(protocol, "connected", True):
                continue
            try:
                yield number, _read_columns(_at_once(asked(protocol)))
            except Exception:  # noqa: BLE001 - a stranger's code: it costs this connection's columns
                self._columns.raised()
            if self._seconds() > until:
                return

    def commands(self) -> dict[str, AdminCommand]:
        """Return what ``admin_commands()`` offers, by name."""
        return self._commands.ask(
            self._service.factory, lambda offered: self._read_commands(_at_once(offered()))
        )

    def _read_commands(self, said: Any) -> dict[str, AdminCommand]:
        if not isinstance(said, Mapping):
            raise Unreadable(f"it returned {type(said).__qualname__}, and no mapping")
        found: dict[str, AdminCommand] = {}
        for name, command in islice(said.items(), MOST_COMMANDS):
            if not isinstance(name, str) or not _COMMAND_NAME.fullmatch(name):
                self._commands.complain(f"a command cannot be called {name!r:.100}")
            elif isinstance(command, AdminCommand):
                found[name] = command
            elif callable(command):
                found[name] = AdminCommand(command, inspect.getdoc(command) or "")
            else:
                self._commands.complain(f"{name} is neither an AdminCommand nor a function")
        if len(said) > MOST_COMMANDS:
            self._commands.complain(f"there are more than {MOST_COMMANDS}")
        return found


def _at_once(said: Any) -> Any:
    """Return *said*, unless it is no answer yet.

    :raises Unreadable: for a coroutine or a Deferred.
    """
    if inspect.iscoroutine(said):
        said.close()  # else Python complains that nobody awaited it
        raise Unreadable("it is asked at once: write def, not async def")
    if isinstance(said, Deferred):
        said.addErrback(lambda _: None)
        raise Unreadable("it is asked at once: it may not return a Deferred")
    return said


def _failed_health(error: Exception) -> Checks:
    words = str(error) if isinstance(error, Unreadable) else f"raised {type(error).__name__}"
    more = "" if isinstance(error, Unreadable) or not str(error) else f": {error}"
    return {"health": shown(words + more, _LONGEST_TEXT)}


def _read_checks(said: Any) -> Checks:
    if not isinstance(said, Mapping):
        raise Unreadable(f"it returned {type(said).__qualname__}, and no mapping")
    found: Checks = {}
    for name, verdict in islice(said.items(), MOST_CHECKS):
        found[shown(name, _LONGEST_NAME)] = _wrong(verdict)
    return found


def _wrong(verdict: Any) -> str | None:
    if verdict is None or verdict is True:
        return None
    if isinstance(verdict, str):
        return shown(verdict, _LONGEST_TEXT) or "failing"
    if verdict is False:
        return "failing"
    return shown(f"answered {verdict!r}, which is neither a truth value nor a text", _LONGEST_TEXT)


def _read_columns(said: Any) -> Columns:
    if not isinstance(said, Mapping):
        raise Unreadable(f"it returned {type(said).__qualname__}, and no mapping")
    return {
        shown(name, _LONGEST_NAME): _cell(value)
        for name, value in islice(said.items(), MOST_COLUMNS)
    }


def _cell(value: Any) -> str | int | float:
    if isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) < 1 << 63:
        return int(value)
    if isinstance(value, float) and abs(value) < float("inf"):
        return float(value)
    return shown(value, _LONGEST_CELL)
