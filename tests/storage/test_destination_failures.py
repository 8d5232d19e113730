"""What becomes of a destination whose file cannot be written, synced, renamed or closed."""

from __future__ import annotations

import errno
import os

import pytest

from socketsuite.storage.recovery import recover
from socketsuite.storage.stream_map import find_map
from socketsuite.wire.merkle import TreeHash
from tests.support.disk import Disk


@pytest.fixture
def disk_of(tmp_path):
    """Make storage without threads."""
    made = []

    def make(**options):
        (tmp_path / "sink").mkdir(exist_ok=True)
        disk = Disk(tmp_path / "sink", **options)
        made.append(disk)
        return disk

    yield make
    for disk in made:
        disk.folder.close()


def recovered(disk, boot="this boot"):
    """Return the streams that a process begins with which comes after one that was killed."""
    disk.write_journal()
    found = recover(disk.folder, "~journal", boot, 0.0)
    os.close(found.descriptor)
    return {one.name: (one.enqueued, one.tree.root()) for one in found.streams}


class Failing:
    """A call of the system that fails as long as it is told to."""

    def __init__(self, monkeypatch, name, number=errno.EIO):
        self.calls = 0
        self.on = True
        real = getattr(os, name)

        def call(*args, **options):
            self.calls += 1
            if self.on:
                raise OSError(number, os.strerror(number))
            return real(*args, **options)

        monkeypatch.setattr(os, name, call)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("sync", ["always", "interval", "none"])
def test_after_a_failed_sync_no_receipt_covers_what_may_be_lost(disk_of, monkeypatch, sync):
    disk = disk_of(sync=sync)
    stream = disk.stream()
    disk.write(b"one", stream)
    disk.sync()
    disk.run()
    assert disk.receipts[-1].offset == 3
    kept = disk.receipts[-1]
    failing = Failing(monkeypatch, "fdatasync")
    disk.write(b"two", stream)
    disk.run()
    disk.sync()
    disk.run()
    assert disk.open().trouble is not None
    failing.on = False
    disk.store.retry()
    before = len(disk.receipts)
    disk.sync()
    disk.run()
    # Whatever may be lost is sent again, and only then confirmed.
    assert [one for one in disk.receipts[before:] if one.offset > 3] == []
    assert stream.enqueued == stream.tree.size == 3
    assert stream.tree.root() == kept.root
    disk.write(b"TWO", stream)
    disk.sync()
    disk.run()
    assert disk.receipts[-1].offset == 6
    assert disk.read() == b"oneTWO"
    known = disk.state.streams[stream.number]
    assert known.offset == 6


def root(data: bytes) -> bytes:
    tree = TreeHash()
    tree.feed(data)
    return tree.root()


@pytest.mark.parametrize("sync", ["always", "interval", "none"])
@pytest.mark.parametrize("size", [3, 70_000, 200_000])
@pytest.mark.parametrize(("again", "name"), [(0, "a"), (1, "a"), (150_000, "a"), (900_000, "b")])
def test_after_a_failed_sync_the_next_process_trusts_what_was_synced_only(
    disk_of, monkeypatch, sync, size, again, name
):
    disk = disk_of(sync=sync)
    stream = disk.stream()
    kept = b"k" * size
    disk.write(kept, stream)
    disk.sync()
    disk.run()
    failing = Failing(monkeypatch, "fdatasync")
    for _ in range(3):
        disk.write(b"l" * size, stream)
        disk.run()
        disk.write(b"other", disk.stream("other"))
        disk.run()
    disk.sync()
    disk.run()
    failing.on = False
    assert recovered(disk) == {"s": (size, root(kept)), "other": (0, root(b""))}
    if again:
        disk.store.retry()
        disk.write(b"m" * again, stream, name)
        disk.sync(name=name)
        disk.run()
        whole = kept + b"m" * again
        assert name == "b" or disk.read() == whole
        for boot in ("this boot", "another"):
            assert recovered(disk, boot)["s"] == (len(whole), root(whole))
        found = find_map(disk.folder.path, "s")
        assert found is not None
        assert b"".join(data for data, _, _ in found.chunks()) == whole


def test_with_sync_none_a_failed_write_costs_nothing_that_was_confirmed(disk_of, monkeypatch):
    disk = disk_of(sync="none")
    stream = disk.stream()
    disk.write(b"one", stream)
    disk.run()
    failing = Failing(monkeypatch, "writev")
    disk.write(b"two", stream)
    disk.run()
    failing.on = False
    assert (stream.enqueued, stream.receipt) == (3, (3, root(b"one")))
    assert recovered(disk) == {"s": (3, root(b"one"))}


