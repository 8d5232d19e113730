"""A service's own events: objects of its dataclasses, made into events of the daemon.

Nothing in them is trusted: names are checked once for each class, values bounded and made
printable.  This module must not know how an event is written.
"""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass
from typing import Any, get_args

from twisted.logger import Logger, LogLevel

from socketsuite.observe.events import Event, Events, OwnEvent
from socketsuite.observe.own_figures import shown

_log = Logger(namespace="socketsuite")
_MOST_FIELDS = 16
_MOST_CLASSES = 256
_LONGEST_VALUE = 256
_FIELD = re.compile(r"[a-z][a-z0-9_]{0,39}")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
# Between the words of a class's name: NickChanged, HTTPAsked.
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
# What a line of JSON or an entry of the journal says besides.
_TAKEN_FIELDS = {
    *("time", "level", "message", "service", "event", "logger", "traceback", "more"),
    *("priority", "syslog_identifier"),
}
_TAKEN_NAMES = {kind.__name__.lower() for kind in get_args(Event)}
_LEVELS = {"debug", "info", "warn", "error"}


class OwnEvents:
    """What a service is given as ``emit``; see :class:`socketsuite.contract.LogEvents`."""

    def __init__(self, service: str, events: Events) -> None:
        self._service = service
        self._events = events
        # By class: the event's name and its fields, or None for one that cannot be logged.
        self._shapes: dict[type, tuple[str, tuple[str, ...]] | None] = {}

    def __call__(self, event: object, /, *, level: str = "info") -> None:
        """Tell of *event*; raises nothing."""
        try:
            shape = self._shape(type(event))
            if shape is None:
                return
            name, names = shape
            values = {each: _value(getattr(event, each)) for each in names}
            said = level if level in _LEVELS else "info"
            self._events.emit(OwnEvent(self._service, name, values, said))
        except Exception:  # noqa: BLE001 - a stranger's object: it costs its own line alone
            _log.failure(
                "{service}: an event of {kind} cannot be logged",
                service=self._service,
                kind=type(event).__qualname__,
                level=LogLevel.error,
            )

    def _shape(self, kind: type) -> tuple[str, tuple[str, ...]] | None:
        if kind not in self._shapes:
            if len(self._shapes) >= _MOST_CLASSES:
                return None  # classes made anew for each event; the first ones are told of
            try:
                self._shapes[kind] = shape_of(kind)
            except ValueError as error:
                self._shapes[kind] = None
                text = "{service}: events of {kind} are not logged: {error}"
                _log.error(text, service=self._service, kind=kind.__qualname__, error=str(error))
        return self._shapes[kind]


def shape_of(kind: type[Any]) -> tuple[str, tuple[str, ...]]:
    """Return the name of the events of a class, and of their fields.

    :raises ValueError: for one that cannot be logged, with the reason.
    """
    if not is_dataclass(kind):
        raise ValueError("it is no dataclass")
    name = _WORDS.sub("_", str(kind.__name__)).lower()
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r:.100} is no name for an event")
    if name in _TAKEN_NAMES:
        raise ValueError(f"{name!r} is an event of the daemon's; call it otherwise")
    names = tuple(field.name for field in fields(kind))
    if len(names) > _MOST_FIELDS:
        raise ValueError(f"it has more than {_MOST_FIELDS} fields")
    for each in names:
        if not _FIELD.fullmatch(each) or each in _TAKEN_FIELDS:
            raise ValueError(f"a field cannot be called {each!r:.100}")
    return name, names


def _value(value: Any) -> str | int | float | bool | None:
    if value is None or value is True or value is False:
        return value
    if isinstance(value, int) and abs(value) < 1 << 63:
        return int(value)
    if isinstance(value, float) and abs(value) < float("inf"):
        return float(value)
    if isinstance(value, (bytes, bytearray)):
        value = bytes(value[: _LONGEST_VALUE + 1]).decode("utf-8", "backslashreplace")
    return shown(value, _LONGEST_VALUE)
