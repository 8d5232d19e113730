"""A real twistd process, for tests: started on a free port, stopped by its own pid.

Talks to the process as an operator does: its command line, its log, its signals, its exit
status.  Nothing here sleeps: every wait is for an event, with a deadline.
"""

from __future__ import annotations

import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

TWISTD = str(Path(sys.executable).parent / "twistd")
PATIENCE = 20.0


class Daemon:
    """A ``twistd -n NAME …`` process, and what it has logged so far.

    Every wait has a deadline of 20 seconds, after which it raises ``AssertionError`` with
    the log.

    :param folder: the process's current folder.
    :param name: the twistd command.
    :param arguments: its command line; say ``--port 0`` and ask :meth:`port` for the port.
    :param env: environment variables to add.
    :param before: a command to run twistd by, such as ``("setpriv", "--reuid", "65534")``.
    :param twistd: the twistd to run, where it is not the one beside this Python.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        before: Sequence[str] = (),
        twistd: str | Path = TWISTD,
    ) -> None:
        self.name = name
        self.lines: list[str] = []
        self._arrived: queue.Queue[str | None] = queue.Queue()
        self.process = subprocess.Popen(
            [*before, str(twistd), "-n", name, *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **(env or {})},
            text=True,
            errors="replace",
        )
        self._errors: list[str] = []
        self._readers = [
            threading.Thread(target=self._read_log, daemon=True),
            threading.Thread(target=self._read_errors, daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def _read_log(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._arrived.put(line.rstrip("\n"))
        self._arrived.put(None)

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        self._errors.extend(self.process.stderr)

    @property
    def errors(self) -> str:
        """Everything on standard error so far; complete once the process has ended."""
        return "".join(self._errors)

    def wait_for_line(self, pattern: str, start: int = 0) -> re.Match[str]:
        """Return the first log line (from the line numbered *start*) that matches."""
        deadline = time.monotonic() + PATIENCE
        seen = start
        while True:
            for line in self.lines[seen:]:
                found = re.search(pattern, line)
                if found:
                    return found
            seen = len(self.lines)
            arrived = self._next_line(deadline)
            if arrived is None:
                log = "\n".join(self.lines)
                raise AssertionError(f"no line matches {pattern!r} in:\n{log}\n{self.errors}")
            self.lines.append(arrived)

    def _next_line(self, deadline: float) -> str | None:
        try:
            return self._arrived.get(timeout=max(0.01, deadline - time.monotonic()))
        except queue.Empty:
            return None

    def wait_until_ready(self) -> Daemon:
        """Return once every listener is open."""
        self.wait_for_line(r"Z socketsuite ready")
        return self

    def port(self, transport: str = "tcp", host: str = "127.0.0.1") -> int:
        """Return the port of the first listener of that kind."""
        return self.ports(transport, host)[0]

    def ports(self, transport: str = "tcp", host: str = "127.0.0.1") -> list[int]:
        """Return the ports of every listener of that kind, in their order."""
        pattern = rf"listening transport={transport} address={re.escape(host)} port=(\d+)"
        return [int(m[1]) for line in self.lines if (m := re.search(pattern, line))]

    def connect(self, host: str = "127.0.0.1", port: int | None = None) -> socket.socket:
        """Return a connected socket with a deadline on every call."""
        made = socket.create_connection((host, port or self.port(host=host)), timeout=PATIENCE)
        made.settimeout(PATIENCE)
        return made

    def send_signal(self, number: int) -> None:
        """Send this process a signal."""
        self.process.send_signal(number)

    def wait(self) -> int:
        """Return the exit status, once it has ended by itself."""
        status = self.process.wait(PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)
        while not self._arrived.empty():
            line = self._arrived.get()
            if line is not None:
                self.lines.append(line)
        return status

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to stop, and return the exit status."""
        self.send_signal(number)
        return self.wait()

    def kill(self) -> None:
        """End it, whatever state it is in."""
        if self.process.poll() is None:
            self.process.kill()
        self.wait()

    @property
    def log(self) -> str:
        """Everything logged so far."""
        return "\n".join(self.lines)


def read_all(connection: socket.socket) -> bytes:
    """Return everything until the other side's FIN."""
    pieces = []
    while piece := connection.recv(1 << 16):
        pieces.append(piece)
    return b"".join(pieces)


def read_exactly(connection: socket.socket, count: int) -> bytes:
    """Return *count* bytes, or fail."""
    pieces = b""
    while len(pieces) < count:
        piece = connection.recv(count - len(pieces))
        if not piece:
            raise AssertionError(f"closed after {pieces!r}")
        pieces += piece
    return pieces


def read_line(connection: socket.socket) -> bytes:
    """Return one line, with its newline, and not a byte more."""
    line = b""
    while not line.endswith(b"\n"):
        line += read_exactly(connection, 1)
    return line
