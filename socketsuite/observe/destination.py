"""Where the log goes: standard output or error, the journal, or a file that can be opened anew.

Must not know what is written.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from twisted.logger import ILogObserver
from zope.interface import implementer

from socketsuite.observe.json_log import JSONLog, Prioritised, is_journal
from socketsuite.observe.text_log import TextLog

_MAKERS: dict[str, Callable[[TextIO], ILogObserver]] = {"text": TextLog, "json": JSONLog}


@implementer(ILogObserver)
class Destination:
    """A log observer that writes in *form* (``text`` or ``json``) to *where*.

    :param where: ``stdout``, ``stderr``, ``journal`` (standard error, with priorities), or
        a file's path; it is appended to, and made with mode 0640.
    :raises OSError: when the file cannot be opened.
    """

    def __init__(self, where: str, form: str, environ: Mapping[str, str]) -> None:
        self._where = where
        self._make = _MAKERS[form]
        self._environ = environ
        self._stream: TextIO | None = None
        self._observer: Any = self._open()

    def _open(self) -> Any:
        standard = {"stdout": sys.stdout, "stderr": sys.stderr, "journal": sys.stderr}
        if self._where not in standard:
            descriptor = os.open(self._where, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
            self._stream = open(descriptor, "a", encoding="utf-8")  # noqa: SIM115
            return self._make(self._stream)
        stream = standard[self._where]
        if self._where == "journal" or is_journal(stream, self._environ):
            return Prioritised(stream, self._make)
        return self._make(stream)

    def __call__(self, event: dict[str, Any]) -> None:
        """Write one event."""
        self._observer(event)

    def reopen(self) -> OSError | None:
        """Open the file anew, after it has been moved away.

        :return: the trouble there was; the old file is kept then.
        """
        former = self._stream
        if former is None:
            return None
        try:
            self._observer = self._open()
        except OSError as error:
            return error
        former.close()
        return None
