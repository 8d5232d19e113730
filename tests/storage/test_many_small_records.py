"""What small records of several streams in one file cost the journal: time and memory."""

from __future__ import annotations

import os
import time
from pathlib import Path

from socketsuite.storage.beneath import Folder
from socketsuite.storage.journal_lines import (
    HEADER,
    Began,
    Durable,
    Entry,
    Extent,
    FileAdded,
    StreamAdded,
    encode,
)
from socketsuite.storage.recovery import recover
from socketsuite.wire.merkle import TreeHash

RECORDS = 30_000


def test_a_start_takes_time_in_proportion_to_the_records(tmp_path: Path) -> None:
    (tmp_path / "all").write_bytes(b"ab" * RECORDS)
    inode = (tmp_path / "all").stat().st_ino
    begun: list[Entry] = [Began("boot", 0), FileAdded(1, "all", inode, 0)]
    lines = [HEADER, encode([*begun, StreamAdded(1, "a"), StreamAdded(2, "b")])]
    for at in range(2 * RECORDS):
        lines.append(encode([Extent(1 + at % 2, at // 2, 1, 1, at), Durable(1, at + 1)]))
    (tmp_path / "~journal").write_bytes(b"".join(lines))
    begin = time.process_time()
    with Folder(tmp_path) as folder:
        found = recover(folder, "~journal", "boot", 0.0)
    os.close(found.descriptor)
    # Three seconds; each record held against all of its leaf would be minutes.
    assert time.process_time() - begin < 30
    for stream, byte in zip(found.streams, b"ab", strict=True):
        tree = TreeHash()
        tree.feed(bytes([byte]) * RECORDS)
        assert stream.receipt == (RECORDS, tree.root())
    # The journal's thread adds to it for as long as the sink runs.
    assert not any(known.tail for known in found.state.streams.values())
