"""What is found after a power loss that left a hole in the journal, and whole lines behind it."""

from __future__ import annotations

import os

import pytest

from socketsuite.storage import events
from socketsuite.storage.journal_lines import HEADER, JournalError, Synced, encode, read
from socketsuite.storage.recovery import recover
from socketsuite.wire.merkle import TreeHash
from tests.support.disk import Disk
from tests.support.sink import Sink


@pytest.fixture
def disk(tmp_path):
    disk = Disk(tmp_path, sync="interval")
    for data in (b"one", b"two"):
        write(disk, data, sync=True)
    for data in (b"three", b"four", b"five", b"six"):
        write(disk, data)
    yield disk
    disk.folder.close()


def write(disk, data, sync=False):
    disk.write(data, disk.stream())
    if sync:
        disk.sync()
    disk.run()


def leave(disk, hole, *, says_what_is_synced=True, of=b"\0"):
    """Leave the journal of a process that was killed; the line *hole* of it is *of*."""
    lines = [encode(entries) for entries in disk.journal]
    whole = HEADER + b"".join(lines[: disk.synced_lines])
    lines[hole] = of * len(lines[hole])
    if says_what_is_synced:
        lines.insert(disk.synced_lines, encode([Synced(len(whole))]))
    (disk.folder.path / "~journal").write_bytes(HEADER + b"".join(lines))


def recovered(disk, boot="another boot"):
    """Have the next process begin, and return what it tells of the journal."""
    found = recover(disk.folder, "~journal", boot, 0.0)
    disk.go_on(found)
    disk.store.destinations.clear()
    return [event for event, _ in found.told if "~journal" in str(event)]


@pytest.mark.parametrize("hole", [-4, -3])
def test_a_hole_takes_nothing_that_was_acknowledged_and_no_byte_is_there_twice(disk, hole):
    leave(disk, hole)
    lines = (disk.folder.path / "~journal").read_bytes()
    (told,) = recovered(disk)
    why = "a power loss left a hole there, which had not been synced"
    assert told == events.TailCut("~journal", len(lines[lines.index(b"\0") :]), why)
    assert (disk.stream().durable, disk.stream().receipt) == (6, (6, root(b"onetwo")))
    write(disk, b"threefour", sync=True)
    assert disk.receipts[-1][1:3] == (15, root(b"onetwothreefour"))
    assert disk.read() == b"onetwothreefour"
    assert disk.names() == ["a", "~journal"]


def root(data):
    tree = TreeHash()
    tree.feed(data)
    return tree.root()


@pytest.mark.parametrize(
    "how",
    [
        {"hole": 3},
        {"hole": -3, "boot": "this boot"},
        {"hole": -3, "says_what_is_synced": False},
        {"hole": -3, "of": b"x"},
    ],
    ids=["synced", "no power loss", "who knows whether it was synced", "not of zeros"],
)
def test_other_damage_cuts_nothing_off(disk, how):
    boot = how.pop("boot", "another boot")
    leave(disk, **how)
    (told,) = recovered(disk, boot)
    assert isinstance(told, events.JournalSetAside)
    assert disk.read("a~000001") == b"onetwothreefourfivesix"


def test_what_a_hole_had_cut_off_is_cut_off_again_when_that_start_was_killed(disk, monkeypatch):
    leave(disk, -3)
    monkeypatch.setattr("socketsuite.storage.recovery.replace", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        recovered(disk)
    monkeypatch.undo()
    assert recovered(disk) == []
    assert disk.read() == b"onetwo"


def test_a_journal_says_no_more_than_what_was_synced(tmp_path, monkeypatch):
    journal = tmp_path / "a~journal"
    synced = []

    def noting(sync):
        def noted(descriptor):
            status = os.fstat(descriptor)
            sync(descriptor)
            synced.append((status.st_ino, status.st_size))

        return noted

    for name in ("fdatasync", "fsync"):
        monkeypatch.setattr(os, name, noting(getattr(os, name)))
    sink = Sink(tmp_path / "a")
    for number in range(5):
        sink.upload(f"s{number}", b"data")
    sink.stop()
    said = []
    for line in journal.read_bytes().splitlines(keepends=True)[1:]:
        (entries,) = read([line])
        assert not isinstance(entries, JournalError)
        said += [one.length for one in entries if isinstance(one, Synced)]
    assert len(said) > 5
    assert {(journal.stat().st_ino, length) for length in said} <= set(synced)
