"""Where the log goes: standard output or error, the journal, or a file that can be opened anew.

Must not know what is written, nor wait for whoever reads it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import stat
import sys
import time
from collections.abc import Mapping
from typing import Any

from twisted.logger import ILogObserver, LogLevel
from zope.interface import implementer

from socketsuite.observe.journal import (
    JOURNAL_SOCKET,
    JournalWriter,
    journal_form,
    journal_socket,
)
from socketsuite.observe.json_log import Form, is_journal, json_form, prioritised
from socketsuite.observe.text_log import TextForm
from socketsuite.observe.writer import Writer

STANDARD = {"stdout": 1, "stderr": 2, "journal": 2}
# What the end of a process waits at most for the last lines to leave.
_FINISH_SECONDS = 1.0


@implementer(ILogObserver)
class Destination:
    """A log observer that writes in *form* (``text`` or ``json``) to *where*.

    Nothing is written before :meth:`start`.  What has been logged just before the end leaves by
    :meth:`close`.

    :param where: ``stdout``, ``stderr``, ``journal`` (systemd's, with every field; where there
        is none, standard error, with priorities), or a path.  A file is appended to, and made
        with mode 0640.  A FIFO must be readable as well: it is opened for both, which needs no
        reader to be there, and one that comes later finds what it has missed, as far as that
        has found room.
    :param journal: the path of the journal's socket.
    :raises OSError: when it cannot be opened.
    """

    def __init__(
        self, where: str, form: str, environ: Mapping[str, str], journal: str = JOURNAL_SOCKET
    ) -> None:
        self._form: Form = json_form if form == "json" else TextForm()
        self._journal = journal_socket(journal) if where == "journal" else None
        self._path = None if where in STANDARD else os.path.abspath(where)
        if self._journal is not None:
            self._descriptor = self._journal.fileno()
            self._form = journal_form(json_form if form == "json" else None)
        else:
            self._descriptor = _standard(where) if self._path is None else _open(self._path)
        if self._journal is None and (where == "journal" or is_journal(self._descriptor, environ)):
            self._form = prioritised(self._form)
        self._writer = self._make_writer()
        self._former: list[Writer] = []
        self._lost_before = 0
        self._process: int | None = None

    def _make_writer(self) -> Writer:
        if self._journal is not None:
            return JournalWriter(self._journal, self._notice)
        return Writer(self._descriptor, self._notice, close=self._path is not None)

    def __call__(self, event: dict[str, Any]) -> None:
        """Queue one event's line."""
        line = self._form(event)
        if line:
            self._writer.write(line)

    def start(self) -> None:
        """Begin to write; to be called after the process has gone into the background."""
        self._process = os.getpid()
        os.register_at_fork(after_in_child=self._forked)
        self._writer.start()

    def _forked(self) -> None:
        """What is queued is the parent's to write; a child that logs has its own thread."""
        self._process = os.getpid()
        self._writer = self._make_writer()
        self._former = []
        self._writer.start()

    def reopen(self) -> OSError | None:
        """Open the file anew, if the path leads to another one by now.

        What has been logged goes to the old one, in its own time.

        :return: the trouble there was; the old file is kept then.
        """
        if self._path is None:
            return None
        try:
            descriptor = _open(self._path)
        except OSError as error:
            return error
        if os.path.sameopenfile(descriptor, self._descriptor):
            os.close(descriptor)
            return None
        former = self._writer
        self._descriptor = descriptor
        self._writer = self._make_writer()
        self._writer.start()
        former.end(self._writer)
        self._lost_before += sum(one.lost for one in self._former if one.finished)
        self._former = [one for one in self._former if not one.finished] + [former]
        return None

    @property
    def dropped(self) -> int:
        """How many lines could not be written, since the start."""
        return self._lost_before + sum(one.lost for one in (*self._former, self._writer))

    def close(self) -> None:
        """Let the last lines leave, within a second; tell on standard error what could not."""
        if self._process not in (None, os.getpid()):
            return
        deadline = time.monotonic() + _FINISH_SECONDS
        for writer in (*self._former, self._writer):
            left, why = writer.finish(max(0.0, deadline - time.monotonic()))
            if left:
                _say_at_the_end(f"{left} lines of the log could not be written: {why}\n")

    def _notice(self, count: int, why: str) -> str:
        return self._form(
            {
                "log_time": time.time(),
                "log_level": LogLevel.warn,
                "log_namespace": "socketsuite",
                "log_format": "{count} lines of the log dropped: {why}",
                "count": count,
                "why": why,
            }
        )


def _standard(name: str) -> int:
    """Return the descriptor of standard output or error.

    :raises OSError: when the process began without it, and its number may be another file's.
    """
    descriptor = STANDARD[name]
    if (sys.__stdout__ if descriptor == 1 else sys.__stderr__) is None:
        raise OSError(errno.EBADF, "it is closed")
    return descriptor


def _open(path: str) -> int:
    """Open *path* for the log, without waiting for anybody."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    with contextlib.suppress(OSError):
        if stat.S_ISFIFO(os.stat(path).st_mode):
            flags = os.O_RDWR
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY, 0o640)


def _say_at_the_end(text: str) -> None:
    """Write to standard error, unless there is none or that could take time."""
    if sys.__stderr__ is None:
        return
    poll = select.poll()
    poll.register(2, select.POLLOUT)
    with contextlib.suppress(OSError):
        if any(events & select.POLLOUT for _, events in poll.poll(0)):
            os.write(2, text.encode())
