"""What plain clients send is in the files, whole, and confirmed when it is kept."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from socketsuite.settings import SettingsError
from socketsuite.storage import events
from tests.support.sink import Sink


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sink"


def test_the_first_clients_end_closes_nothing_for_the_rest(file: Path) -> None:
    file.write_bytes(b"before ")
    sink = Sink(file, ack=False)
    first, second = sink.connect(), sink.connect()
    first.protocol.dataReceived(b"one ")
    second.protocol.dataReceived(b"two ")
    sink.finish(first)
    second.protocol.dataReceived(b"three ")
    sink.finish(second)
    sink.stop()
    assert file.read_bytes() == b"before one two three "


def test_a_new_file_is_readable_by_its_group_only(file: Path) -> None:
    umask = os.umask(0)
    try:
        sink = Sink(file, ack=False)
        sink.stop()
    finally:
        os.umask(umask)
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_nothing_is_confirmed_before_it_is_synced(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    sync = os.fdatasync

    def syncs(descriptor: int) -> None:
        sync(descriptor)
        done.append("synced")

    monkeypatch.setattr(os, "fdatasync", syncs)
    sink = Sink(file, ack=False)
    line = sink.connect()
    monkeypatch.setattr(line, "loseConnection", lambda: done.append("closed"))
    line.protocol.dataReceived(b"kept")
    line.protocol.readConnectionLost()
    sink.until(lambda: "closed" in done)
    assert done == ["synced", "closed"]
    sink.stop()


def test_without_syncing_nothing_is_synced(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = Sink(file, ack=False, sync="none")
    monkeypatch.setattr(os, "fdatasync", lambda fd: pytest.fail("it was synced"))
    sink.deliver(b"kept")
    assert file.read_bytes() == b"kept"


def test_a_failed_sync_is_confirmed_to_nobody_and_not_tried_again(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = Sink(file, ack=False)
    sink.deliver(b"good ")
    calls = []

    def fails(descriptor: int) -> None:
        calls.append(descriptor)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", fails)
        line, bystander = sink.connect(), sink.connect()
        bystander.protocol.dataReceived(b"")
        line.protocol.dataReceived(b"lost")
        line.protocol.readConnectionLost()
        sink.until(lambda: line.reset)
    assert not line.closed
    assert len(calls) == 1
    assert sink.service.health()["files"] == "sink: Input/output error"
    # What was never confirmed is cut off, and whoever comes next is told at once.
    assert file.read_bytes() == b"good "
    late = sink.connect()
    late.protocol.dataReceived(b"more")
    assert late.reset
    sink.service.reload_service()
    sink.deliver(b"after")
    assert sink.service.health()["files"] is True
    assert file.read_bytes() == b"after"
    assert Path(f"{file}~000001").read_bytes() == b"good "
    sink.stop()


def test_while_the_disk_is_full_senders_wait_and_nothing_is_lost(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = Sink(file, ack=False)
    write = os.writev
    full = True

    def no_room(descriptor: int, pieces: list[bytes]) -> int:
        if full:
            # A part fits: what is half-written is cut off again.
            os.write(descriptor, bytes(pieces[0][:3]))
            return 3
        return write(descriptor, pieces)

    monkeypatch.setattr(os, "writev", no_room)
    line = sink.connect()
    line.protocol.dataReceived(b"record of a sender")
    sink.until(lambda: sink.service.health()["files"] == "sink: disk-full")
    assert file.read_bytes() == b""
    assert sink.events(events.NoRoom)
    for _ in range(80):
        line.protocol.dataReceived(b"x" * 65536)
    paused = not line.reading
    full = False
    sink.finish(line)
    assert (paused, line.reading) == (True, True)
    assert file.read_bytes() == b"record of a sender" + b"x" * 65536 * 80
    assert sink.events(events.RoomAgain)
    sink.stop()


def test_records_of_several_clients_stay_whole(file: Path) -> None:
    sink = Sink(file, ack=False, framing="lines")
    one, two = sink.connect(), sink.connect()
    one.protocol.dataReceived(b"first half, ")
    two.protocol.dataReceived(b"another\nunended")
    one.protocol.dataReceived(b"second half\n")
    sink.finish(two)
    sink.finish(one)
    sink.stop()
    assert sorted(file.read_bytes().splitlines()) == sorted(
        [b"another", b"first half, second half", b"unended"]
    )


def test_a_line_of_source_and_time_is_put_before_each_record(file: Path) -> None:
    sink = Sink(file, ack=False, framing="lines", record_header=True)
    sink.deliver(b"one\ntwo\n")
    sink.stop()
    lines = file.read_text().splitlines()
    assert lines[1::2] == ["one", "two"]
    for line in lines[::2]:
        when, who = line.split()
        assert who == "192.0.2.1"
        assert when.endswith("Z")


def test_a_torn_end_is_cut_back_to_the_last_whole_record(file: Path) -> None:
    file.write_bytes(b"whole\ntorn")
    sink = Sink(file, ack=False, framing="lines")
    sink.deliver(b"next\n")
    sink.stop()
    assert file.read_bytes() == b"whole\nnext\n"
    (event,) = sink.events(events.TailCut)
    assert event.bytes == 4


def fifo(folder: Path) -> Path:
    os.mkfifo(folder / "fifo")
    return folder / "fifo"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: folder, "names no file|it is a folder"),
        (lambda folder: folder / "missing" / "file", "create it"),
        (fifo, "it is a pipe or a socket"),
    ],
)
def test_what_cannot_be_appended_to_is_refused_by_name(tmp_path: Path, make, words: str) -> None:
    path = make(tmp_path)
    with pytest.raises(SettingsError, match=words):
        Sink(path, ack=False)


def test_a_file_of_its_own_for_each_peer_and_day(tmp_path: Path) -> None:
    sink = Sink(f"{tmp_path}/{{date}}/{{peer}}.log", ack=False)
    line = sink.connect("../../etc/passwd")
    line.protocol.dataReceived(b"hostile")
    sink.finish(line)
    sink.stop()
    (found,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert found.parent.parent == tmp_path
    assert found.name == "%2E.%2F..%2Fetc%2Fpasswd.log"


def test_more_files_than_may_be_open_reset_the_one_that_wants_another(tmp_path: Path) -> None:
    sink = Sink(f"{tmp_path}/{{peer}}", ack=False, max_open_files=2)
    lines = [sink.connect(f"192.0.2.{number}") for number in range(3)]
    for line in lines:
        line.protocol.dataReceived(b"x")
    assert [line.reset for line in lines] == [False, False, True]
    sink.finish(lines[0])
    again = sink.connect("192.0.2.9")
    again.protocol.dataReceived(b"y")
    sink.finish(again)
    sink.stop()


def test_who_waits_for_the_disk_is_unfinished_and_who_is_idle_is_not(file: Path) -> None:
    sink = Sink(file, quota=10)
    client = sink.connect()
    assert client.protocol.unfinished() is False
    client.protocol.dataReceived(b"more than there is room for")
    assert client.protocol.unfinished() is True
    sink.until(lambda: sink.service.health()["files"] is not True)
    assert client.protocol.unfinished() is True
    sink.stop()
    other = Sink(file)
    client = other.connect()
    client.protocol.dataReceived(b"enough")
    other.settle()
    assert client.protocol.unfinished() is False
    other.stop()
