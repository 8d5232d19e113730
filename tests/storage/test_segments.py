"""Closed segments: which there are, which go, and how they are compressed."""

from __future__ import annotations

import errno
import gzip
import os
import random
import stat
import subprocess
import sys
import threading
from typing import Any

import pytest
import zstandard

from socketsuite.storage import segment_reading, segments
from socketsuite.storage.beneath import Folder
from socketsuite.storage.segments import (
    Compression,
    Segment,
    clean,
    compress,
    find_segments,
    list_segments,
    next_number,
    open_segment,
    over_quota,
    segment_name,
    surplus,
)

RECORDS = b"".join(b"record %d of many\n" % number for number in range(60_000))
HOWS = ["gzip", "zstd"]
SUFFIX = {"gzip": ".gz", "zstd": ".zst"}


@pytest.fixture
def folder(tmp_path):
    with Folder(tmp_path) as opened:
        yield opened


def make(folder: Folder, *names: str, data: bytes = b"x") -> None:
    for name in names:
        path = folder.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def compressed(folder: Folder, how: Compression, **options: Any) -> Segment:
    """Compress the only segment there is."""
    (segment,) = find_segments(folder, 1)
    made = compress(folder, segment, how, **options)
    assert made is not None
    return made


def names_of(found):
    return [one.name for one in found]


def test_the_segments_of_a_file_are_found_in_their_order(folder):
    mine = ["a~000001.gz", "a~000002", "a~000010.zst", "a~999999", "a~1000000"]
    make(folder, *reversed(mine))
    make(folder, "a", "b~000003", "aa~000004", "a~00005", "a~0000006", "a~000007.bz2", "a~journal")
    make(folder, "a~000008.gz~tmp", "a~000001~000009", "sub/a~000009", "a~٠٠٠٠٠١")
    (folder.path / "a~000011").mkdir()
    (folder.path / "a~000012").symlink_to("a")
    found = list_segments(folder, "a")
    assert names_of(found) == mine
    assert [one.compression for one in found] == ["gzip", "none", "zstd", "none", "none"]
    assert next_number(found) == 1_000_001
    assert [segment_name("a", one.number, one.compression) for one in found] == mine
    (deep,) = list_segments(folder, "sub/a")
    assert (deep.name, deep.file, deep.number, deep.size) == ("sub/a~000009", "sub/a", 9, 1)
    assert list_segments(folder, "none/a") == []
    assert next_number([]) == 1


def test_the_segments_of_all_files_are_found_as_deep_as_asked(folder):
    make(folder, "a~000001", "b~000001", "x/a~000001", "x/y/a~000001")
    (folder.path / "x" / "up").symlink_to("..")
    assert set(names_of(find_segments(folder))) == {"a~000001", "b~000001"}
    assert set(names_of(find_segments(folder, 1))) == {"a~000001", "b~000001", "x/a~000001"}
    assert set(names_of(find_segments(folder, 9))) == {
        "a~000001",
        "b~000001",
        "x/a~000001",
        "x/y/a~000001",
    }


def test_a_segment_that_is_there_twice_is_one_and_the_plain_file_stays(folder):
    make(folder, "a~000001", "a~000001.gz", "a~000001.zst", "a~000002.gz")
    assert names_of(list_segments(folder, "a")) == ["a~000001", "a~000002.gz"]
    assert clean(folder) == ["a~000001.gz", "a~000001.zst"]
    assert sorted(folder.listdir()) == ["a~000001", "a~000002.gz"]


def test_what_an_interrupted_compression_left_is_removed_and_nothing_else(folder):
    kept = ["a", "a~tmp", "a~000001", "a~000002.gz", "a~journal", "a~journal~tmp", "b.gz"]
    make(folder, *kept, "a~000001.gz~tmp", "d/a~000003.zst~tmp", "d/e/a~000003.zst~tmp")
    assert clean(folder) == ["a~000001.gz~tmp"]
    assert clean(folder, 1) == ["d/a~000003.zst~tmp"]
    assert sorted(folder.listdir()) == sorted([*kept, "d"])
    assert folder.listdir("d/e") == ["a~000003.zst~tmp"]


