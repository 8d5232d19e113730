"""A stream's bytes out of the files that hold it."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from urllib.parse import quote

import pytest
import zstandard

from socketsuite.storage import stream_map
from socketsuite.storage.journal_lines import HEADER as JOURNAL_HEADER
from socketsuite.storage.journal_lines import (
    Entry,
    Extent,
    FileAdded,
    FileGone,
    FileNamed,
    StreamAdded,
    StreamGone,
    encode,
)
from socketsuite.storage.reading import StorageError, StoredStreams, open_stream
from tests.support.sink import Sink


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


def journal(folder: Path, *lines: list[Entry]) -> None:
    text = JOURNAL_HEADER + b"".join(encode(one) for one in lines)
    (folder / "log~journal").write_bytes(text)


def test_the_journal_tells_which_bytes_are_of_which_stream(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"oldAAbbbAc")
    journal(
        tmp_path,
        [FileAdded(1, "log", 5, 0), StreamAdded(1, "a"), Extent(1, 0, 3, 1, 0)],
        [StreamGone(1)],
        [StreamAdded(2, "a"), StreamAdded(3, "b"), Extent(2, 0, 2, 1, 3), Extent(3, 0, 3, 1, 5)],
        [Extent(2, 2, 1, 1, 8), Extent(3, 3, 1, 1, 9)],
    )

    def read(stream: str) -> list[tuple[bytes, int]]:
        chunks = open_stream(tmp_path / "log", stream).chunks()
        return [(data, at) for data, _, at in chunks]

    assert read("a") == [(b"AA", 3), (b"A", 8)]
    assert read("b") == [(b"bbb", 5), (b"c", 9)]


def test_a_stream_in_many_files_needs_a_descriptor_or_two(tmp_path: Path) -> None:
    entries: list[Entry] = [StreamAdded(1, "s")]
    for number in range(1, 201):
        (tmp_path / f"log~{number:06}").write_bytes(b"x")
        name = f"log~{number:06}"
        entries += [FileAdded(number, name, 5, 0), FileNamed(number, name)]
        entries.append(Extent(1, number - 1, 1, number, 0))
    journal(tmp_path, entries)
    held = []
    for _ in open_stream(tmp_path / "log", "s").chunks():
        held.append(len(os.listdir("/proc/self/fd")))
    assert len(held) == 200
    assert max(held) - min(held) <= 2


def test_a_journal_is_read_once_for_all_streams(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "log").write_bytes(b"ab")
    added: list[Entry] = [FileAdded(1, "log", 5, 0), StreamAdded(1, "a"), StreamAdded(2, "b")]
    journal(tmp_path, [*added, Extent(1, 0, 1, 1, 0), Extent(2, 0, 1, 1, 1)])
    stored = StoredStreams(tmp_path / "log")
    monkeypatch.setattr(stream_map, "read", None)
    assert [stored.knows(name) for name in "abc"] == [True, True, False]
    read = [[data for data, _, _ in stored.open(name).chunks()] for name in "ab"]
    assert read == [[b"a"], [b"b"]]
    assert not StoredStreams(tmp_path / "other").knows("a")


def test_a_stream_whose_first_bytes_were_deleted_begins_behind_them(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"xxyy")
    begun: list[Entry] = [FileAdded(1, "log~000001", 5, 0), FileNamed(1, "log~000001")]
    begun += [FileAdded(2, "log", 6, 0), StreamAdded(1, "a"), StreamAdded(2, "b")]
    extents: list[Entry] = [Extent(1, 0, 7, 1, 0), Extent(2, 0, 3, 1, 7), Extent(1, 7, 2, 2, 2)]
    journal(tmp_path, begun, extents, [FileGone(1)])
    stored = StoredStreams(tmp_path / "log")
    reader = stored.open("a")
    assert (reader.first, list(reader.chunks())) == (7, [(b"yy", tmp_path / "log", 2)])
    reader = stored.open("b")
    assert (reader.first, list(reader.chunks())) == (3, [])


@pytest.mark.parametrize(
    ("template", "streams"),
    [
        ("{stream}-{seq}.log", ["s", "s-000001", "of/s"]),
        ("{date}/{stream}/{seq}", ["s", "ñu 1", "%" * 100]),
        ("{date}-{stream}", ["s", "s-1"]),
        ("all-{seq}.log", ["s"]),
    ],
)
def test_without_a_journal_the_template_tells_which_files_are_of_a_stream(
    tmp_path: Path, template: str, streams: list[str]
) -> None:
    data = {name: b"".join(b"%s %d\n" % (name.encode(), n) for n in range(90)) for name in streams}
    sink = Sink(tmp_path / template, rotate_size=150, compress="gzip")
    for day in range(2):
        sink.service.keeper.store.date = f"2026-01-{day + 1:02}"
        for stream, its in data.items():
            sink.upload(quote(stream), its[day * 300 :][: 300 if day == 0 else None], day * 300)
    sink.stop()
    (tmp_path / "~journal").unlink()
    stored = StoredStreams(tmp_path / template)
    assert stored.are_many
    for stream, its in data.items():
        assert b"".join(part for part, _, _ in stored.open(stream).chunks()) == its


def test_what_a_template_does_not_tell_is_said(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"order of \{connection\} and \{peer\}$"):
        open_stream(tmp_path / "{connection}/{peer}", "s")
    with pytest.raises(StorageError, match="has named no file of it"):
        open_stream(tmp_path / "{stream}", "s")
    with pytest.raises(StorageError, match="nor is there a journal: name the template"):
        open_stream(tmp_path, "s")
    with pytest.raises(StorageError, match="none cannot be read"):
        open_stream(tmp_path / "none" / "{stream}", "s")
    braces = tmp_path / "{date}"
    braces.write_bytes(b"a file of that name")
    assert [data for data, _, _ in open_stream(braces, "s").chunks()] == [b"a file of that name"]
