"""The log for machines: one JSON object a line; and priorities for the journal.

An event's fields keep their types.  This module must not know what an event means, nor where
its line goes.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cache
from typing import Any, cast

from twisted.logger import LogLevel, formatEvent

from socketsuite.observe.events import Notice, OwnEvent, Received
from socketsuite.observe.text_log import NOISE, logger_name

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


# Returns the line for an event, with its newline; nothing for what is better left out.
Form = Callable[[dict[str, Any]], str]


def json_form(event: dict[str, Any]) -> str:
    """Return *event* as one JSON object on one line, in plain ASCII.

    Every object has ``time``, ``level`` and ``message``, which is for people.  An event of a
    service has ``service``, ``event`` and its own fields, too; anything else has ``logger``.
    A failure adds ``traceback``.
    """
    told = told_of(event)
    if told is None:
        return ""
    level = event.get("log_level")
    line = {"time": _time(event["log_time"]), "level": level.name if level else "info", **told}
    failure = event.get("log_failure")
    if failure is not None:
        line["traceback"] = failure.getTraceback()
    text = json.dumps(clean(line), separators=(",", ":"), default=str)
    # The one control character that JSON lets through.
    return text.replace("\x7f", "\\u007f") + "\n"


def told_of(event: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what *event* says, by field, or ``None`` for what is better left out.

    There is a ``message``, always, and either ``service`` and ``event`` or ``logger``.
    """
    fact = event.get("event")
    if fact is not None and hasattr(fact, "service"):
        # As the log of events has made it, which saves Twisted's formatter.
        return _fact(fact, event, event.get("text") or formatEvent(cast(dict[str, Any], event)))
    text = formatEvent(cast(dict[str, Any], event))
    if NOISE.fullmatch(text):
        return None
    return {"logger": logger_name(event), "message": text}


def _fact(fact: Any, event: Mapping[str, Any], text: str) -> dict[str, Any]:
    if isinstance(fact, OwnEvent):
        own = {name: value for name, value in fact.values.items() if value is not None}
        return {"service": fact.service, "event": fact.name, "message": text, **own}
    told: dict[str, Any] = {
        "service": fact.service,
        "event": type(fact).__name__.lower(),
        "message": text,
    }
    if isinstance(fact, Notice):
        return told
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


def clean(value: Any) -> Any:
    """Return *value* without half characters, which many readers of JSON refuse."""
    if isinstance(value, dict):
        return {key: clean(each) for key, each in value.items()}
    if isinstance(value, str):
        if value.isascii():
            return value
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


def is_journal(descriptor: int, environ: Mapping[str, str]) -> bool:
    """Whether systemd's journal reads *descriptor*, as ``JOURNAL_STREAM`` tells."""
    try:
        status = os.fstat(descriptor)
    except OSError:
        return False
    return environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def priority_of(event: Mapping[str, Any]) -> int:
    """Return syslog's number for the level of *event*."""
    level: Any = event.get("log_level")
    return _PRIORITIES.get(level, _INFO)


def prioritised(form: Form) -> Form:
    """Return *form* with each line's priority before it, as the journal wants: ``<6>``, ``<4>``.

    Each line becomes one entry of the journal.
    """

    def line(event: dict[str, Any]) -> str:
        priority = priority_of(event)
        return "".join(f"<{priority}>{one}" for one in form(event).splitlines(keepends=True))

    return line
