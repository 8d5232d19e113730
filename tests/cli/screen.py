"""A terminal of a given size, with a program on it, and what a person sees there."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable

import pyte

from tests.cli.servers import TIMEOUT

COMMAND = [sys.executable, "-m", "socketsuite.cli"]


class Terminal:
    """Runs the command on a terminal of its own; :attr:`raw` is every byte it wrote."""

    def __init__(self, *arguments: object, columns: int, lines: int = 24, **variables: str) -> None:
        self._ours, theirs = pty.openpty()
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self.raw = b""
        self._resize(theirs, columns, lines)
        self.before = termios.tcgetattr(theirs)
        clean = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "COLUMNS", "LINES")}
        self.process = subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=self._begin,
            env={**clean, "TERM": "xterm", **variables},
        )
        self._theirs = theirs

    @staticmethod
    def _begin() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        # A shell that runs the tests in the background has SIGINT ignored, by all its children.
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    @staticmethod
    def _resize(terminal: int, columns: int, lines: int) -> None:
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def resize(self, columns: int, lines: int) -> None:
        self._screen.resize(lines, columns)
        self._resize(self._ours, columns, lines)

    def type(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self._screen.display]

    def until(self, true: Callable[[list[str]], bool]) -> list[str]:
        """Read until the screen is as said, and return its lines."""
        deadline = time.monotonic() + TIMEOUT
        while not true(self.lines):
            readable, _, _ = select.select([self._ours], [], [], deadline - time.monotonic())
            assert readable, "\n".join(["the screen stayed so:", *self.lines])
            self._read()
        return self.lines

    def wait(self) -> int:
        """Return the exit status, with everything read that was written before it."""
        # Read meanwhile: what the terminal cannot hold, the process would wait to write.
        ended = os.pidfd_open(self.process.pid)
        deadline = time.monotonic() + TIMEOUT
        readable: list[int] = []
        while ended not in readable:
            wait = deadline - time.monotonic()
            readable, _, _ = select.select([ended, self._ours], [], [], max(0.0, wait))
            assert readable, "\n".join(["it has not ended:", *self.lines])
            if self._ours in readable:
                self._read()
        os.close(ended)
        while select.select([self._ours], [], [], 0)[0]:
            self._read()
        return self.process.wait()

    def _read(self) -> None:
        data = os.read(self._ours, 1 << 16)
        self.raw += data
        self._stream.feed(data)

    @property
    def is_as_before(self) -> bool:
        return termios.tcgetattr(self._theirs) == self.before

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(TIMEOUT)
        os.close(self._ours)
        os.close(self._theirs)
