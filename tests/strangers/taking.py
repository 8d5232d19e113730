"""How clients are run, and how something large is taken in two halves."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator, Sequence

from tests.strangers.subject import SECONDS

FIRST = 100_000
"""Bytes that are taken before the drain begins."""


def ran(*command: str, text: bytes = b"", status: int = 0) -> bytes:
    """Return what an outside program says, *text* being all of its standard input."""
    done = subprocess.run(command, input=text, capture_output=True, timeout=SECONDS)
    assert done.returncode == status, (done.returncode, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout


def slowly(command: Sequence[str], wanted: bytes) -> Generator[None]:
    """Run a program that says *wanted*, and be slow to read it until the drain has begun."""
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, bufsize=0) as process:
        try:
            assert process.stdout is not None
            got = process.stdout.read(FIRST) or b""
            assert got == wanted[: len(got)]
            assert got, process.communicate(timeout=SECONDS)
            yield
            rest, errors = process.communicate(timeout=SECONDS)
            assert process.returncode == 0, errors
            assert (len(got + rest), got + rest == wanted) == (len(wanted), True)
        finally:
            process.kill()


def line_controlled(command: Sequence[str]) -> Generator[None]:
    """Run a program that says ``begun``, waits for a line, and says ``whole`` at its end."""
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"begun\n", process.communicate(b"", SECONDS)
            yield
            said, errors = process.communicate(b"go on\n", SECONDS)
            assert (said, process.returncode) == (b"whole\n", 0), errors
        finally:
            process.kill()


def python(source: str, *arguments: str) -> list[str]:
    """Return the command that runs a client's *source* in a process of its own."""
    return [sys.executable, "-c", source, *arguments]
