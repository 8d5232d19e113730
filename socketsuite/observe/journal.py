"""The log as systemd's journal has it: one datagram an entry, each field by its name.

The native protocol (https://systemd.io/JOURNAL_NATIVE_PROTOCOL/).  This module must not know what
an event means.
"""

from __future__ import annotations

import select
import socket
import struct
from typing import Any

from socketsuite.observe.json_log import Form, clean, priority_of, told_of
from socketsuite.observe.text_log import safe_text
from socketsuite.observe.writer import Notice, Writer

JOURNAL_SOCKET = "/run/systemd/journal/socket"
# Of one field, in bytes: a datagram that is larger than the socket's buffer cannot be sent.
_LONGEST_VALUE = 16 << 10
_NAMES = {name: f"SOCKETSUITE_{name.upper()}" for name in ("service", "event", "logger")}


def journal_socket(path: str = JOURNAL_SOCKET) -> socket.socket | None:
    """Return a socket connected to the journal's, ``None`` where there is no journal."""
    made = None
    try:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        made.setblocking(False)
        made.connect(path)
    except OSError:
        if made is not None:
            made.close()
        return None
    return made


def journal_form(form: Form | None) -> Form:
    """Return the form whose lines are entries for :class:`JournalWriter`.

    An entry is a datagram's bytes, as characters of the same numbers.  Each has ``MESSAGE``,
    ``PRIORITY`` and ``SYSLOG_IDENTIFIER``; those of a service ``SOCKETSUITE_SERVICE``,
    ``SOCKETSUITE_EVENT`` and the event's own fields (``PEER``, ``REASON``, …); all others
    ``SOCKETSUITE_LOGGER``.

    :param form: makes ``MESSAGE``; without one it is a text for people.
    """

    def entry(event: dict[str, Any]) -> str:
        told = told_of(event)
        if told is None:
            return ""
        text = told.pop("message")
        fields = {
            "MESSAGE": _message(text, event) if form is None else form(event).rstrip("\n"),
            "PRIORITY": priority_of(event),
            "SYSLOG_IDENTIFIER": told.get("service", "socketsuite"),
        }
        for name, value in told.items():
            fields[_NAMES.get(name, name.upper())] = value
        return b"".join(_field(name, value) for name, value in fields.items()).decode("latin-1")

    return entry


def _message(text: str, event: dict[str, Any]) -> str:
    failure = event.get("log_failure")
    return safe_text(text if failure is None else f"{text}\n{failure.getTraceback()}")


def _field(name: str, value: object) -> bytes:
    data = str(clean(value)).encode()[:_LONGEST_VALUE]
    if b"\n" in data:
        return b"%s\n%s%s\n" % (name.encode(), struct.pack("<Q", len(data)), data)
    return b"%s=%s\n" % (name.encode(), data)


class JournalWriter(Writer):
    """A bounded queue of entries in front of the journal; its thread alone waits for that.

    :param connected: from :func:`journal_socket`.
    """

    def __init__(self, connected: socket.socket, notice: Notice) -> None:
        super().__init__(connected.fileno(), notice)
        self._socket = connected
        self._path = connected.getpeername()

    def _put(self) -> bool:
        """Send what was taken, after what has to be said of losses; false if that failed."""
        failed: OSError | None = None
        told = False
        try:
            if self._owed:
                self._deliver(self._notice(self._owed, self._why))
            told = True
            for entry in self._batch:
                self._deliver(entry)
                self._written += 1
        except OSError as error:
            failed = error
        self._settle(failed, told=told)
        return failed is None

    @property
    def _not_written(self) -> int:
        return len(self._batch) - self._written

    def _deliver(self, entry: str) -> None:
        data = entry.encode("latin-1")
        try:
            self._send_whole(data)
        except OSError:
            # The journal's socket was made anew; ours has none until it is connected again.
            self._socket.connect(self._path)
            self._send_whole(data)

    def _send_whole(self, data: bytes) -> None:
        while True:
            try:
                self._socket.send(data)
            except BlockingIOError:
                poll = select.poll()
                poll.register(self._socket, select.POLLOUT)
                poll.poll()
            else:
                return
