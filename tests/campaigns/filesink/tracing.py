"""strace(1) on a process that runs: its system calls written down, and faults put in their place.

This module must not know what the process is for.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CALLS = (
    "write,writev,pwrite64,pwritev,fsync,fdatasync,sync_file_range,ftruncate,rename,renameat,"
    "renameat2,linkat,unlinkat,sendto,sendmsg,recvfrom,setsockopt"
)
_DEADLINE = 30.0
_LINE = re.compile(r"^(\d+) +(\d+\.\d+) (.*)$")
_WHOLE = re.compile(r"^(\w+)\((.*)\) += (-?\d+|\?)(.*)$")
_BEGUN = re.compile(r"^(\w+)\((.*?)\s*<unfinished \.\.\.>$")
_RESUMED = re.compile(r"^<\.\.\. (\w+) resumed>(.*)\) += (-?\d+|\?)(.*)$")
_DESCRIPTOR = re.compile(r"^(\d+)<(.*?)>(?:, |$)")


@dataclass(slots=True)
class Call:
    """One system call.

    :ivar begin: the number of the line that it begins in, *end* of that in which it returns.
    :ivar path: what its first descriptor is; as strace shows it.
    """

    name: str
    arguments: str
    begin: int
    end: int
    result: int
    error: str

    @property
    def path(self) -> str:
        """What the first descriptor is of; empty when there is none."""
        found = _DESCRIPTOR.match(self.arguments)
        return found[2] if found else ""

    @property
    def failed(self) -> bool:
        """Whether it returned an error."""
        return self.result < 0


def parse(lines: Sequence[str]) -> Iterator[Call]:
    """Yield the calls in the order in which they returned."""
    open_calls: dict[str, tuple[str, str, int]] = {}
    for number, line in enumerate(lines):
        found = _LINE.match(line)
        if found is None:
            continue
        pid, rest = found[1], found[3]
        if whole := _WHOLE.match(rest):
            yield _call(whole[1], whole[2], number, number, whole[3], whole[4])
        elif begun := _BEGUN.match(rest):
            open_calls[pid] = begun[1], begun[2], number
        elif (resumed := _RESUMED.match(rest)) and pid in open_calls:
            name, arguments, begin = open_calls.pop(pid)
            more = resumed[2]
            yield _call(name, arguments + more, begin, number, resumed[3], resumed[4])


def _call(name: str, arguments: str, begin: int, end: int, result: str, error: str) -> Call:
    return Call(name, arguments, begin, end, -1 if result == "?" else int(result), error.strip())


@contextmanager
def traced(strace: str, pid: int, output: Path, options: Sequence[str]) -> Iterator[None]:
    """Have strace on the process for the block; it is ended by its own pid.

    :raises AssertionError: when it cannot attach.
    """
    command = [strace, "-f", "-y", "-ttt", "-s", "2048", "-o", str(output), *options]
    process = subprocess.Popen(
        [*command, "-p", str(pid)], stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    )
    assert process.stderr is not None
    try:
        first = process.stderr.readline()
        assert "attached" in first, first
        yield
    finally:
        process.terminate()
        try:
            process.wait(_DEADLINE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stderr.close()
