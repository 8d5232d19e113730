"""What is gone on with when lines of the journal are damaged, and not only its end."""

from __future__ import annotations

import os
import random

import pytest

from socketsuite.storage.beneath import Folder
from socketsuite.storage.journal_lines import (
    HEADER,
    Began,
    Durable,
    Entry,
    Extent,
    FileAdded,
    Leaves,
    StreamAdded,
    Used,
    encode,
)
from socketsuite.storage.recovery import recover
from socketsuite.wire.merkle import LEAF, TreeHash

DATA = random.Random(1).randbytes(LEAF + 5000)
FIRST = DATA[:60_000]


def tree(data):
    made = TreeHash()
    made.feed(data)
    return made


def recovered(path, lines):
    (path / "s.bin").write_bytes(DATA)
    inode = (path / "s.bin").stat().st_ino
    begun: list[Entry] = [Began("boot", 1), FileAdded(1, "s.bin", inode, 0), StreamAdded(1, "s")]
    (path / "~journal").write_bytes(HEADER + encode(begun) + b"".join(lines))
    with Folder(path) as folder:
        found = recover(folder, "~journal", "another boot", 0.0)
    os.close(found.descriptor)
    return {one.name: one.receipt for one in found.streams}


def committed(start, end):
    leaves, hashes = tree(DATA[:end]).frontier()
    more: list[Entry] = [Leaves(1, leaves, b"".join(hashes).hex())] if leaves else []
    entries: list[Entry] = [Extent(1, start, end - start, 1, start), *more, Durable(1, end)]
    return encode(entries)


def hole(line):
    return bytes(len(line) - 1) + b"\n"


LINES = (committed(0, 60_000), committed(60_000, len(DATA)))
USED = encode([Used(1, 7)])


@pytest.mark.parametrize("lost", [hole(USED), bytes(len(USED))])
def test_a_line_that_a_power_loss_left_out_takes_nothing_of_those_before_it(tmp_path, lost):
    assert recovered(tmp_path, [*LINES, lost, USED, USED]) == {"s": (len(DATA), tree(DATA).root())}


def test_what_a_later_line_proves_by_its_hash_is_there_though_one_before_is_lost(tmp_path):
    later = committed(60_000, LEAF)
    lines = [LINES[0], encode([Used(1, 3)]), later]
    lines.insert(1, hole(USED))
    assert recovered(tmp_path, lines) == {"s": (LEAF, tree(DATA[:LEAF]).root())}


def test_of_what_files_do_not_have_nothing_is_believed(tmp_path):
    beyond = encode([Extent(1, len(DATA), 9, 1, len(DATA)), Durable(1, len(DATA) + 9)])
    assert recovered(tmp_path, [*LINES, beyond, hole(USED), USED]) == {
        "s": (len(DATA), tree(DATA).root())
    }
