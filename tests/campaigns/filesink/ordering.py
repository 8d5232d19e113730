"""Reads a trace of system calls: was all on disk that was acknowledged, when it was?

An acknowledgement is an ACK or DONE that is sent, and the FIN of the raw port, which comes behind a
setsockopt(SO_LINGER).  A sync covers what was written before it began, from when it has returned
without an error; an acknowledgement needs one of the data file and one of the journal.  This module
must not know who was traced.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from socketsuite.storage.journal_lines import HEADER, Extent, JournalError, read
from socketsuite.storage.journal_state import JournalState
from tests.campaigns.filesink.tracing import Call

_RECEIPT = re.compile(r"(?:ACK|DONE) (\d+) [0-9a-f]{64} ")
_HELD = re.compile(r"STREAM (\S+) \d+ [0-9a-f]{64}\\n")
_RENAMED = re.compile(r'\d+<(.*?)>, "(.*?)", \d+<(.*?)>, "(.*?)"')


@dataclass(eq=False)
class _Series:
    """A number that only grows, by the line of the trace."""

    lines: list[int] = field(default_factory=lambda: [-1])
    values: list[int] = field(default_factory=lambda: [0])

    def set(self, line: int, value: int) -> None:
        self.lines.append(line)
        self.values.append(value)

    def at(self, line: int) -> int:
        """Return what it was before that line."""
        return self.values[bisect_right(self.lines, line - 1) - 1]


@dataclass(eq=False)
class _TracedFile:
    written: _Series = field(default_factory=_Series)
    synced: _Series = field(default_factory=_Series)
    failed: bool = False

    @classmethod
    def of_length(cls, length: int) -> _TracedFile:
        made = cls()
        made.written.values[0] = made.synced.values[0] = length
        return made


@dataclass
class Acknowledged:
    """What was acknowledged at a line: so much of *stream*, or of the raw port when it is None."""

    line: int
    stream: str | None
    offset: int


@dataclass
class Trace:
    """What a trace says.

    :param lengths: of files that were there before, by path.
    """

    lengths: Mapping[str, int]
    files: dict[str, _TracedFile] = field(default_factory=dict)
    acknowledged: list[Acknowledged] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.files = {path: _TracedFile.of_length(n) for path, n in self.lengths.items()}
        self._streams: dict[str, str] = {}
        self._received = 0
        self._raw: set[str] = set()

    def take(self, calls: Iterable[Call]) -> Trace:
        """Take what was traced."""
        for call in calls:
            if call.name.startswith("rename"):
                self._rename(call)
            elif call.path.startswith("socket:"):
                self._talk(call)
            elif call.path.startswith("/"):
                self._store(call)
        return self

    def _rename(self, call: Call) -> None:
        found = _RENAMED.search(call.arguments)
        if found is not None and not call.failed:
            old, new = f"{found[1]}/{found[2]}", f"{found[3]}/{found[4]}"
            if old in self.files:
                self.files[new] = self.files.pop(old)

    def _store(self, call: Call) -> None:
        if call.name in ("write", "writev", "pwrite64", "pwritev") and not call.failed:
            file = self.files.setdefault(call.path, _TracedFile())
            file.written.set(call.end, file.written.values[-1] + call.result)
        elif call.name == "ftruncate" and not call.failed:
            length = int(call.arguments.rsplit(", ", 1)[1])
            file = self.files.setdefault(call.path, _TracedFile())
            file.written.set(call.end, length)
            file.synced.set(call.end, min(length, file.synced.values[-1]))
        elif call.name in ("fsync", "fdatasync") and call.path in self.files:
            file = self.files[call.path]
            # After one error nothing is certain any more, whatever the next sync says.
            file.failed = file.failed or call.failed
            if not file.failed:
                file.synced.set(call.end, file.written.at(call.begin))

    def _talk(self, call: Call) -> None:
        key = call.path
        if call.name == "setsockopt" and "SO_LINGER" in call.arguments:
            if "l_onoff=1" in call.arguments:
                self._raw.add(key)
            elif key in self._raw:
                self.acknowledged.append(Acknowledged(call.begin, None, self._received))
        elif call.name == "recvfrom" and key in self._raw and not call.failed:
            self._received += call.result
        elif call.name in ("sendto", "sendmsg", "write", "writev") and not call.failed:
            for name in _HELD.findall(call.arguments):
                self._streams[key] = name
            for offset in _RECEIPT.findall(call.arguments):
                name = self._streams[key]
                self.acknowledged.append(Acknowledged(call.begin, name, int(offset)))


def uncovered(trace: Trace, folder: Path, journal: str) -> list[str]:
    """Return what is wrong: each acknowledgement that was sent before all of it was on disk.

    :param journal: the journal's name in *folder*; nobody writes there any more.
    """
    state = JournalState()
    extents: dict[str, list[tuple[int, Extent]]] = defaultdict(list)
    with (folder / journal).open("rb") as file:
        assert file.readline() == HEADER
        for entries in read(file):
            if isinstance(entries, JournalError):
                assert not file.read(1), entries
                break  # a line that a fault tore is the last one
            state.apply(entries)
            for entry in entries:
                if isinstance(entry, Extent):
                    extents[state.streams[entry.stream].name].append((file.tell(), entry))
    its_journal = trace.files[str(folder / journal)]
    names = {number: str(folder / one.name) for number, one in state.files.items()}
    wrong = []
    for one in trace.acknowledged:
        if one.stream is None:
            durable = sum(
                file.synced.at(one.line)
                for path, file in trace.files.items()
                if path.startswith(str(folder / "raw.bin"))
            )
            if durable < one.offset:
                wrong.append(f"line {one.line + 1}: a FIN for {one.offset}, {durable} on disk")
            continue
        reached = 0
        for end, extent in extents[one.stream]:
            if extent.offset >= one.offset:
                break
            length = min(extent.length, one.offset - extent.offset)
            in_file = trace.files[names[extent.file]].synced.at(one.line)
            if extent.at + length > in_file or end > its_journal.synced.at(one.line):
                break
            reached = extent.offset + length
        if reached < one.offset:
            wrong.append(f"line {one.line + 1}: {one.stream} to {one.offset}, on disk {reached}")
    return wrong
