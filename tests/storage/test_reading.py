"""A stream's bytes out of the files that hold it."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
import zstandard

from socketsuite.storage.reading import StorageError, open_stream


def test_closed_segments_come_first_in_their_order_compressed_or_not(tmp_path: Path) -> None:
    file = tmp_path / "in" / "log"
    file.parent.mkdir()
    file.write_bytes(b"now")
    (tmp_path / "in" / "log~000010").write_bytes(b"ten ")
    (tmp_path / "in" / "log~000002.gz").write_bytes(gzip.compress(b"two "))
    (tmp_path / "in" / "log~000003.zst").write_bytes(zstandard.compress(b"three "))
    (tmp_path / "in" / "logs~000001").write_bytes(b"of another file")
    chunks = list(open_stream(file, "any").chunks())
    assert chunks == [
        (b"two ", tmp_path / "in" / "log~000002.gz", 0),
        (b"three ", tmp_path / "in" / "log~000003.zst", 0),
        (b"ten ", tmp_path / "in" / "log~000010", 0),
        (b"now", file, 0),
    ]
    assert list(open_stream(tmp_path, "in/log").chunks()) == chunks


def test_offsets_are_of_the_uncompressed_content(tmp_path: Path) -> None:
    data = bytes(1_000_000)
    (tmp_path / "log~000001.gz").write_bytes(gzip.compress(data))
    at = 0
    for piece, _, offset in open_stream(tmp_path / "log", "s").chunks():
        assert offset == at
        at += len(piece)
    assert at == len(data)


def test_what_is_not_there_or_cannot_be_read_is_told(tmp_path: Path) -> None:
    for file in (tmp_path / "none", tmp_path / "none" / "none"):
        with pytest.raises(StorageError, match="none"):
            open_stream(file, "s")
    (tmp_path / "log~000001.gz").write_bytes(b"no gzip")
    reader = open_stream(tmp_path / "log", "s")
    with pytest.raises(StorageError, match=r"log~000001\.gz cannot be read"):
        list(reader.chunks())
