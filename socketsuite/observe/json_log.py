"""The log for machines: one JSON object a line; and priorities for the journal.

An event's fields keep their types.  This module must not know what an event means.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cache
from typing import Any, TextIO, cast

from twisted.logger import ILogObserver, LogLevel, formatEvent
from zope.interface import implementer

from socketsuite.observe.events import Notice, Received
from socketsuite.observe.text_log import NOISE

_PAYLOAD_SHOWN = 256
# syslog's numbers, which sd-daemon(3) puts before a line in angle brackets.
_PRIORITIES = {
    LogLevel.debug: 7,
    LogLevel.info: 6,
    LogLevel.warn: 4,
    LogLevel.error: 3,
    LogLevel.critical: 2,
}
_INFO = 6


@implementer(ILogObserver)
class JSONLog:
    """Writes each log event to *stream* as one JSON object on one line, in plain ASCII.

    Every object has ``time`` and ``level``.  An event of a service has ``service``,
    ``event`` and its own fields; anything else has ``logger`` and ``message``.  A failure
    adds ``traceback``.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, event: dict[str, Any]) -> None:
        """Write one event."""
        told = _told(event)
        if told is None:
            return
        level = event.get("log_level")
        line = {"time": _time(event["log_time"]), "level": level.name if level else "info", **told}
        failure = event.get("log_failure")
        if failure is not None:
            line["traceback"] = failure.getTraceback()
        text = json.dumps(_clean(line), separators=(",", ":"), default=str)
        # The one control character that JSON lets through.
        text = text.replace("\x7f", "\\u007f")
        # Whoever read the log is gone, or its disk is full: serving goes on without it.
        with contextlib.suppress(OSError):
            self._stream.write(text + "\n")
            self._stream.flush()


def _told(event: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what *event* says, or ``None`` for what is better left out."""
    fact = event.get("event")
    if fact is not None and hasattr(fact, "service"):
        return _fact(fact, event)
    text = formatEvent(cast(dict[str, Any], event))
    if NOISE.fullmatch(text):
        return None
    name = event.get("log_namespace") or "-"
    if name == "log_legacy":
        name = event.get("log_system") or "-"
    return {"logger": name, "message": text}


def _fact(fact: Any, event: Mapping[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {"service": fact.service, "event": type(fact).__name__.lower()}
    if isinstance(fact, Notice):
        return {**told, "message": fact.text}
    kind: Any = type(fact)
    for name in _names(kind):
        value = getattr(fact, name)
        if value is not None:
            told[name] = value
    if isinstance(fact, Received):
        data = told.pop("data")
        told["bytes"] = len(data)
        if event.get("payload"):
            told["data"] = data[:_PAYLOAD_SHOWN].decode("utf-8", "backslashreplace")
    if event.get("more"):
        told["more"] = event["more"]
    return told


@cache
def _names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind) if field.name != "service")


def _clean(value: Any) -> Any:
    """Return *value* without half characters, which many readers of JSON refuse."""
    if isinstance(value, dict):
        return {key: _clean(each) for key, each in value.items()}
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape" if _escaped(value) else "replace").decode(
            "utf-8", "replace"
        )
    return round(value, 6) if isinstance(value, float) else value


def _escaped(text: str) -> bool:
    """Whether the only half characters of *text* are those that stand for raw bytes."""
    return not any("\ud800" <= c < "\udc80" or "\udcff" < c <= "\udfff" for c in text)


def _time(moment: float) -> str:
    second, milliseconds = divmod(int(moment * 1000), 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(second))}.{milliseconds:03}Z"


def is_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether systemd's journal reads *stream*, as ``JOURNAL_STREAM`` tells."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


@implementer(ILogObserver)
class Prioritised:
    """Puts each line's priority before it, as the journal wants: ``<6>``, ``<4>``, ``<3>``.

    :param make: makes the observer that writes the lines, given the stream to write to.
    """

    def __init__(self, stream: TextIO, make: Callable[[TextIO], ILogObserver]) -> None:
        self._stream = stream
        self._priority = _INFO
        self._observer: Any = make(cast(TextIO, self))

    def __call__(self, event: dict[str, Any]) -> None:
        """Hand one event on."""
        level: Any = event.get("log_level")
        self._priority = _PRIORITIES.get(level, _INFO)
        self._observer(event)

    def write(self, text: str) -> int:
        """Write *text*, each line of which becomes one entry of the journal."""
        lines = text.splitlines(keepends=True)
        return self._stream.write("".join(f"<{self._priority}>{line}" for line in lines))

    def flush(self) -> None:
        """Flush the stream."""
        self._stream.flush()


def log_to(
    stream: TextIO, make: Callable[[TextIO], ILogObserver], environ: Mapping[str, str]
) -> ILogObserver:
    """Return the observer *make* makes, with priorities if the journal reads *stream*."""
    return Prioritised(stream, make) if is_journal(stream, environ) else make(stream)
