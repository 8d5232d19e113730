"""The log on a terminal or a pipe: one line an event, nothing that a terminal would obey.

Twisted's own text log lets control characters through, and is slow: a connection, with its
two lines, costs less than half with this one (``make bench``).  This module must not know
what an event means.
"""

from __future__ import annotations

import contextlib
import re
import time
from typing import Any, TextIO

from twisted.logger import ILogObserver, LogLevel, formatEvent
from zope.interface import implementer

from socketsuite.framing.printable import printable

# What Twisted says of ports and of itself, and our own events say better.
NOISE = re.compile(
    r"\((?:TCP|UDP|UNIX) Port .* Closed\)|(?:Gate|DatagramGate) starting on .*"
    r"|reactor class: .*|Main loop terminated\.|Server Shut Down\."
)


@implementer(ILogObserver)
class TextLog:
    """Writes each event to *stream* as ``2026-11-21T06:54:24.123Z name text``.

    The name is followed by the level where that is not ``info``.  Further lines, such as a
    traceback's, are indented, so that nobody can forge a line of the log.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._second = -1
        self._moment = ""

    def __call__(self, event: dict[str, Any]) -> None:
        """Write one event."""
        text = event.get("text") if event.get("log_format") == "{text}" else None
        if text is None:
            text = formatEvent(event)
            if NOISE.fullmatch(text):
                return
        failure = event.get("log_failure")
        if failure is not None:
            text = f"{text}\n{failure.getTraceback()}"
        name = event.get("log_namespace") or "-"
        if name == "log_legacy":
            name = event.get("log_system") or "-"
        level = event.get("log_level")
        if level is not LogLevel.info and level is not None:
            name = f"{name} {level.name}"
        self._write(f"{self._time(event['log_time'])} {name} {text}")

    def _write(self, text: str) -> None:
        if not (text.isascii() and text.isprintable()):
            lines = text.rstrip("\n").split("\n")
            safe = (printable(line.encode("utf-8", "surrogateescape")) for line in lines)
            text = "\n    ".join(line.decode() for line in safe)
        # Whoever read the log is gone, or its disk is full: serving goes on without it.
        with contextlib.suppress(OSError):
            self._stream.write(text + "\n")
            self._stream.flush()

    def _time(self, moment: float) -> str:
        second = int(moment)
        if second != self._second:
            self._second = second
            self._moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._moment}.{int((moment - second) * 1000):03}Z"
