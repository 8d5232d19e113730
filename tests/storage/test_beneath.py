"""Files beneath a folder, whatever lies in it."""

from __future__ import annotations

import errno
import os
import socket
import stat
import threading
from pathlib import Path

import pytest

from socketsuite.storage import system_calls
from socketsuite.storage.beneath import Folder
from tests.support.hostile_names import FROM_THE_FIELD

APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT
NEEDS_OPENAT2 = pytest.mark.skipif(
    not system_calls.has_openat2(), reason="no openat2(2): Linux has it from 5.6 on"
)


@pytest.fixture(
    params=[pytest.param(True, marks=NEEDS_OPENAT2), False], ids=["openat2", "components"]
)
def folder(request, tmp_path):
    """A folder with a neighbour that has a secret."""
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "secret").write_text("secret")
    with Folder(tmp_path / "in", kernel_resolves=request.param) as opened:
        yield opened


def write(folder: Folder, relative: str, data: bytes, **options) -> None:
    descriptor = folder.open(relative, APPEND, **options)
    try:
        os.write(descriptor, data)
    finally:
        os.close(descriptor)


def refused(folder: Folder, relative: str, flags: int = APPEND, **options) -> int | None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match=r"\w") as caught:
        folder.open(relative, flags, **options)
    assert len(os.listdir("/proc/self/fd")) == before
    assert caught.value.filename == relative
    return caught.value.errno


def test_a_file_is_opened_beneath_the_folder(folder):
    write(folder, "file", b"one")
    write(folder, "file", b"two")
    assert (folder.path / "file").read_bytes() == b"onetwo"
    assert folder.stat("file").st_size == 6
    assert folder.listdir() == ["file"]


def test_a_descriptor_blocks_and_is_no_childs(folder):
    descriptor = folder.open("file", APPEND)
    try:
        assert os.get_blocking(descriptor)
        assert not os.get_inheritable(descriptor)
    finally:
        os.close(descriptor)


def test_folders_are_made_where_asked_for(folder):
    assert refused(folder, "a/b/file") == errno.ENOENT
    write(folder, "a/b/file", b"x", make_folders=True)
    write(folder, "a/c/file", b"x", make_folders=True)
    assert sorted(folder.listdir("a")) == ["b", "c"]
    assert folder.listdir("a/b") == ["file"]
    assert stat.S_IMODE(folder.stat("a").st_mode) & ~0o750 == 0
    folder.sync_folder_of("a/b/file")
    folder.sync_folder_of("file")


def test_every_folder_above_a_new_file_is_synced_once(folder, monkeypatch):
    os.makedirs(folder.path / "a" / "b")  # by a process that may have died before it synced them
    synced = []
    sync = os.fsync

    def watched(descriptor):
        path = os.readlink(f"/proc/self/fd/{descriptor}")
        synced.append(os.path.relpath(path, folder.path))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    write(folder, "a/b/c/d/file", b"", make_folders=True)
    assert synced == ["a/b", "a/b/c"]
    synced.clear()
    folder.sync_folder_of("a/b/c/d/file")
    assert synced == ["a/b/c/d", "a", "."]
    synced.clear()
    folder.sync_folder_of("a/b/c/d/other")
    assert synced == ["a/b/c/d"]


@pytest.mark.parametrize(
    "relative", ["..", "../out/secret", "a/../../out/secret", "/etc/passwd", "", ".", "a//b", "a/."]
)
def test_no_path_leads_out(folder, relative):
    (folder.path / "a").mkdir()
    for options in ({}, {"make_folders": True}):
        assert refused(folder, relative, os.O_RDONLY, **options) == errno.EXDEV
    for call in (folder.unlink, folder.stat, folder.sync_folder_of):
        with pytest.raises(OSError, match="leaves the folder"):
            call(relative)
    for old, new in ((relative, "x"), ("a", relative)):
        with pytest.raises(OSError, match="leaves the folder"):
            folder.rename(old, new)


def test_a_nul_in_a_path_is_an_error_like_any_other(folder):
    assert refused(folder, "a\0b") == errno.EINVAL


def test_whatever_the_path_is_nothing_else_is_touched(folder):
    outside = folder.path.parent / "out"
    for name in FROM_THE_FIELD:
        try:
            write(folder, name, b"x", make_folders=True)
        except (OSError, UnicodeEncodeError):
            continue
    assert os.listdir(outside) == ["secret"]
    assert (outside / "secret").read_text() == "secret"
    assert sorted(os.listdir(folder.path.parent)) == ["in", "out"]


def test_no_symbolic_link_is_followed(folder):
    outside = folder.path.parent / "out"
    (folder.path / "file").symlink_to(outside / "secret")
    (folder.path / "dangling").symlink_to(outside / "new")
    (folder.path / "way").symlink_to(outside)
    (folder.path / "here").symlink_to(".")
    (folder.path / "deep").mkdir()
    (folder.path / "deep" / "way").symlink_to(outside)
    for name in ("file", "dangling", "way/secret", "here/x", "way", "deep/way/x", "deep/way/y/x"):
        assert refused(folder, name, make_folders=True) == errno.ELOOP, name
    for call in (folder.unlink, folder.stat, folder.sync_folder_of):
        with pytest.raises(OSError, match="there is a symbolic link"):
            call("way/secret")
    with pytest.raises(OSError, match="there is a symbolic link"):
        folder.listdir("way")
    assert stat.S_ISLNK(folder.stat("file").st_mode)
    assert os.listdir(outside) == ["secret"]


