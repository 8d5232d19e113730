"""Servers as processes: each on a core of its own, each ended by its own pid.

This module must not know what the servers do.
"""

from __future__ import annotations

import os
import re
import resource
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bench import interrupts
from bench.contestants import Contestant, Files

_PATIENCE = 20.0


@dataclass(frozen=True)
class Cores:
    """Where the server runs, and where everything else does."""

    server: int
    load: int

    @property
    def shared(self) -> bool:
        """Whether there is only one core for both."""
        return self.server == self.load


def choose_cores() -> Cores:
    """Pin this process, and so all its children, to the load's core."""
    cores = sorted(os.sched_getaffinity(0))
    chosen = Cores(server=cores[0], load=cores[-1])
    os.sched_setaffinity(0, {chosen.load})
    return chosen


def raise_descriptor_limit() -> None:
    """Let this process and its children open as many files as they may."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class ServerFailed(Exception):
    """A server did not start; the text says why."""


@dataclass
class Server:
    """A running server."""

    contestant: Contestant
    process: subprocess.Popen[bytes]
    output: Path
    files: Files
    port: int = 0

    def wait_until_ready(self, service: str) -> None:
        """Find the port.

        :raises ServerFailed: when it ends before, or is silent for too long.
        """
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            text = self.output.read_text(errors="replace")
            found = re.search(self.contestant.listening(service), text, re.MULTILINE)
            if found and self.contestant.ready in text:
                self.port = int(found[1])
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        last = self.output.read_text(errors="replace").strip().splitlines()[-1:]
        raise ServerFailed(f"did not start: {' '.join(last) or 'no output'}")


def _start(contestant: Contestant, service: str, cores: Cores, files: Files) -> Server:
    output = files.sink.with_suffix(".log")
    os.sched_setaffinity(0, {cores.server})  # the child inherits it, with all its threads
    try:
        with output.open("wb") as log:
            process = subprocess.Popen(
                contestant.command(service, files),
                cwd=output.parent,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
    finally:
        os.sched_setaffinity(0, {cores.load})
    return Server(contestant, process, output, files)


def _end(servers: Sequence[Server]) -> None:
    for server in servers:
        server.process.terminate()
    for server in servers:
        try:
            server.process.wait(2.0)
        except subprocess.TimeoutExpired:
            server.process.kill()
            server.process.wait()


@contextmanager
def running(
    contestants: Sequence[Contestant], service: str, cores: Cores, files: Files
) -> Iterator[tuple[list[Server], dict[str, str]]]:
    """Start one server of each kind; yield those that run, and why others do not.

    However the block is left, all of them have ended afterwards.
    """
    started: list[Server] = []
    up: list[Server] = []
    failed: dict[str, str] = {}
    try:
        for contestant in contestants:
            own = replace(files, sink=files.sink.with_name(contestant.name))
            with interrupts.held():
                started.append(_start(contestant, service, cores, own))
        for server in started:
            try:
                server.wait_until_ready(service)
                up.append(server)
            except ServerFailed as error:
                failed[server.contestant.name] = str(error)
        yield up, failed
    finally:
        with interrupts.held():
            _end(started)
