"""Daemons started in another way than by ``twistd -n`` with somebody who reads what it says."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from socketsuite.testing import read_exactly
from tests.support.admin import until
from tests.support.outside import SECONDS

BIN = Path(sys.executable).parent


@contextlib.contextmanager
def running(folder: Path, *command: str | Path, **more: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run *command* in *folder*, and end it where it has not ended by itself."""
    process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, **more)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(SECONDS)
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


@contextlib.contextmanager
def in_background(
    folder: Path, *arguments: str | Path, pidfile: str = "twistd.pid"
) -> Iterator[int]:
    """Start ``twistd`` *arguments* in the background; its process id, from *pidfile*."""
    command = (BIN / "twistd", *arguments)
    done = subprocess.run(
        command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS
    )
    assert (done.returncode, done.stderr) == (0, b"")
    pid = int((folder / pidfile).read_text())
    try:
        yield pid
    finally:
        if is_alive(pid):
            os.kill(pid, signal.SIGKILL)


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that nobody has waited for yet does not."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def caller_at(door: Path) -> socket.socket:
    """Return a connection to the Unix socket *door*, once somebody listens there."""

    def connected() -> socket.socket | None:
        made = socket.socket(socket.AF_UNIX)
        made.settimeout(SECONDS)
        try:
            made.connect(str(door))
        except OSError:
            made.close()
            return None
        return made

    made = until(connected, lambda found: found is not None)
    assert made is not None
    return made


def is_echoed(door: Path, data: bytes = b"hello\n") -> None:
    """See that the echo at *door* answers a new caller."""
    with caller_at(door) as caller:
        caller.sendall(data)
        assert read_exactly(caller, len(data)) == data
