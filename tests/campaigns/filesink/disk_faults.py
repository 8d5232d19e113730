"""Builds ``disk_faults.c``, and tells a process that has it preloaded what is to go wrong.

This module must not know what is done with the files.
"""

from __future__ import annotations

import errno
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

_SOURCE = Path(__file__).with_suffix(".c")
SHORT = -1
"""In place of an error: half of the bytes are written."""
FOR_EVER = 1_000_000


@dataclass(frozen=True)
class Fault:
    """What goes wrong with one system call on files whose name ends with *suffix*.

    :ivar first: the number of the first such call that it happens to, *last* that of the last.
    :ivar error: the error's number; 0 is none, :data:`SHORT` half a write.
    """

    call: str
    suffix: str
    first: int
    last: int
    error: int
    milliseconds: int = 0

    def __str__(self) -> str:
        name = errno.errorcode.get(self.error, "short" if self.error == SHORT else "slow")
        until = "on" if self.last == FOR_EVER else str(self.last)
        return f"{self.call} {self.suffix} {name} {self.first}-{until}"

    @property
    def rule(self) -> str:
        """The line that says so."""
        return (
            f"{self.call} {self.suffix} {self.first} {self.last} {self.error} {self.milliseconds}\n"
        )


class DiskFaults:
    """The library, and its rules.

    :param folder: where it is built, and *files* what it is for.
    """

    def __init__(self, compiler: str, folder: Path, files: Path) -> None:
        self._library = folder / "disk_faults.so"
        self._rules = folder / "disk_faults.rules"
        self._files = files
        self.set()
        if not self._library.exists():
            command = [compiler, "-O1", "-shared", "-fPIC", "-o", str(self._library), str(_SOURCE)]
            subprocess.run([*command, "-ldl"], check=True)

    @property
    def environment(self) -> dict[str, str]:
        """What the process is to be started with."""
        return {
            "LD_PRELOAD": str(self._library),
            "DISK_FAULTS": str(self._rules),
            "DISK_FAULTS_FOLDER": str(self._files),
        }

    def set(self, *faults: Fault) -> None:
        """Have those happen from now on, and no others."""
        new = self._rules.with_suffix(".new")
        new.write_text("".join(one.rule for one in faults))
        os.replace(new, self._rules)