def test_only_regular_files_are_opened(folder):
    os.mkfifo(folder.path / "fifo")
    (folder.path / "dir").mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder.path / "socket"))
        assert refused(folder, "fifo") == errno.ENXIO
        assert refused(folder, "fifo", os.O_RDONLY) == errno.ENXIO
        assert refused(folder, "fifo", os.O_RDWR) == errno.ENXIO
        assert refused(folder, "socket") == errno.ENXIO
        assert refused(folder, "dir") == errno.EISDIR
        assert refused(folder, "dir", os.O_RDONLY) == errno.EISDIR
    write(folder, "file", b"")
    assert refused(folder, "file/x", make_folders=True) == errno.ENOTDIR
    with Folder(Path("/dev")) as devices:
        assert refused(devices, "null", os.O_WRONLY) == errno.ENODEV


def test_a_rename_replaces_only_when_told_to(folder):
    write(folder, "old", b"old")
    write(folder, "sub/new", b"new", make_folders=True)
    with pytest.raises(FileExistsError) as caught:
        folder.rename("old", "sub/new")
    assert caught.value.filename == "sub/new"
    assert (folder.path / "old").read_bytes() == b"old"
    folder.rename("old", "sub/new", replace=True)
    assert (folder.path / "sub" / "new").read_bytes() == b"old"
    folder.rename("sub/new", "third")
    assert sorted(folder.listdir()) == ["sub", "third"]
    folder.unlink("third")
    with pytest.raises(FileNotFoundError) as missing:
        folder.rename("third", "fourth")
    assert missing.value.filename == "third"


@pytest.mark.parametrize("number", [0, errno.EPERM, errno.EIO])
def test_a_second_name_is_given_or_another_where_there_are_no_links(folder, monkeypatch, number):
    def refused(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    write(folder, "old", b"old")
    if number:
        monkeypatch.setattr(os, "link", refused)
    if number == errno.EIO:
        with pytest.raises(OSError, match="Input/output error"):
            folder.link("old", "new")
    else:
        folder.link("old", "new")
    found = {0: ["new", "old"], errno.EPERM: ["new"], errno.EIO: ["old"]}
    assert sorted(folder.listdir()) == found[number]


@pytest.mark.parametrize("links", [True, False])
def test_a_rename_is_exclusive_without_the_call_for_it_too(folder, monkeypatch, links):
    def missing(*_: object, **__: object) -> None:
        raise NotImplementedError

    def forbidden(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "no hard links")

    monkeypatch.setattr(system_calls, "rename_exclusive", missing)
    if not links:
        monkeypatch.setattr(os, "link", forbidden)
    write(folder, "old", b"old")
    write(folder, "new", b"new")
    with pytest.raises(FileExistsError):
        folder.rename("old", "new")
    assert sorted(folder.listdir()) == ["new", "old"]
    folder.unlink("new")
    folder.rename("old", "new")
    assert folder.listdir() == ["new"]


def test_a_link_that_is_swapped_in_at_any_moment_leads_nowhere(folder):
    inside, outside = folder.path, folder.path.parent / "out"
    (inside / "real").mkdir()
    (inside / "link").symlink_to(outside)
    (inside / "way").mkdir()
    done = threading.Event()

    def swap() -> None:
        while not done.is_set():
            os.rename(inside / "way", inside / "real2")
            os.rename(inside / "link", inside / "way")
            os.rename(inside / "way", inside / "link")
            os.rename(inside / "real2", inside / "way")

    swapping = threading.Thread(target=swap)
    swapping.start()
    outcomes: set[int | None] = set()
    try:
        for number in range(30_000):
            try:
                write(folder, f"way/{number % 50}", b"x", make_folders=False)
                outcomes.add(0)
            except OSError as error:
                outcomes.add(error.errno)
            if number > 1000 and {0, errno.ELOOP} <= outcomes:
                break
    finally:
        done.set()
        swapping.join()
    assert os.listdir(outside) == ["secret"]
    assert {0, errno.ELOOP} <= outcomes <= {0, errno.ELOOP, errno.ENOENT, errno.ENOTDIR}


def test_a_folder_that_is_closed_holds_no_descriptor(tmp_path):
    before = os.listdir("/proc/self/fd")
    folder = Folder(tmp_path)
    folder.close()
    folder.close()
    assert os.listdir("/proc/self/fd") == before


def test_a_kernel_that_refuses_the_call_is_found_out(monkeypatch):
    def refusing(*_: object) -> int:
        raise OSError(errno.EPERM, "filtered")

    monkeypatch.setattr(system_calls, "openat2", refusing)
    assert not system_calls.has_openat2.__wrapped__()
