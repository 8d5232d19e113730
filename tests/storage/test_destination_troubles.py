"""A destination without room or descriptors, and one that others write to."""

from __future__ import annotations

import errno
import os
import time

import pytest

from tests.support.disk import Disk


@pytest.mark.parametrize("when", ["before our write", "behind our write"])
def test_after_a_failure_nothing_is_cut_off_that_others_wrote(tmp_path, monkeypatch, when):
    disk = Disk(tmp_path)
    disk.write(b"one", disk.stream())
    disk.run()
    real = os.writev

    def others_write():
        with (disk.folder.path / "a").open("ab") as file:
            file.write(b"theirs")

    def failing(descriptor, pieces):
        real(descriptor, [b"tw"])
        if when == "behind our write":
            others_write()
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    if when == "before our write":
        others_write()
    monkeypatch.setattr(os, "writev", failing)
    disk.write(b"two", disk.stream())
    disk.run()
    assert disk.open().trouble is not None
    monkeypatch.undo()
    disk.open().retry()
    disk.write(b"two", disk.stream())
    disk.run()
    assert b"theirs" in disk.read()
    assert disk.read().startswith(b"one")
    assert disk.read().endswith(b"two")


def test_a_sync_for_which_the_disk_is_too_full_is_not_tried_again(tmp_path, monkeypatch):
    disk = Disk(tmp_path, sync="interval", rotate_size=4)
    disk.write(b"one", disk.stream())
    disk.run()
    real, calls = os.fdatasync, []

    def fdatasync(descriptor):
        calls.append(descriptor)
        if len(calls) == 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    disk.write(b"two", disk.stream())
    disk.run()
    assert disk.open().trouble == os.strerror(errno.ENOSPC)
    assert len(calls) == 1


def test_a_folder_that_cannot_be_synced_for_want_of_descriptors_is_synced_later(
    tmp_path, monkeypatch
):
    disk = Disk(tmp_path)
    real, asked = disk.folder.sync_folder_of, []

    def sync_folder_of(name):
        asked.append(name)
        if len(asked) == 1:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        real(name)

    monkeypatch.setattr(disk.folder, "sync_folder_of", sync_folder_of)
    disk.write(b"one", disk.stream())
    disk.run()
    assert disk.open().trouble is None
    assert disk.receipts[-1].offset == 3
    assert asked == ["a", "a"]


def test_a_file_is_not_gone_because_there_was_no_descriptor_to_look_for_it(tmp_path, monkeypatch):
    disk = Disk(tmp_path)
    disk.write(b"one", disk.stream())
    disk.run()
    os.rename(disk.folder.path / "a", disk.folder.path / "moved")
    real, asked = disk.folder.listdir, []

    def listdir(relative=""):
        asked.append(relative)
        if len(asked) == 1:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return real(relative)

    monkeypatch.setattr(disk.folder, "listdir", listdir)
    disk.write(b"two", disk.stream())
    disk.run()
    assert {one.name for one in disk.state.files.values()} == {"moved", "a"}


def test_many_small_writes_are_paused_for_the_memory_they_take_and_soon_done(tmp_path):
    disk = Disk(tmp_path, rotate_size=1 << 20)
    stream = disk.stream()
    destination = disk.open()
    count = 0
    while not destination.paused:
        stream.enqueued += 1
        disk.store.write(destination, [b"x"], 1, stream)
        count += 1
        assert count < 20_000
    began = time.process_time()
    for _ in range(20_000):
        disk.write(b"x", stream)
    disk.run()
    assert time.process_time() - began < 3  # each looked through those before it: half a minute
    assert disk.receipts[-1].offset == 20_000 + count
    assert not destination.paused
