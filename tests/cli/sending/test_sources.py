"""What is sent: pipes with a bound, folders without links, and the file of receipts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from twisted.internet.interfaces import IReadDescriptor

from socketsuite.cli.sending.leaves import HashedStream
from socketsuite.cli.sending.receipts_file import ReceiptsFile
from socketsuite.cli.sending.sources import MOST_HELD, FileSource, PipeSource, files_beneath
from socketsuite.transport.dial.failed import Failed
from socketsuite.wire.merkle import LEAF
from socketsuite.wire.receipts import HEADER, Key, Leaf

KEY = bytes(range(32))


class Readers:
    """A reactor as far as a pipe needs one."""

    def __init__(self) -> None:
        self.reading: set[IReadDescriptor] = set()

    def addReader(self, reader: IReadDescriptor) -> None:
        self.reading.add(reader)

    def removeReader(self, reader: IReadDescriptor) -> None:
        self.reading.discard(reader)

    def turn(self) -> None:
        for one in list(self.reading):
            one.doRead()


def test_a_pipe_is_read_no_further_than_its_bound_and_read_again_until_released() -> None:
    reader, writer = os.pipe()
    reactor, source = Readers(), PipeSource("pipe", reader)
    source.open(reactor)
    source.open(reactor)
    first = source.more()
    os.write(writer, b"x")
    reactor.turn()
    assert first.called
    sent = 1
    while reactor.reading:
        sent += os.write(writer, b"x" * 60_000)
        reactor.turn()
        assert sent < 2 * MOST_HELD
    assert MOST_HELD - (1 << 18) < sent <= MOST_HELD
    assert len(source.read(5, sent)) == sent - 5 == len(source.read(5, sent))
    waits = source.more()
    source.release(200_000)
    os.close(writer)
    reactor.turn()
    assert waits.called
    assert source.end == sent
    assert source.read(sent, 1) == b""
    source.close()
    os.close(reader)


def test_what_has_gone_or_is_no_file_any_more_is_told(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("folder")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("none", "link", "folder", "pipe"):
        with pytest.raises(Failed, match=f"cannot read {name}"):
            FileSource(name, str(tmp_path / name), follow=False).open(None)


def test_a_folder_is_its_regular_files_in_order_and_no_link_is_followed(tmp_path: Path) -> None:
    for name in ("b/y", "b/x/1", "a", "c"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "b/out").symlink_to("/etc")
    (tmp_path / "b/loop").symlink_to("..")
    os.mkfifo(tmp_path / "b/pipe")
    skipped: list[str] = []
    found = list(files_beneath(str(tmp_path), skipped.append))
    assert [relative for relative, _ in found] == ["a", "c", "b/y", "b/x/1"]
    assert all(path == str(tmp_path / relative) for relative, path in found)
    assert skipped == [
        f"{tmp_path}/b/loop is skipped: it is a symbolic link",
        f"{tmp_path}/b/out is skipped: it is a symbolic link",
        f"{tmp_path}/b/pipe is skipped: it is no regular file",
    ]
    assert list(files_beneath(str(tmp_path / "none"), skipped.append)) == []
    assert "no such file" in skipped[-1]


def test_a_file_of_receipts_is_gone_on_with_behind_its_last_whole_line(tmp_path: Path) -> None:
    path = tmp_path / "receipts"
    first = ReceiptsFile(path)
    first.use_key(KEY)
    first.use_key(KEY)
    first.write(b"ack a 1 torn")
    with pytest.raises(Failed, match="another process writes it"):
        ReceiptsFile(path)
    first.close()
    first.close()
    second = ReceiptsFile(path)
    second.write(b"next\n")
    second.close()
    assert path.read_bytes() == HEADER + Key(KEY).encode() + b"next\n"


@pytest.mark.parametrize("left", [b"", HEADER[:5], HEADER[:-1]])
def test_a_file_of_receipts_that_was_hardly_begun_begins_anew(tmp_path: Path, left: bytes) -> None:
    path = tmp_path / "receipts"
    path.write_bytes(left)
    ReceiptsFile(path).close()
    assert path.read_bytes() == HEADER


@pytest.mark.parametrize(
    "content", [b"my thesis", b"socketsuite-receipts 12\n", HEADER + b"x" * 9999]
)
def test_a_file_of_something_else_is_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "receipts"
    path.write_bytes(content)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(Failed, match="no file of receipts"):
        ReceiptsFile(path)
    assert path.read_bytes() == content
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_stream_of_whole_leaves_has_no_line_of_an_empty_one() -> None:
    leaves: list[Leaf] = []
    hashed = HashedStream("s", leaves.append)
    hashed.feed(bytes(2 * LEAF))
    hashed.record_last()
    hashed.feed(b"x")
    hashed.record_last()
    assert [(leaf.index, leaf.length) for leaf in leaves] == [(0, LEAF), (1, LEAF), (2, 1)]
    assert hashed.size == 2 * LEAF + 1
    silent = HashedStream("s", None)
    silent.feed(bytes(2 * LEAF) + b"x")
    silent.record_last()
    assert silent.root() == hashed.root()