def numbered(number: int, size: int = 10, modified: int = 0, file: str = "a") -> Segment:
    return Segment(number, f"{file}~{number:06d}", file, size, modified, "none")


def test_the_oldest_go_by_their_number_when_there_are_too_many():
    some = [numbered(3), numbered(1, modified=9), numbered(2)]
    assert [one.number for one in surplus(some, 1)] == [1, 2]
    assert surplus(some, 3) == surplus(some, 9) == surplus([], 0) == []
    assert [one.number for one in surplus(some, 0)] == [1, 2, 3]


def test_the_oldest_of_all_files_go_when_they_are_too_large_together():
    some = [numbered(9, modified=1), numbered(1, modified=3, file="b"), numbered(1, modified=2)]
    assert over_quota(some, 30) == []
    assert over_quota(some, 29) == [some[0]]
    assert over_quota(some, 30, in_use=1) == [some[0]]
    assert over_quota(some, 10) == [some[0], some[2]]
    assert over_quota(some, 5, in_use=100) == [some[0], some[2], some[1]]


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("data", [b"", b"one\n", RECORDS], ids=["empty", "small", "large"])
def test_a_compressed_segment_reads_as_before_and_replaces_it(folder, how, data):
    make(folder, "d/a~000001", data=data)
    os.chmod(folder.path / "d" / "a~000001", 0o604)
    os.utime(folder.path / "d" / "a~000001", ns=(5, 1_600_000_000_000_000_007))
    (before,) = list_segments(folder, "d/a")
    made = compressed(folder, how)
    assert list_segments(folder, "d/a") == [made]
    assert made.name == f"d/a~000001{SUFFIX[how]}"
    assert made.modified == before.modified
    assert stat.S_IMODE(folder.stat(made.name).st_mode) == 0o604
    with open_segment(folder.path / made.name) as file:
        assert file.read() == data
    assert len(data) < 1000 or made.size < len(data) / 4
    with open_segment(folder.path / "d" / "a~000001") as file:  # as it was named a moment ago
        assert file.read() == data


@pytest.mark.parametrize("how", HOWS)
def test_other_programs_read_what_was_compressed(folder, how):
    make(folder, "a~000001", data=RECORDS)
    made = compressed(folder, how, level=1)
    whole = (folder.path / made.name).read_bytes()
    if how == "gzip":
        assert gzip.decompress(whole) == RECORDS
    else:
        assert zstandard.get_frame_parameters(whole).has_checksum
        assert zstandard.ZstdDecompressor().decompressobj().decompress(whole) == RECORDS


def test_what_a_peer_sent_is_not_decompressed_though_it_begins_like_it(folder):
    make(folder, "a~000001", data=gzip.compress(b"payload"))
    with open_segment(folder.path / "a~000001") as file:
        assert file.read() == gzip.compress(b"payload")


def in_trouble(folder, how, error):
    before = sorted(folder.listdir())
    descriptors = len(os.listdir("/proc/self/fd"))
    (segment,) = list_segments(folder, "a")
    with pytest.raises(OSError, match=error):
        compress(folder, segment, how)
    assert sorted(folder.listdir()) == before
    assert len(os.listdir("/proc/self/fd")) == descriptors


@pytest.mark.parametrize("how", HOWS)
def test_a_full_disk_leaves_the_segment_as_it_was(folder, how, monkeypatch):
    make(folder, "a~000001", data=random.Random(1).randbytes(900_000))
    written = os.write
    room = 500_000

    def filling(descriptor: int, data: bytes) -> int:
        nonlocal room
        if not room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        count = written(descriptor, data[:room])
        room -= count
        return count

    monkeypatch.setattr(os, "write", filling)
    in_trouble(folder, how, "No space left")
    assert (folder.path / "a~000001").stat().st_size == 900_000


