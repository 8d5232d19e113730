"""Events as log lines: one line an event, ``key=value``, the field's names.

Reads events and writes to Twisted's logger; decides nothing, and never logs a payload
unless an event of that kind is emitted, which takes ``--log-data``.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cache
from operator import attrgetter
from typing import Any, Literal

from twisted.logger import Logger, LogLevel

from socketsuite.observe.events import Closed, Connected, Event, Notice, OwnEvent, Received, Refused
from socketsuite.service import MAIN
from socketsuite.settings import setting

_PAYLOAD_SHOWN = 256
_NEEDS_QUOTES = re.compile(r'[\s"=]')


@dataclass(eq=False)
class LogSettings:
    """Logging."""

    log_data: Literal["off", "sizes", "payload"] = setting(
        "off",
        "log every chunk and datagram: its size and sender, or its first 256 bytes too",
    )
    log_connections: Literal["on", "off"] = setting(
        "on",
        "log every connection that is let in, and its end; refusals are logged all the same, and"
        " counted is all of it",
    )


class EventLog:
    """A subscriber that writes every event of one service as one line.

    Refusals can come faster than anybody reads: at most one line a second and reason is
    written, with the number of those left out since.

    :param connections: whether those that are let in are written, and their ends.
    """

    def __init__(
        self,
        service: str,
        seconds: Callable[[], float],
        *,
        payload: bool,
        connections: bool = True,
    ) -> None:
        self._log = Logger(namespace=service)
        self._seconds = seconds
        self._payload = payload
        self._connections = connections
        self._refusals: dict[str, tuple[float, int]] = {}

    @classmethod
    def as_set(cls, service: str, seconds: Callable[[], float], settings: LogSettings) -> EventLog:
        """Return the log of *service* that *settings* want."""
        payload, connections = settings.log_data == "payload", settings.log_connections == "on"
        return cls(service, seconds, payload=payload, connections=connections)

    def __call__(self, event: Event) -> None:
        """Write *event*, unless it is one refusal of a crowd, or nobody wants to see it."""
        if isinstance(event, (Connected, Closed)):
            if self._connections:
                self._tell(event)
        elif isinstance(event, Notice):
            self._log.emit(
                LogLevel.lookupByName(event.level), "{text}", text=event.text, event=event
            )
        elif isinstance(event, OwnEvent):
            level = LogLevel.lookupByName(event.level)
            self._log.emit(level, "{text}", text=told_line(event), event=event)
        elif isinstance(event, Received):
            text = _received_line(event, self._payload)
            self._log.info("{text}", text=text, event=event, payload=self._payload)
        elif isinstance(event, Refused):
            self._refused(event)
        else:
            self._log.info("{text}", text=event_line(event), event=event)

    def _tell(self, event: Event) -> None:
        """Do what ``Logger.info()`` does, without looking for the level among all there are."""
        log = self._log
        log.observer(
            {
                "log_logger": log,
                "log_level": LogLevel.info,
                "log_namespace": log.namespace,
                "log_source": None,
                "log_format": "{text}",
                "log_time": time.time(),
                "text": event_line(event),
                "event": event,
            }
        )

    def _refused(self, event: Refused) -> None:
        now = self._seconds()
        since, left_out = self._refusals.get(event.reason, (-1.0, 0))
        if now < since + 1.0:
            self._refusals[event.reason] = (since, left_out + 1)
            return
        self._refusals[event.reason] = (now, 0)
        more = f" more={left_out}" if left_out else ""
        self._log.warn("{text}", text=event_line(event) + more, event=event, more=left_out)


def event_line(event: Event) -> str:
    """Return ``name key=value …`` for *event*; a value with a space in it is quoted."""
    kind: Any = type(event)
    shape = _shape(kind)
    line = shape.template % shape.values(event)
    if line.count(" ") != len(shape.shown):  # a value has one
        told = ((name, getattr(event, name)) for name in shape.shown)
        values = (f" {name}={_value_text(value)}" for name, value in told if value is not None)
        return shape.name + "".join(values) + _frontend_text(event)
    for name in shape.optional:
        if getattr(event, name) is None:
            line = line.replace(f" {name}=None", "", 1)
    return line + _frontend_text(event)


@dataclass(frozen=True, slots=True)
class _Shape:
    """What is shown of the events of one kind.

    :ivar template: makes the line of their values, where none has a space in it.
    :ivar values: returns what goes into it.
    :ivar optional: the fields that may be ``None``, and are left out then.
    """

    name: str
    shown: tuple[str, ...]
    optional: tuple[str, ...]
    template: str
    values: Callable[[Any], tuple[Any, ...]]


@cache
def _shape(kind: Any) -> _Shape:
    shown = {
        field.name: field.type
        for field in fields(kind)
        if field.name not in ("service", "frontend")
    }
    name = kind.__name__.lower()
    forms = (f" {one}={'%.3f' if kind == 'float' else '%s'}" for one, kind in shown.items())
    return _Shape(
        name,
        tuple(shown),
        tuple(one for one, kind in shown.items() if "None" in kind),
        # Behind them one that every event has, and of which nothing is shown: for a single name
        # the values would be no tuple.
        name + "".join(forms) + "%.0s",
        attrgetter(*shown, "service"),
    )


def _frontend_text(event: Any) -> str:
    """Name the frontend where a service has several: then none of them is called ``main``."""
    frontend = getattr(event, "frontend", MAIN)
    return "" if frontend == MAIN else f" frontend={frontend}"


def _value_text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    text = str(value)
    return f'"{text}"' if " " in text else text


def told_line(event: OwnEvent) -> str:
    """Return the line of a service's own event: a value cannot look like another field."""
    told = (f" {name}={_own(value)}" for name, value in event.values.items() if value is not None)
    return event.name + "".join(told)


def _own(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return _value_text(value)
    if value and not _NEEDS_QUOTES.search(value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _received_line(event: Received, payload: bool) -> str:
    line = f"received transport={event.transport} peer={event.peer} bytes={len(event.data)}"
    if payload:
        # repr() leaves nothing in it that a terminal would obey.
        line += f" data={event.data[:_PAYLOAD_SHOWN]!r}"
    return line + _frontend_text(event)
