"""What a sink does with its files when the process before was killed."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from socketsuite.storage import recovery
from socketsuite.storage.append_file import AppendFile
from socketsuite.storage.beneath import Folder
from socketsuite.storage.recovery import JournalInUseError, recover
from tests.support.disk import Disk


@pytest.fixture
def disk(tmp_path):
    disk = Disk(tmp_path, sync="interval")
    yield disk
    disk.folder.close()


def recovered(disk):
    found = recover(disk.folder, "~journal", "this boot", 0.0)
    os.close(found.descriptor)
    return found


def test_what_was_written_and_not_synced_is_synced_before_it_is_trusted(disk, monkeypatch):
    disk.write(b"one", disk.stream())
    disk.run()
    disk.write_journal()
    calls: list[str] = []
    for name in ("fdatasync", "fsync"):
        monkeypatch.setattr(os, name, noted(calls, getattr(os, name)))
    found = recovered(disk)
    assert (found.streams[0].durable, found.streams[0].enqueued) == (3, 3)
    # The file and its folder, before the journal says so.
    assert calls[:2] == ["a", disk.folder.path.name]
    assert calls.index("a") < calls.index("~journal~tmp")


def test_a_damaged_journal_is_in_its_place_until_there_is_another(disk, monkeypatch):
    for data in (b"one", b"two"):
        disk.write(data, disk.stream())
        disk.sync()
        disk.run()
    disk.write_journal()
    damaged = disk.read("~journal").replace(b"E 1 0 3", b"E 1 0 4")
    (disk.folder.path / "~journal").write_bytes(damaged)

    def killed(*_: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(recovery, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            recover(disk.folder, "~journal", "this boot", 0.0)
    assert disk.read("~journal") == damaged
    recovered(disk)
    aside = [name for name in disk.names() if "damaged" in name]
    assert [disk.read(name) for name in aside] == [damaged]
    assert disk.read("~journal") != damaged


def test_two_processes_never_have_the_same_journal(disk):
    disk.write_journal()
    first = recover(disk.folder, "~journal", "this boot", 0.0)
    with pytest.raises(JournalInUseError, match="in use by another process"):
        recover(disk.folder, "~journal", "this boot", 0.0)
    os.close(first.descriptor)
    recovered(disk)


def test_a_journal_that_another_process_begins_to_use_is_not_taken(disk, monkeypatch):
    disk.write_journal()
    locks = fcntl.flock
    others: list[int] = []

    def other_is_first(descriptor, how):
        if not others:
            others.append(-1)
            others[0] = recover(disk.folder, "~journal", "this boot", 0.0).descriptor
        locks(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", other_is_first)
    with pytest.raises(JournalInUseError):
        recover(disk.folder, "~journal", "this boot", 0.0)
    os.close(others[0])


def noted(calls, call):
    def wrapped(descriptor):
        calls.append(os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")))
        return call(descriptor)

    return wrapped


def test_another_file_with_the_number_of_one_that_is_gone_is_not_cut(disk):
    disk.write(b"one", disk.stream())
    disk.sync()
    disk.run()
    disk.write_journal()
    # As if it had been deleted, and its inode used again.
    os.rename(disk.folder.path / "a", disk.folder.path / "letters")
    (disk.folder.path / "letters").write_bytes(b"dear sir or madam")
    told = [event for event, _ in recovered(disk).told]
    assert disk.read("letters") == b"dear sir or madam"
    assert "moved to letters, with 14 bytes" in str(told)


def test_what_was_not_committed_is_cut_off_a_segment_of_which_the_journal_does_not_know(disk):
    disk.write(b"one", disk.stream())
    disk.sync()
    disk.run()
    disk.write_journal()
    with (disk.folder.path / "a").open("ab") as file:
        file.write(b"behind the last commit")
    os.rename(disk.folder.path / "a", disk.folder.path / "a~000001")
    recovered(disk)
    assert disk.read("a~000001") == b"one"


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_that_cannot_be_read_keeps_no_file_from_being_written_that_is_there(
    disk, monkeypatch, there
):
    def refused(self: Folder, relative: str) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Folder, "sync_folder_of", refused)
    if there:
        (disk.folder.path / "a").touch()
    disk.write(b"one")
    disk.sync()
    disk.run()
    assert disk.open().trouble == (None if there else "Permission denied")


def test_the_folder_of_a_device_is_not_synced(monkeypatch):
    monkeypatch.setattr(Folder, "sync_folder_of", lambda self, relative: 1 / 0)
    with Folder(Path("/dev")) as folder:
        file = AppendFile(folder, "null", devices=True)
        try:
            assert file.write([b"one"]) == 1
            file.sync()
        finally:
            file.close()


def test_the_folder_of_a_file_that_was_there_is_synced_too(disk, monkeypatch):
    (disk.folder.path / "a").touch()  # by a process that was killed before it synced the folder
    calls: list[str] = []
    monkeypatch.setattr(os, "fsync", noted(calls, os.fsync))
    disk.write(b"one")
    disk.sync()
    disk.run()
    assert calls == [disk.folder.path.name]