@pytest.mark.parametrize("call", ["fsync", "fchmod", "utime", "lseek"])
def test_a_failing_call_leaves_the_segment_as_it_was(folder, monkeypatch, call):
    make(folder, "a~000001", data=RECORDS)

    def failing(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, call, failing)
    in_trouble(folder, "zstd", "Input/output error")


@pytest.mark.parametrize("how", HOWS)
def test_what_does_not_read_as_it_was_never_replaces_the_segment(folder, how, monkeypatch):
    make(folder, "a~000001", data=RECORDS)
    written = os.write

    def flipping(descriptor: int, data: bytes) -> int:
        changed = bytearray(data)
        if changed:
            changed[len(changed) // 2] ^= 1
        return written(descriptor, changed)

    monkeypatch.setattr(os, "write", flipping)
    in_trouble(folder, how, "damaged|does not read")


def test_a_segment_that_is_still_written_to_is_not_replaced(folder, monkeypatch):
    make(folder, "a~000001", data=RECORDS)
    opened = segment_reading.reader_of

    def late(descriptor: int, name: str):
        with (folder.path / "a~000001").open("ab") as file:
            file.write(b"late")
        return opened(descriptor, name)

    monkeypatch.setattr(segments, "reader_of", late)
    in_trouble(folder, "gzip", "written to meanwhile")


def test_a_compressed_file_that_is_there_is_not_overwritten(folder):
    make(folder, "a~000001", data=RECORDS)
    make(folder, "a~000001.zst", data=b"another's")
    in_trouble(folder, "zstd", "a~000001.zst")
    assert (folder.path / "a~000001.zst").read_bytes() == b"another's"


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("blocks", range(6))
def test_a_compression_stops_between_two_blocks(folder, how, blocks, monkeypatch):
    make(folder, "a~000001", data=RECORDS)
    asked = 0

    class Stop(threading.Event):
        def is_set(self) -> bool:
            nonlocal asked
            asked += 1
            return bool(asked > blocks)

    (segment,) = list_segments(folder, "a")
    assert compress(folder, segment, how, stop=Stop()) is None
    assert folder.listdir() == ["a~000001"]
    assert asked == blocks + 1


def test_a_segment_that_is_removed_meanwhile_does_not_come_back(folder, monkeypatch):
    make(folder, "a~000001", data=RECORDS)
    (segment,) = list_segments(folder, "a")
    opened = segment_reading.reader_of

    def removing(descriptor: int, name: str):
        (folder.path / "a~000001").unlink()
        return opened(descriptor, name)

    monkeypatch.setattr(segments, "reader_of", removing)
    with pytest.raises(FileNotFoundError):
        compress(folder, segment, "zstd")
    assert folder.listdir() == []


def test_what_was_left_by_an_interrupted_compression_is_in_nobodys_way(folder):
    make(folder, "a~000001", data=RECORDS)
    make(folder, "a~000001.zst~tmp", data=b"half")
    made = compressed(folder, "zstd")
    assert folder.listdir() == ["a~000001.zst"] == [made.name]


def test_the_order_of_calls_never_leaves_the_disk_without_the_segment(folder, monkeypatch):
    make(folder, "a~000001", data=RECORDS)
    calls: list[str] = []
    for thing, name in ((os, "fsync"), (Folder, "rename"), (Folder, "unlink")):
        monkeypatch.setattr(thing, name, noted(calls, name, getattr(thing, name)))
    compressed(folder, "zstd")
    assert calls == ["unlink", "fsync", "rename", "fsync", "unlink"]


def noted(calls, name, call):
    def wrapped(*args, **options):
        calls.append(name)
        return call(*args, **options)

    return wrapped


def test_a_thread_lets_others_go_first():
    program = """if 1:
        import os, threading
        from socketsuite.storage.segments import lower_priority
        thread = threading.Thread(target=lambda: (lower_priority(), print(os.nice(0))))
        thread.start(); thread.join(); print(os.nice(0))
    """
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert found.stdout.split() == [b"19", b"%d" % os.nice(0)]
