"""What a sink's folder holds, by its journal and its files: compared with what was sent.

Nothing may write there meanwhile.  This module must not know how the folder came to be so.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from socketsuite.storage.beneath import Folder
from socketsuite.storage.extents import open_known, read_extents
from socketsuite.storage.journal_file import lines_of
from socketsuite.storage.journal_lines import HEADER, Extent, JournalError, read
from socketsuite.storage.journal_state import JournalState
from tests.campaigns.filesink.ack_sender import Stream
from tests.campaigns.filesink.records import numbers


@dataclass
class Holdings:
    """What the journal says.

    :ivar extents: by stream; those of streams that are gone are left out.
    """

    state: JournalState
    extents: dict[str, list[Extent]] = field(default_factory=dict)


def read_journal(path: Path) -> Holdings:
    """Return what the journal says.

    :raises AssertionError: when a line of it is damaged.
    """
    holdings = Holdings(JournalState())
    by_number: dict[int, list[Extent]] = defaultdict(list)
    with path.open("rb") as file:
        assert file.readline() == HEADER
        for entries in read(lines_of(file)):
            assert not isinstance(entries, JournalError), f"{path}: {entries}"
            holdings.state.apply(entries)
            for entry in entries:
                if isinstance(entry, Extent):
                    by_number[entry.stream].append(entry)
    for stream in holdings.state.streams.values():
        holdings.extents[stream.name] = by_number[stream.number]
    return holdings


def check_streams(
    folder: Path, holdings: Holdings, streams: Mapping[str, Stream], since: Mapping[str, int]
) -> dict[str, int]:
    """See that each stream's bytes are there from *since* on; return how many there are.

    :raises AssertionError: when acknowledged bytes are missing, or others are in their place.
    """
    found = {one.name: one.offset for one in holdings.state.streams.values()}
    with Folder(folder) as opened:
        for name, stream in streams.items():
            held = found.get(name, 0)
            acknowledged = stream.acknowledged
            assert held >= acknowledged, f"{name}: {acknowledged} acknowledged, {held} held"
            start = since.get(name, 0)
            extents = holdings.extents.get(name, [])
            at = start
            for data in read_extents(opened, holdings.state.files, extents, start, held - start):
                assert data == stream.source.data(at, at + len(data)), f"{name}: from {at} on"
                at += len(data)
    return found


def contents(folder: Path, holdings: Holdings) -> Iterator[tuple[int, bytes]]:
    """Yield each file's number and what is in it, compressed or not.

    :raises AssertionError: when one is not as long as the journal says.
    """
    with Folder(folder) as opened:
        for known in holdings.state.files.values():
            with open_known(opened, known.name) as file:
                data = file.read()
            assert len(data) == known.written, f"{known.name}: {len(data)}, not {known.written}"
            yield known.number, data
        for name in unknown_files(folder, holdings, segments=True):
            with open_known(opened, name) as file:
                yield -1, file.read()


def check_files(
    folder: Path, holdings: Holdings, confirmed: Mapping[str, list[int]], *, whole_records: bool
) -> None:
    """See that no byte of a stream is there twice, and each confirmed record of the raw port once.

    :param whole_records: whether what is outside of streams is whole records, too.
    :raises AssertionError: when it is not so.
    """
    by_file: dict[int, list[Extent]] = defaultdict(list)
    for extents in holdings.extents.values():
        for one in extents:
            by_file[one.file].append(one)
    found: dict[str, list[int]] = defaultdict(list)
    for number, data in contents(folder, holdings):
        at = 0
        rest = bytearray()
        for one in sorted(by_file[number], key=lambda one: one.at):
            assert one.at >= at, f"file {number}: bytes at {one.at} are in two extents"
            rest += data[at : one.at]
            at = one.at + one.length
        rest += data[at:]
        if whole_records:
            numbers(data.splitlines(keepends=True))
        lines = bytes(rest).splitlines(keepends=True)
        for source, its in numbers(line for line in lines if whole_records or _sound(line)).items():
            found[source] += its
    for source, wanted in confirmed.items():
        assert len(set(found[source])) == len(found[source]), f"{source}: a record twice"
        missing = set(wanted) - set(found[source])
        assert not missing, f"{source}: records {sorted(missing)[:5]} were confirmed"


def _sound(line: bytes) -> bool:
    """Whether a line of a file without records is whole: a kill may have torn it."""
    try:
        numbers([line])
    except AssertionError:
        return False
    return True


def unknown_files(folder: Path, holdings: Holdings, *, segments: bool = False) -> list[str]:
    """Return the files in *folder* that the journal does not know; empty ones may have failed.

    :param segments: those that are closed, which a start forgets if they hold nothing of a stream;
        else those that are not.
    """
    known = {one.name for one in holdings.state.files.values()}
    found = []
    for path, _, names in os.walk(folder):
        for name in names:
            relative = os.path.relpath(os.path.join(path, name), folder)
            if not os.path.getsize(os.path.join(path, name)):
                continue
            plain = relative.removesuffix(".zst").removesuffix(".gz")
            if ("~0" in relative) != segments:
                continue
            if plain not in known and not relative.endswith(("~journal", "~tmp")):
                found.append(relative)
    return found
