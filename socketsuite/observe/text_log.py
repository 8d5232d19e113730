"""The log for people: one line an event, nothing that a terminal would obey.

Twisted's own text log lets control characters through, and is slow: a connection, with its
two lines, costs less than half with this one (``make bench``).  This module must not know
what an event means, nor where its line goes.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

from twisted.logger import LogLevel, formatEvent

from socketsuite.wire.printable import printable

# What Twisted says of ports and of itself, and our own events say better.
NOISE = re.compile(
    r"\((?:TCP|UDP|UNIX) Port .* Closed\)"
    r"|(?:AdmissionFactory|ProxyHeaderFactory|DatagramAdmission) starting on .*"
    r"|reactor class: .*|Starting reactor\.\.\.|Main loop terminated\.|Server Shut Down\."
)


class TextForm:
    """Makes of each event a line ``2026-11-21T06:54:24.123Z name text``.

    The name is followed by the level where that is not ``info``.  Further lines, such as a
    traceback's, are indented, so that nobody can forge a line of the log.
    """

    def __init__(self) -> None:
        # Replaced as a whole, since every thread may log.
        self._moment = (-1, "")

    def __call__(self, event: dict[str, Any]) -> str:
        """Return the line, with its newline; nothing for what is better left out."""
        text = event.get("text") if event.get("log_format") == "{text}" else None
        if text is None:
            text = formatEvent(event)
            if NOISE.fullmatch(text):
                return ""
        failure = event.get("log_failure")
        if failure is not None:
            text = f"{text}\n{failure.getTraceback()}"
        name = logger_name(event)
        level = event.get("log_level")
        if level is not LogLevel.info and level is not None:
            name = f"{name} {level.name}"
        line = f"{self._time(event['log_time'])} {name} {text}"
        return (line if line.isascii() and line.isprintable() else safe_text(line)) + "\n"

    def _time(self, moment: float) -> str:
        second = int(moment)
        known, text = self._moment
        if second != known:
            text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            self._moment = (second, text)
        return f"{text}.{int((moment - second) * 1000):03}Z"


def logger_name(event: Mapping[str, Any]) -> str:
    """Return the name of who logged *event*, ``-`` for nobody.

    A private module stands for its package alone: ``twisted``, and not
    ``twisted.scripts._twistd_unix.UnixAppLogger``.
    """
    name: str = event.get("log_namespace") or "-"
    if name == "log_legacy":
        name = event.get("log_system") or "-"
    return name.partition(".")[0] if "._" in name else name


def safe_text(text: str) -> str:
    """Return *text* without what a terminal would obey; its further lines are indented."""
    lines = text.rstrip("\n").split("\n")
    safe = (printable(line.encode("utf-8", "surrogateescape")) for line in lines)
    return "\n    ".join(line.decode() for line in safe)
