"""A folder as a crash may leave it: what was synced is there, and any part of what was not.

Replays a trace of system calls.  Of one file, writes and truncations that were not synced may be
there or not, each for itself, and a write in part: a hole is zeros.  Names (created, renamed,
removed) come in their order, as a file system with a journal has them, and are certain when their
folder was synced.  This module must not know what is in the files.
"""

from __future__ import annotations

import codecs
import random
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.campaigns.filesink.tracing import Call

CALLS = (
    "openat,openat2,write,writev,pwrite64,fsync,fdatasync,ftruncate,rename,renameat,renameat2,"
    "unlinkat,unlink,linkat,sendto,recvfrom,setsockopt"
)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_BESIDE = re.compile(r'\d+<([^>]*)>, "((?:[^"\\]|\\.)*)"')
_OPENED = re.compile(r"<([^>]*)>")


@dataclass(eq=False)
class File:
    """An inode.

    :ivar was: its number in the file system that was traced; 0 where nobody asks.
    :ivar durable: what is on disk for certain, *pending* what was done since: where, and which
        bytes; no bytes is a truncation to there.
    """

    was: int = 0
    durable: bytes = b""
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)
    length: int = 0

    def apply(self, chosen: Iterable[tuple[int, bytes | None]]) -> bytes:
        """Return what the file holds with those of its pending changes."""
        data = bytearray(self.durable)
        for at, piece in chosen:
            if piece is None:
                data = data[:at] if at < len(data) else data + bytes(at - len(data))
                continue
            data += bytes(max(0, at - len(data)))
            data[at : at + len(piece)] = piece
        return bytes(data)


Names = dict[str, File]
Image = dict[str, tuple[bytes, int]]
"""By name, what is in a file, and the number of its inode in what was traced."""


class Disk:
    """What a disk has of one folder, while a trace is replayed.

    :param folder: the folder; it is flat.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self.names: Names = {}
        for path in folder.iterdir():
            data = path.read_bytes()
            self.names[path.name] = File(path.stat().st_ino, data, [], len(data))
        self._durable_names = dict(self.names)
        self._pending_names: list[tuple[int, Callable[[Names], object]]] = []
        self._pending_ends: dict[File, list[int]] = {}

    def take(self, call: Call) -> bool:
        """Take one call; return whether it has changed anything here."""
        if call.failed:
            return False
        if call.name in ("openat", "openat2"):
            return self._open(call)
        if call.name.startswith("rename"):
            return self._rename(call)
        if call.name == "unlinkat":
            found = _BESIDE.match(call.arguments)
            return found is not None and self._in_folder(found[1]) and self._unlink(call, found[2])
        if call.name in ("fsync", "fdatasync") and call.path == self._folder:
            done = [change for end, change in self._pending_names if end < call.begin]
            for change in done:
                change(self._durable_names)
            del self._pending_names[: len(done)]
            return True
        return self._in_folder(call.path.rpartition("/")[0]) and self._change(call)

    def _in_folder(self, path: str) -> bool:
        return path == self._folder

    def _name_changes(self, call: Call, change: Callable[[Names], object]) -> bool:
        change(self.names)
        self._pending_names.append((call.end, change))
        return True

    def _open(self, call: Call) -> bool:
        found = _OPENED.match(call.error)
        folder, _, name = found[1].rpartition("/") if found else ("", "", "")
        if "O_CREAT" not in call.arguments or not self._in_folder(folder) or name in self.names:
            return False
        made = File()
        return self._name_changes(call, lambda names: names.__setitem__(name, made))

    def _rename(self, call: Call) -> bool:
        ends = _BESIDE.findall(call.arguments)
        if len(ends) != 2 or not self._in_folder(ends[0][0]):
            return False
        (_, old), (_, new) = ends
        moved = self.names[old]

        def change(names: Names) -> None:
            names.pop(old, None)
            names[new] = moved

        return self._name_changes(call, change)

    def _unlink(self, call: Call, name: str) -> bool:
        return self._name_changes(call, lambda names: names.pop(name, None))

    def _change(self, call: Call) -> bool:
        file = self.names.get(call.path.rpartition("/")[2])
        if file is None:
            return False
        ends = self._pending_ends.setdefault(file, [])
        if call.name in ("write", "writev", "pwrite64"):
            data = b"".join(map(_unescaped, _QUOTED.findall(call.arguments)))[: call.result]
            assert len(data) == call.result, f"strace has cut what was written: {call.result}"
            file.pending.append((file.length, data))
            file.length += len(data)
            ends.append(call.end)
        elif call.name == "ftruncate":
            file.length = int(call.arguments.rsplit(", ", 1)[1])
            file.pending.append((file.length, None))
            ends.append(call.end)
        elif call.name in ("fsync", "fdatasync"):
            count = sum(end < call.begin for end in ends)
            file.durable = file.apply(file.pending[:count])
            del file.pending[:count], ends[:count]
        return True

    # ── what a crash may leave ──────────────────────────────────────────────────────

    def least(self) -> Image:
        """What is certain, and nothing else."""
        return {name: (file.durable, file.was) for name, file in self._durable_names.items()}

    def most(self) -> Image:
        """All that was done."""
        return {name: (file.apply(file.pending), file.was) for name, file in self.names.items()}

    def some(self, dice: random.Random) -> Image:
        """What is certain, and something of what is not."""
        names = dict(self._durable_names)
        for _, change in self._pending_names[: dice.randrange(len(self._pending_names) + 1)]:
            change(names)
        return {name: (file.apply(_some(file, dice)), file.was) for name, file in names.items()}


def _some(file: File, dice: random.Random) -> Iterable[tuple[int, bytes | None]]:
    for at, piece in file.pending:
        luck = dice.random()
        if luck < 0.5:
            yield at, piece
        elif luck < 0.75 and piece is not None:
            yield at, piece[: dice.randrange(len(piece) + 1)]
        elif luck < 0.85 and piece is not None:
            yield at, bytes(len(piece))  # its length is on disk, what is in it not


def _unescaped(text: str) -> bytes:
    return codecs.escape_decode(text.encode("latin-1"))[0]
