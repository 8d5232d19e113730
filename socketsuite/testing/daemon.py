"""A real twistd process, for tests: started on a free port, stopped by its own pid.

Talks to the process as an operator does: its command line, its log, its signals, its exit
status, its admin socket and metrics page, and what the kernel tells of it.  Nothing here
sleeps where an event can be waited for, and every wait has a deadline.
"""

from __future__ import annotations

import os
import queue
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from socketsuite.testing import operator, readings
from socketsuite.testing.certificates import HOST
from socketsuite.testing.sockets import connect_tcp

TWISTD = str(Path(sys.executable).parent / "twistd")
TIMEOUT = 20.0


class Daemon:
    """A ``twistd -n NAME …`` process, and what it has logged so far.

    As a context manager it waits until the process is ready, and kills it at the end::

        with Daemon(tmp_path, "acme-rot13", "--port", "0") as daemon, daemon.connect() as caller:
            caller.sendall(b"hello\\n")

    Every wait has a deadline of *timeout* seconds, after which it raises ``AssertionError``
    with the log.

    :param folder: the process's current folder.
    :param name: the twistd command.
    :param arguments: its command line; say ``--port 0`` and ask :meth:`port` for the port.
    :param env: environment variables to add.
    :param before: a command to run twistd by, such as ``("setpriv", "--reuid", "65534")``.
    :param twistd: the twistd to run, where it is not the one beside this Python.
    :param timeout: the deadline of every wait, and of each call of a socket, in seconds.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        before: Sequence[str] = (),
        twistd: str | Path = TWISTD,
        timeout: float = TIMEOUT,
    ) -> None:
        self.name = name
        self.folder = folder
        self.arguments = arguments
        self.timeout = timeout
        self.lines: list[str] = []
        self._arrived: queue.Queue[str | None] = queue.Queue()
        self._log_ended = False
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

    def __enter__(self) -> Daemon:
        try:
            return self.wait_until_ready()
        except BaseException:
            self.kill()
            raise

    def __exit__(self, *_: object) -> None:
        self.kill()

    # ── its log ─────────────────────────────────────────────────────────────────────

    def wait_for_line(self, pattern: str, start: int = 0) -> re.Match[str]:
        """Return the first log line (from the line numbered *start*) that matches.

        :raises AssertionError: with the log, when there is none in time.
        """
        return next(self.follow(pattern, start))

    def follow(self, pattern: str, start: int = 0) -> Iterator[re.Match[str]]:
        """Yield every log line (from the line numbered *start*) that matches, as they come.

        :raises AssertionError: with the log, when the next one is not there in time.
        """
        seen = start
        while True:
            deadline = time.monotonic() + self.timeout
            found = None
            while found is None:
                if seen == len(self.lines):
                    self._wait_for_another_line(pattern, deadline)
                found = re.search(pattern, self.lines[seen])
                seen += 1
            yield found

    def has_line(self, pattern: str, start: int = 0) -> bool:
        """Return whether such a line is there now; waits for nothing."""
        self._take_all()
        return any(re.search(pattern, line) for line in self.lines[start:])

    def has_more(self, seconds: float) -> bool:
        """Return whether another line comes within *seconds*; it is the last of :attr:`lines`."""
        deadline = time.monotonic() + seconds
        return not self._log_ended and self._take(self._next_line(deadline))

    def _wait_for_another_line(self, pattern: str, deadline: float) -> None:
        if not self.has_more(deadline - time.monotonic()):
            log = "\n".join(self.lines)
            raise AssertionError(f"no line matches {pattern!r} in:\n{log}\n{self.errors}")

    def _take(self, line: str | None) -> bool:
        if line is not None:
            self.lines.append(line)
        return line is not None

    def _take_all(self) -> None:
        while not self._arrived.empty():
            self._log_ended = not self._take(self._arrived.get())

    def _next_line(self, deadline: float) -> str | None:
        try:
            line = self._arrived.get(timeout=max(0.01, deadline - time.monotonic()))
        except queue.Empty:
            return None
        self._log_ended = line is None
        return line

    def wait_until_ready(self) -> Daemon:
        """Return once every listener is open; a start has 20 seconds, whatever the deadline."""
        own, self.timeout = self.timeout, max(self.timeout, TIMEOUT)
        try:
            self.wait_for_line(r"Z socketsuite ready")
        finally:
            self.timeout = own
        return self

    def port(
        self, transport: str = "tcp", host: str = "127.0.0.1", frontend: str | None = None
    ) -> int:
        """Return the port of the first listener of that kind, of one frontend or of any."""
        return self.ports(transport, host, frontend)[0]

    def ports(
        self, transport: str = "tcp", host: str = "127.0.0.1", frontend: str | None = None
    ) -> list[int]:
        """Return the ports of every listener of that kind, in their order."""
        pattern = rf"listening transport={transport} address={re.escape(host)} port=(\d+)"
        if frontend is not None:
            pattern += rf" .*frontend={frontend}$"
        return [int(m[1]) for line in self.lines if (m := re.search(pattern, line))]

    # ── callers ─────────────────────────────────────────────────────────────────────

    def connect(
        self, host: str = "127.0.0.1", port: int | None = None, *, narrow: bool = False
    ) -> socket.socket:
        """Return a connected TCP socket with a deadline on every call.

        :param narrow: see :func:`socketsuite.testing.connect_tcp`.
        """
        address = host, self.port(host=host) if port is None else port
        return connect_tcp(address, self.timeout, narrow=narrow)

    def connect_tls(self, context: ssl.SSLContext, first: bytes = b"") -> ssl.SSLSocket:
        """Return a TLS connection to ``localhost``, its handshake complete.

        :param context: a client's, such as :meth:`socketsuite.testing.Certificate.client`.
        :param first: bytes to send before the handshake, such as a PROXY header.
        :raises ssl.SSLError: when the handshake fails.
        """
        plain = self.connect(port=self.port("tls"))
        plain.sendall(first)
        return context.wrap_socket(plain, server_hostname=HOST)

    def connect_unix(self, path: str | Path) -> socket.socket:
        """Return a connection to the Unix socket at *path*, relative to the daemon's folder."""
        made = socket.socket(socket.AF_UNIX)
        made.settimeout(self.timeout)
        made.connect(str(self.folder / path))
        return made

    def connect_udp(self, host: str = "127.0.0.1") -> socket.socket:
        """Return a UDP socket whose ``send`` and ``recv`` are with the daemon's first UDP port."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        made = socket.socket(family, socket.SOCK_DGRAM)
        made.settimeout(self.timeout)
        made.connect((host, self.port("udp", host)))
        return made

    # ── what it tells an operator, and what the kernel tells of it ──────────────────

    def ask(self, command: str = "status", **more: Any) -> dict[str, Any]:
        """Return what the admin socket answers; for a daemon started with ``--admin PATH``."""
        path = self.wait_for_line(r"admin socket (.*)$")[1]
        return operator.ask(self.folder / path, command, self.timeout, **more)

    def page(self, path: str) -> tuple[int, str]:
        """Return the status and the text of a page; for one with ``--metrics-port``."""
        port = int(self.wait_for_line(r"metrics http://127\.0\.0\.1:(\d+)/metrics")[1])
        return operator.page(port, path, self.timeout)

    def metrics(self) -> dict[str, float]:
        """Return the figures of ``/metrics``, by name and labels as they stand there."""
        status, text = self.page("/metrics")
        assert status == 200, f"/metrics answers {status}"
        return operator.figures(text)

    def memory(self, key: str = "VmRSS") -> int:
        """Return the bytes of memory it has now, or (``VmHWM``) has ever had."""
        return readings.memory(self.process.pid, key)

    def descriptors(self) -> int:
        """Return how many descriptors it has open."""
        return readings.descriptors(self.process.pid)

    # ── its end ─────────────────────────────────────────────────────────────────────

    def send_signal(self, number: int) -> None:
        """Send this process a signal."""
        self.process.send_signal(number)

    def wait(self) -> int:
        """Return the exit status, once it has ended by itself."""
        status = self.process.wait(self.timeout)
        for reader in self._readers:
            reader.join(self.timeout)
        self._take_all()
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
