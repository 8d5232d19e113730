"""What a command writes: lines for a person, or JSON of one shape for a machine.

Everything goes straight to the descriptor, a whole line at a time, so that nothing is left in
a buffer when the process ends, however it ends.  The shape is that of docs/clients.md.

This module must not know what any command does, nor of Twisted.
"""

from __future__ import annotations

import io
import json
import os
import select
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from datetime import UTC, datetime
from typing import Any

from socketsuite.transport.dial.failed import Failed, os_cause
from socketsuite.wire.printable import printable


class Output:
    """One command's output.

    :ivar command: its name; ``None`` until it is known.
    :ivar as_json: whether ``--json`` was given.
    :ivar peer: whom the command is talking to, for the result.
    :ivar totals: what the command adds to its result; may be set while it works.
    :ivar broken: why standard output can no longer be written.
    :ivar on_broken: called then, instead of raising; for what runs under the reactor.
    """

    def __init__(self) -> None:
        self.command: str | None = None
        self.as_json = False
        self.peer: str | None = None
        self.totals: dict[str, Any] = {}
        self.broken: OutputBroken | None = None
        self.on_broken: Callable[[], None] | None = None
        self._began = time.monotonic()
        self._inside_line = False

    def line(self, text: str | bytes) -> None:
        """Write a line for a person, or for a pipe; see :meth:`write`."""
        data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
        self.write(data + b"\n")

    def row(
        self,
        event: str,
        *,
        peer: str | None = None,
        duration: float | None = None,
        error: Failed | None = None,
        **more: Any,
    ) -> None:
        """Write one object, as --json has it.

        :param duration: seconds.
        :param more: what only this event has.
        """
        told = None if error is None else {"code": error.code, "message": harmless(str(error))}
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        known = {
            "event": event,
            "time": now,
            "duration": None if duration is None else round(duration, 6),
            "peer": peer,
            "error": told,
        }
        line = json.dumps({**known, **more, **known}).encode() + b"\n"
        self._write(line, 2 if self.command == "connect" else 1)

    def note(self, text: str) -> None:
        """Tell a person, on standard error; with --json the result has to say it."""
        if not self.as_json:
            self.complain(text)

    def complain(self, text: str) -> None:
        """Write one harmless line to standard error, if there is one."""
        with suppress(OSError):
            _write_all(2, harmless(text).encode() + b"\n")

    def finish(self, status: int, error: Failed | None) -> int:
        """Say how it ended, *error* to a person, the result to a machine; return the status."""
        told = False
        if self.as_json and self.broken is None:
            try:
                self._result(status, error)
                told = True
            except OutputBroken as broken:
                status, error = status or 1, broken
        if error is not None and not error.silent and not told:
            self.complain(str(error))
        return status

    def _result(self, status: int, error: Failed | None) -> None:
        if self._inside_line:
            self._write(b"\n", 1)  # a signal came in the middle of a line
        self.row(
            "result",
            peer=self.peer,
            duration=time.monotonic() - self._began,
            error=error,
            command=self.command,
            status=status,
            **self.totals,
        )

    @contextmanager
    def printing(self) -> Iterator[None]:
        """Have what ``print()`` and click say meanwhile go the way of :meth:`write`, by lines."""
        # A buffer between the two would say again what a signal has interrupted.
        descriptor: Any = _StandardOutput(self)
        stream = io.TextIOWrapper(descriptor, "utf-8", "surrogateescape", line_buffering=True)
        with redirect_stdout(stream):
            try:
                yield
            finally:
                stream.flush()

    def write(self, data: bytes) -> None:
        """Write *data* to standard output as it is.

        :raises OutputBroken: when that is not possible, unless there is ``on_broken``.
        """
        self._write(data, 1)

    def _write(self, data: bytes, descriptor: int) -> None:
        if self.broken is not None:
            return
        self._inside_line = True
        try:
            _write_all(descriptor, data)
        except OSError as error:
            self.broken = OutputBroken(error)
            if self.on_broken is None:
                raise self.broken from None
            self.on_broken()
        else:
            self._inside_line = False


class _StandardOutput(io.RawIOBase):
    """Descriptor 1, as Python's own streams want it; closing it closes nothing."""

    def __init__(self, output: Output) -> None:
        self._output = output

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return os.isatty(1)

    def fileno(self) -> int:
        return 1

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._output.write(bytes(data))
        return len(data)


class OutputBroken(Failed):
    """What we write cannot be written.  That nobody reads it any more needs no words."""

    def __init__(self, error: OSError) -> None:
        text = f"cannot write standard output: {os_cause(error)}"
        super().__init__(text, "output", silent=isinstance(error, BrokenPipeError))


def harmless(text: str) -> str:
    """Return *text* with everything visible that a terminal would obey."""
    return printable(text.encode("utf-8", "surrogateescape")).decode()


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:  # somebody else made it non-blocking
            poll = select.poll()
            poll.register(descriptor, select.POLLOUT)
            poll.poll()