def test_a_rotation_for_which_the_disk_is_too_full_leaks_nothing(disk_of, monkeypatch):
    disk = disk_of(rotate_size=4)
    disk.write(b"one!")
    disk.run()
    before = descriptors()
    renamed = type(disk.folder).rename
    full = True

    def rename(self, *args, **options):
        if full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return renamed(self, *args, **options)

    monkeypatch.setattr(type(disk.folder), "rename", rename)
    for _ in range(5):
        disk.write(b"two!")
        disk.run()
    assert disk.read() == b"one!" + b"two!" * 5
    assert descriptors() == before
    assert disk.setup.last_number == 1
    full = False
    disk.write(b"three")
    disk.run()
    assert disk.read("a~000001") == b"one!" + b"two!" * 5
    assert disk.read() == b"three"


def test_a_destination_that_failed_when_it_was_closed_is_closed_later(disk_of, monkeypatch):
    disk = disk_of(sync="interval")
    disk.write(b"one")
    disk.run()
    failing = Failing(monkeypatch, "fdatasync")
    disk.store._look_after()
    disk.reactor.advance(11)
    disk.store._look_after()
    disk.run()
    assert disk.open().trouble is not None
    failing.on = False
    disk.store.retry()
    disk.reactor.advance(11)
    disk.store._look_after()
    disk.run()
    assert disk.store.destinations == {}


@pytest.mark.parametrize("what", ["ticks", "syncs"])
def test_the_queue_of_a_disk_that_hangs_does_not_grow_by_itself(disk_of, what):
    disk = disk_of(sync="interval", rotate_every=3600.0)
    disk.write(b"one")
    for _ in range(1000):
        disk.reactor.advance(1)
        if what == "ticks":
            disk.store._look_after()
        else:
            disk.store.sync()
    assert len(disk.open()._queue) < 10


def test_what_waits_for_a_failed_file_is_told(disk_of, monkeypatch):
    disk = disk_of()
    told = []
    Failing(monkeypatch, "writev")
    disk.write(b"one")
    disk.store.flush(disk.open(), lambda: told.append("kept"), failed=told.append)
    disk.run()
    assert told == ["Input/output error"]
    disk.store.flush(disk.open(), lambda: told.append("kept"), failed=told.append)
    disk.run()
    assert told == ["Input/output error"] * 2


@pytest.mark.parametrize("trouble", ["closed", "moved"])
def test_a_file_is_synced_before_it_is_let_go_even_with_sync_none(disk_of, monkeypatch, trouble):
    disk = disk_of(sync="none")
    stream = disk.stream()
    disk.write(b"one", stream)
    disk.run()
    synced = []
    real = os.fdatasync

    def fdatasync(descriptor):
        synced.append(os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")))
        real(descriptor)

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    if trouble == "closed":
        disk.reactor.advance(11)
        disk.store._look_after()
        disk.run()
    else:
        os.rename(disk.folder.path / "a", disk.folder.path / "moved")
        disk.write(b"two", stream)
    disk.sync()
    disk.run()
    assert synced[0] == {"closed": "a", "moved": "moved"}[trouble]


def test_room_is_asked_for_once_for_each_byte(disk_of, monkeypatch):
    asked = []
    disk = disk_of(no_room=lambda size: asked.append(size))
    real = os.writev
    count = 0

    def writev(descriptor, pieces):
        nonlocal count
        count += 1
        if count < 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, pieces)

    monkeypatch.setattr(os, "writev", writev)
    disk.write(b"one")
    disk.run()
    assert disk.read() == b"one"
    assert sum(asked) == 3


def test_a_file_that_others_moved_while_it_was_closed_is_known_by_its_new_name(disk_of):
    disk = disk_of()
    stream = disk.stream()
    disk.write(b"one", stream)
    disk.run()
    disk.reactor.advance(11)
    disk.store._look_after()
    disk.run()
    os.rename(disk.folder.path / "a", disk.folder.path / "a.1")
    disk.write(b"two", stream)
    disk.run()
    assert (disk.read("a.1"), disk.read()) == (b"one", b"two")
    assert recovered(disk) == {"s": (6, root(b"onetwo"))}
