"""The load generator: compiled from C when that is possible, else the slow one in Python.

This module must not know the workloads' meaning, or which server is measured.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import interrupts
from bench.figures import Round

_HERE = Path(__file__).parent
_PATIENCE = 70.0
_COMPILED_ONLY = ("irc", "websocket", "socketio")
_SLOW = (sys.executable, str(_HERE / "slow_load.py"))


class LoadFailed(Exception):
    """A round came to nothing; the text says why."""


@dataclass(frozen=True)
class Generator:
    """How to put load on a server.

    :ivar command: for everything but TLS.
    :ivar tls_command: for TLS.
    :ivar notes: what is not as it should be.
    """

    command: Sequence[str]
    tls_command: Sequence[str]
    notes: Sequence[str]

    def can(self, mode: str) -> bool:
        """Whether it knows that mode: the slow one speaks neither IRC nor WebSocket."""
        return tuple(self.command) != _SLOW or mode.partition("-")[0] not in _COMPILED_ONLY

    def run(self, mode: str, port: int, server: int, options: Mapping[str, float]) -> Round:
        """Drive the server on *port* for one round; *server* is its process.

        :raises LoadFailed: when the server does not answer as it should.
        """
        if not self.can(mode):
            raise LoadFailed("that load needs a C compiler")
        command = self.tls_command if mode == "tls" else self.command
        words = [f"{key}={value}" for key, value in options.items()]
        process = None
        try:
            with interrupts.held():
                process = subprocess.Popen(
                    [*command, mode, str(port), str(server), *words],
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            shown, complaint = process.communicate(timeout=_PATIENCE)
        except subprocess.TimeoutExpired:
            raise LoadFailed("the round did not end") from None
        finally:
            if process is not None:
                process.kill()
                process.wait()
        if process.returncode:
            last = complaint.strip().splitlines()[-1:]
            raise LoadFailed(" ".join(last) or f"the generator ended with {process.returncode}")
        return Round(**json.loads(shown))


def _compile(compiler: str, sources: Sequence[Path], made: Path, *more: str) -> bool:
    flags = ["-O2", "-o", str(made), *map(str, sources), *more]
    done = subprocess.run([compiler, *flags], capture_output=True, timeout=60, check=False)
    return done.returncode == 0


def find_compiler() -> str | None:
    """Return the C compiler: ``$CC``, or the usual names."""
    names = (os.environ.get("CC", ""), "cc", "gcc", "clang")
    return next((found for name in names if name and (found := shutil.which(name))), None)


def compile_c_echo(compiler: str | None, folder: Path) -> Path | None:
    """Compile the C peer, and return it."""
    made = folder / "echo"
    if compiler and _compile(compiler, [_HERE / "peers" / "echo.c"], made):
        return made
    return None


def make_generator(compiler: str | None, folder: Path) -> Generator:
    """Compile the load generator into *folder*, with TLS if OpenSSL's headers are there."""
    made = folder / "load"
    sources = sorted((_HERE / "load").glob("*.c"))
    if compiler and _compile(compiler, sources, made, "-DWITH_TLS", "-lssl", "-lcrypto", "-lm"):
        return Generator([str(made)], [str(made)], [])
    if compiler and _compile(compiler, sources, made, "-lm"):
        note = "TLS load comes from Python: OpenSSL's headers (libssl-dev) are not there"
        return Generator([str(made)], _SLOW, [note])
    return Generator(_SLOW, _SLOW, ["all load comes from Python, slowly: there is no C compiler"])
