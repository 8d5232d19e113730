"""What the kernel tells of a process: memory, descriptors, and time waited for a CPU.

Reads /proc; must not know what the process is.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

_Seen = TypeVar("_Seen")
_LOOK_SECONDS = 0.01


def memory(pid: int, key: str = "VmRSS") -> int:
    """Return the bytes of memory a process has now, or (``VmHWM``) has had at most.

    :raises FileNotFoundError: when there is no such process.
    """
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(rf"{key}:\s+(\d+) kB", status)
    assert found is not None, f"process {pid} has ended"
    return int(found[1]) * 1024


def descriptors(pid: int) -> int:
    """Return how many descriptors a process has open.

    :raises FileNotFoundError: when there is no such process.
    """
    return len(os.listdir(f"/proc/{pid}/fd"))


def until(
    look: Callable[[], _Seen], wanted: Callable[[_Seen], bool], seconds: float = 20.0
) -> _Seen:
    """Return what *look* sees once it is as *wanted*; for what nothing else tells of.

    :raises AssertionError: with what was seen last, when it is not so within *seconds*.
    """
    deadline = time.monotonic() + seconds
    while not wanted(seen := look()):
        assert time.monotonic() < deadline, f"after {seconds:g} s still {seen!r}"
        time.sleep(_LOOK_SECONDS)  # between two looks
    return seen


class Stopwatch:
    """Seconds since it was made, less those for which the machine had no CPU to give.

    So a limit is the measured process's own, and holds on a machine with other work, too:
    what its threads and ours waited for a CPU is told by the kernel (``schedstat``).
    """

    def __init__(self, pids: Iterable[int]) -> None:
        self._pids = (os.getpid(), *pids)
        self._waited = dict.fromkeys(self._pids, 0.0)
        self._began = self._now()

    def seconds(self) -> float:
        """Return them; of a process that has ended, by what was known when last asked.

        The kernel counts a wait when it is over: what is returned may be less than before.
        """
        return max(0.0, self._now() - self._began)

    def _now(self) -> float:
        for pid in self._pids:
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                self._waited[pid] = _waited_for_cpu(pid)
        return time.monotonic() - sum(self._waited.values())


def _waited_for_cpu(pid: int) -> float:
    waited = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            waited += int(Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()[1])
    return waited / 1e9
