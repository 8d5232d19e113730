"""Segments that are read again, damaged ones too."""

from __future__ import annotations

import errno
import gzip
import os
import random
import resource
import subprocess
import sys

import pytest
import zstandard

from socketsuite.storage.segment_reading import DamagedSegmentError, open_segment

RECORDS = b"".join(b"record %d of many\n" % number for number in range(12_000))
NOISE = random.Random(1).randbytes(300_000)
SKIPPABLE = b"\x50\x2a\x4d\x18\x03\0\0\0abc"


def zstd(data: bytes, level: int = 3, **options) -> bytes:
    compressor = zstandard.ZstdCompressor(level, **options).compressobj()
    return compressor.compress(data) + compressor.flush()


def read_all(path) -> tuple[bytes, str]:
    """Return what can be read, and what is wrong then."""
    found = b""
    with open_segment(path) as file:
        try:
            while block := file.read1(50_000):
                found += block
        except DamagedSegmentError as error:
            return found, error.strerror or ""
    return found, ""


WHOLE = {
    "plain": ("a~000001", RECORDS, RECORDS),
    "gz": ("a~000001.gz", gzip.compress(RECORDS), RECORDS),
    "gz-twice": ("a~000001.gz", gzip.compress(b"one") + gzip.compress(b"two"), b"onetwo"),
    "zst": ("a~000001.zst", zstd(RECORDS), RECORDS),
    "zst-checked": ("a~000001.zst", zstd(NOISE, write_checksum=True), NOISE),
    "zst-sized": ("a~000001.zst", zstandard.ZstdCompressor().compress(RECORDS), RECORDS),
    "zst-small": ("a~000001.zst", zstandard.ZstdCompressor().compress(b"a"), b"a"),
    "zst-runs": ("a~000001.zst", zstd(bytes(500_000)), bytes(500_000)),
    "zst-empty": ("a~000001.zst", zstd(b""), b""),
    "zst-many": ("a~000001.zst", zstd(b"one") + SKIPPABLE + zstd(NOISE), b"one" + NOISE),
}

JOINTS = {len(gzip.compress(b"one")), len(zstd(b"one")), len(zstd(b"one") + SKIPPABLE)}


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_file_is_read_as_what_it_was(tmp_path, name):
    file, stored, content = WHOLE[name]
    (tmp_path / file).write_bytes(stored)
    assert read_all(tmp_path / file) == (content, "")
    with open_segment(tmp_path / file) as opened:
        assert opened.read() == content


@pytest.mark.parametrize("name", [name for name in WHOLE if name != "plain"])
def test_a_truncated_file_is_read_as_far_as_it_goes_and_told(tmp_path, name):
    file, stored, content = WHOLE[name]
    dice = random.Random(name)
    ends = {len(stored) - 1, 4, 5, *(dice.randrange(4, len(stored)) for _ in range(30))}
    for end in sorted(ends):
        (tmp_path / file).write_bytes(stored[:end])
        found, why = read_all(tmp_path / file)
        assert content.startswith(found)
        joint = end in (
            len(gzip.compress(b"one")),
            len(zstd(b"one")),
            len(zstd(b"one") + SKIPPABLE),
        )
        assert why or (joint and found == b"one"), end


@pytest.mark.parametrize("name", ["gz", "zst-checked"])
def test_a_changed_byte_is_told(tmp_path, name):
    file, stored, _ = WHOLE[name]
    changed = bytearray(stored)
    changed[len(changed) // 2] ^= 1
    (tmp_path / file).write_bytes(changed)
    assert read_all(tmp_path / file)[1].startswith("it is damaged: ")
    with open_segment(tmp_path / file) as opened, pytest.raises(DamagedSegmentError) as caught:
        opened.read()
    assert caught.value.filename == str(tmp_path / file)


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
@pytest.mark.parametrize("stored", [b"", b"\x1f", b"no such file at all"])
def test_a_file_that_is_not_what_its_name_says_is_refused(tmp_path, suffix, stored):
    path = tmp_path / f"a~000001{suffix}"
    path.write_bytes(stored)
    descriptors = os.listdir("/proc/self/fd")
    with pytest.raises(DamagedSegmentError, match=r"it is no (gzip|zstd) file"):
        open_segment(path)
    assert os.listdir("/proc/self/fd") == descriptors


def test_what_is_no_regular_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "fifo.gz")
    for path in (tmp_path / "fifo.gz", tmp_path):
        with pytest.raises(OSError, match="no regular file") as caught:
            open_segment(path)
        assert caught.value.errno == errno.ENXIO
    with pytest.raises(FileNotFoundError):
        open_segment(tmp_path / "none~000001")


def test_a_closed_reader_holds_no_descriptor(tmp_path):
    before = len(os.listdir("/proc/self/fd"))
    for name, (file, stored, _) in WHOLE.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_bytes(stored)
        open_segment(tmp_path / name / file).close()
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_memory_stays_flat_whatever_a_file_expands_to(tmp_path, suffix):
    path = tmp_path / f"bomb{suffix}"
    zeros = bytes(1 << 20)
    if suffix == ".gz":
        with gzip.open(path, "wb", 1) as file:
            for _ in range(100):
                file.write(zeros)
    else:
        with zstandard.ZstdCompressor().stream_writer(path.open("wb")) as file:
            for _ in range(100):
                file.write(zeros)
    program = f"""if 1:
        import resource
        from pathlib import Path
        from socketsuite.storage.segment_reading import open_segment
        import zstandard
        peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        before, size = peak(), 0
        with open_segment(Path({str(path)!r})) as file:
            while block := file.read(65536):
                size += len(block)
        print(size, peak() - before)
    """
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    size, grown = map(int, found.stdout.split())
    assert size == 100 << 20
    assert grown < 16 * 1024


def test_a_window_beyond_the_limit_is_damage_and_takes_no_memory(tmp_path):
    # magic, a header that asks for a window of 1 GiB, and an empty last block
    (tmp_path / "a.zst").write_bytes(b"\x28\xb5\x2f\xfd\x00\xa0\x01\x00\x00")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert read_all(tmp_path / "a.zst")[1].startswith("it is damaged: ")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024
