"""``{seq}`` in ``--file``: nothing is renamed, the next file has the next number."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path
from typing import Any

import pytest

from socketsuite.services.filesink import opening
from socketsuite.storage import events, recovery, upkeep
from socketsuite.storage.beneath import Folder
from socketsuite.storage.reading import open_stream
from socketsuite.storage.succession import _Counted
from socketsuite.storage.upkeep import Upkeep
from tests.support.sink import Sink


def files(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in names_in(folder)}


def names_in(folder: Path) -> list[str]:
    """Return the names of files; while the sink works they are not read, for some may go."""
    return [
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "~journal"
    ]


def stored(folder: Path, stream: str) -> bytes:
    return b"".join(data for data, _, _ in open_stream(folder, stream).chunks())


def test_each_file_has_the_next_number_and_none_is_renamed(tmp_path: Path) -> None:
    sink = Sink(tmp_path / "log-{seq}.txt", framing="lines", rotate_size=20)
    sink.deliver(b"".join(b"line %d\n" % number for number in range(5)))
    sink.stop()
    assert files(tmp_path) == {
        "log-000001.txt": b"line 0\nline 1\n",
        "log-000002.txt": b"line 2\nline 3\n",
        "log-000003.txt": b"line 4\n",
    }
    rotated = sink.events(events.FileRotated)
    assert [(one.file, one.segment) for one in rotated] == [
        ("log-{seq}.txt", "log-000001.txt"),
        ("log-{seq}.txt", "log-000002.txt"),
    ]


@pytest.mark.parametrize("ack", [False, True])
def test_the_next_process_goes_on_with_the_highest_number(tmp_path: Path, ack: bool) -> None:
    for data in (b"one", b"two"):
        sink = Sink(tmp_path / "{seq}.log", ack=ack)
        sink.deliver(data)
        sink.stop()
    assert files(tmp_path) == {"000001.log": b"onetwo"}
    sink = Sink(tmp_path / "{seq}.log", ack=ack)
    sink.service.reload_service()
    assert not sink.destinations  # nobody has written: there is nothing to be closed yet
    sink.stop()


def test_what_is_compressed_is_not_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / "000007.log.gz").write_bytes(b"of an operator")
    sink = Sink(tmp_path / "{seq}.log", ack=False)
    sink.deliver(b"more")
    sink.stop()
    assert files(tmp_path) == {"000007.log.gz": b"of an operator", "000008.log": b"more"}


def test_closed_ones_are_compressed_and_so_many_kept(tmp_path: Path) -> None:
    sink = Sink(tmp_path / "{peer}/{seq}.log", ack=False, rotate_size=9, compress="gzip", keep=2)
    for number in range(5):
        sink.deliver(b"%d" % number * 9)
    names = [f"192.0.2.1/{name}" for name in ("000003.log.gz", "000004.log.gz", "000005.log")]
    sink.until(lambda: names_in(tmp_path) == names)
    sink.stop()
    assert files(tmp_path)[names[2]] == b"4" * 9


@pytest.mark.parametrize("how", ["none", "zstd"])
def test_a_stream_is_read_again_from_numbered_files(tmp_path: Path, how: str) -> None:
    data = b"".join(b"line %d\n" % number for number in range(20))
    sink = Sink(tmp_path / "{stream}/{seq}", framing="lines", rotate_size=50, compress=how)
    sink.upload("a", data[:70])
    sink.upload("a", data[70:], 70)
    if how == "zstd":
        sink.until(lambda: all(n.endswith(".zst") for n in names_in(tmp_path)[:-1]))
    sink.stop()
    assert len(files(tmp_path)) > 3
    assert stored(tmp_path, "a") == data
    sink = Sink(tmp_path / "{stream}/{seq}", framing="lines", rotate_size=50)
    sink.upload("a", b"more\n", len(data))
    sink.stop()
    assert not sink.events(events.FileReplaced)
    assert stored(tmp_path, "a") == data + b"more\n"


def test_a_kill_between_the_next_file_and_the_journals_word_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live, image = tmp_path / "live", tmp_path / "image"
    live.mkdir()
    sink = Sink(live / "{seq}.log")
    sink.upload("a", b"kept")
    closes = _Counted.close

    def killed_then(self, file):
        closed = closes(self, file)
        if not image.exists():
            (live / closed).open("ab").write(b"never committed")
            shutil.copytree(live, image)
        return closed

    monkeypatch.setattr(_Counted, "close", killed_then)
    sink.service.reload_service()
    sink.until(image.exists)
    sink.stop()
    for path in live.iterdir():
        # Not a copy of the folder: the journal knows files by their inodes.
        path.write_bytes((image / path.name).read_bytes())
    sink = Sink(live / "{seq}.log", compress="gzip")
    sink.upload("a", b" on", 4)
    sink.until(lambda: "000001.log.gz" in names_in(live))
    sink.stop()
    assert files(live)["000002.log"] == b" on"
    assert stored(live, "a") == b"kept on"
    Sink(live / "{seq}.log").stop()
    assert stored(live, "a") == b"kept on"


@pytest.mark.parametrize("how", ["moved", "removed"])
def test_the_number_of_a_file_that_somebody_took_is_not_used_again(
    tmp_path: Path, how: str
) -> None:
    sink = Sink(tmp_path / "{seq}.log", ack=False, rotate_size=6)
    sink.deliver(b"before")
    sink.deliver(b"taken")
    if how == "moved":
        (tmp_path / "000002.log").rename(tmp_path / "taken")
    else:
        (tmp_path / "000002.log").unlink()
    sink.deliver(b"after")
    sink.stop()
    found = files(tmp_path)
    found.pop("taken", None)
    assert found == {"000001.log": b"before", "000003.log": b"after"}


def test_one_that_was_closed_is_not_written_when_later_ones_are_gone(tmp_path: Path) -> None:
    sink = Sink(tmp_path / "{seq}.log", ack=False)
    sink.deliver(b"closed")
    sink.service.reload_service()
    sink.deliver(b"open")
    sink.reactor.advance(11)
    sink.reactor.advance(11)
    sink.until(lambda: not sink.destinations)
    (tmp_path / "000002.log").unlink()
    sink.deliver(b"more")
    sink.stop()
    assert files(tmp_path) == {"000001.log": b"closed", "000002.log": b"more"}


def test_what_waits_for_room_is_told_by_the_name_of_the_template(tmp_path: Path) -> None:
    sink = Sink(tmp_path / "{seq}.log", ack=False, quota=1000)
    sink.deliver(b"x" * 900)
    sink.connect().protocol.dataReceived(b"y" * 200)
    sink.until(lambda: sink.service.health()["files"] == "{seq}.log: quota")
    assert [one.file for one in sink.events(events.NoRoom)] == ["{seq}.log"]


def test_the_oldest_numbers_go_when_there_is_no_room(tmp_path: Path) -> None:
    sink = Sink(tmp_path / "{seq}.log", rotate_size=1000, quota=3000)
    for number in range(6):
        sink.upload(f"stream-{number}", b"%d" % number * 1000)
    sink.stop()
    assert list(files(tmp_path)) == ["000004.log", "000005.log", "000006.log"]
    assert "G 1" in (tmp_path / "~journal").read_text()


def test_where_the_next_file_cannot_be_made_durable_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = Sink(tmp_path / "{seq}.log")
    sink.upload("a", b"kept")
    sync = Folder.sync_folder_of

    def fails(folder: Folder, name: str) -> None:
        if name == "000002.log":
            raise OSError(errno.EIO, "the disk is broken")
        sync(folder, name)

    monkeypatch.setattr(Folder, "sync_folder_of", fails)
    sink.service.reload_service()
    sink.until(lambda: sink.events(events.FileFailed))
    assert list(files(tmp_path)) == ["000001.log"]
    monkeypatch.undo()
    sink.service.keeper.store.retry()
    sink.upload("a", b" on", 4)
    sink.stop()
    assert files(tmp_path) == {"000001.log": b"kept on"}


def test_closed_files_are_looked_after_only_when_the_journal_was_recovered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    recover, start = recovery.recover, Upkeep.start

    def recovers(*words: Any) -> Any:
        order.append("recover")
        return recover(*words)

    def starts(*words: Any) -> None:
        order.append("start")
        start(*words)

    monkeypatch.setattr(opening, "recover", recovers)
    monkeypatch.setattr(upkeep.Upkeep, "start", starts)
    Sink(tmp_path / "all").stop()
    assert order == ["recover", "start"]


@pytest.mark.parametrize("template", ["{stream}-{seq}.log", "all-{seq}.log"])
def test_a_damaged_journal_leaves_each_file_its_number(tmp_path: Path, template: str) -> None:
    data = b"x" * (192 << 10)
    sink = Sink(tmp_path / template, rotate_size=90 << 10, compress="gzip")
    sink.upload("s", data)
    sink.until(lambda: len(list(tmp_path.glob("*.gz"))) == 2)
    sink.stop()
    before = files(tmp_path)
    journal = tmp_path / "~journal"
    lines = journal.read_bytes().splitlines(keepends=True)
    # Also that a file was closed.
    lines = [line if b"N " not in line else b"damaged\n" for line in lines]
    journal.write_bytes(b"".join(lines))
    sink = Sink(tmp_path / template, rotate_size=90 << 10)
    assert len(sink.events(events.JournalSetAside)) == 1
    after = files(tmp_path)
    assert {name: after[name] for name in before} == before
    done = sink.upload("s", b"and more", len(data)).replies(b"DONE")
    assert [words[1] for words in done] == [b"%d" % (len(data) + 8)]
    sink.stop()
    names = [name for name in files(tmp_path) if "~" not in name]
    assert [name.partition("-")[2] for name in names] == [
        "000001.log.gz",
        "000002.log.gz",
        "000003.log",
        "000004.log",
    ]
    assert stored(tmp_path, "s") == data + b"and more"
