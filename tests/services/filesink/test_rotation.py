"""Files are rotated by size, by time, on reload, and when somebody else has moved them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from socketsuite.storage import events
from tests.support.sink import Sink


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "log"


def segments(file: Path) -> list[Path]:
    return sorted(file.parent.glob(f"{file.name}~0*"))


@pytest.mark.parametrize("ack", [False, True])
def test_by_size_and_between_records(file: Path, ack: bool) -> None:
    sink = Sink(file, ack=ack, framing="lines", rotate_size=100)
    records = [b"record %03d of a sender\n" % number for number in range(50)]
    sink.deliver(b"".join(records))
    sink.stop()
    parts = [path.read_bytes() for path in [*segments(file), file]]
    assert b"".join(parts) == b"".join(records)
    assert len(parts) > 10
    assert all(len(part) <= 100 and part.endswith(b"\n") for part in parts)


def test_a_record_that_is_longer_than_a_file_has_one_of_its_own(file: Path) -> None:
    sink = Sink(file, ack=False, framing="lines", rotate_size=10)
    sink.deliver(b"a\n" + b"b" * 50 + b"\nc\n")
    sink.stop()
    assert [path.read_bytes() for path in [*segments(file), file]] == [
        b"a\n",
        b"b" * 50 + b"\n",
        b"c\n",
    ]


def test_by_time(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1_000_000.0]
    monkeypatch.setattr("socketsuite.services.filesink.keeper.time.time", lambda: now[0])
    sink = Sink(file, ack=False, rotate_every=60.0)
    sink.deliver(b"today")
    now[0] += 61
    # Also when nobody writes: the file of a time that is over is closed.
    sink.reactor.advance(1.0)
    sink.until(lambda: segments(file))
    sink.deliver(b"tomorrow")
    sink.stop()
    assert segments(file)[0].read_bytes() == b"today"
    assert file.read_bytes() == b"tomorrow"


def test_on_reload(file: Path) -> None:
    sink = Sink(file)
    sink.deliver(b"before")
    sink.service.reload_service()
    sink.deliver(b"after")
    sink.stop()
    assert [path.read_bytes() for path in segments(file)] == [b"before"]
    assert file.read_bytes() == b"after"


def test_on_reload_a_streams_own_file_stays_as_it_is(tmp_path: Path) -> None:
    sink = Sink(f"{tmp_path}/{{stream}}")
    sink.upload("photo.jpg", b"whole")
    sink.service.reload_service()
    sink.upload("photo.jpg", b" and more", 5)
    sink.stop()
    assert (tmp_path / "photo.jpg").read_bytes() == b"whole and more"


def test_on_reload_too_when_nobody_has_written_for_long(file: Path) -> None:
    file.write_bytes(b"of an earlier process")
    sink = Sink(file, ack=False)
    sink.service.reload_service()
    sink.until(lambda: segments(file))
    sink.stop()


@pytest.mark.parametrize("how", ["moved", "removed", "truncated"])
def test_a_file_that_somebody_took_away_is_begun_anew(file: Path, how: str) -> None:
    sink = Sink(file, framing="lines")
    line = sink.connect()
    line.protocol.dataReceived(b"before\n")
    sink.settle()
    if how == "moved":
        file.rename(file.with_name("moved"))
    elif how == "removed":
        file.unlink()
    else:
        os.truncate(file, 0)
    line.protocol.dataReceived(b"after\n")
    sink.finish(line)
    sink.stop()
    assert file.read_bytes() == b"after\n"
    (event,) = sink.events(events.FileReplaced)
    assert how in event.how
    if how == "moved":
        assert file.with_name("moved").read_bytes() == b"before\n"


@pytest.mark.parametrize(("how", "suffix"), [("gzip", ".gz"), ("zstd", ".zst")])
def test_closed_files_are_compressed_and_so_many_kept(file: Path, how: str, suffix: str) -> None:
    sink = Sink(file, ack=False, rotate_size=1000, compress=how, keep=2)
    for number in range(5):
        sink.deliver(b"%d" % number * 1000)
    wanted = [f"log~{number:06d}{suffix}" for number in (3, 4)]
    sink.until(lambda: [path.name for path in segments(file)] == wanted)
    sink.stop()


def test_of_too_many_bytes_the_oldest_segments_go(file: Path) -> None:
    sink = Sink(file, rotate_size=1000, quota=3000)
    for number in range(6):
        sink.deliver(b"%d" % number * 1000)
    sink.stop()
    assert sum(path.stat().st_size for path in [*segments(file), file]) <= 3000
    assert file.read_bytes() == b"5" * 1000


def test_a_quota_that_nothing_can_cure_is_waited_for(file: Path) -> None:
    sink = Sink(file, ack=False, quota=1000)
    sink.deliver(b"x" * 900)
    line = sink.connect()
    line.protocol.dataReceived(b"y" * 200)
    sink.until(lambda: sink.service.health()["files"] == "log: quota")
    assert file.stat().st_size == 900


def test_senders_that_are_silent_keep_nobody_from_a_file(tmp_path: Path) -> None:
    sink = Sink(tmp_path / "{stream}", max_open_files=2)
    lines = [sink.sender() for _ in range(3)]

    def send(number: int, at: int) -> None:
        before = len(lines[number].replies(b"ACK")) + len(lines[number].replies(b"ERROR"))
        head = b"" if at else b"STREAM s%d\n" % number
        lines[number].protocol.dataReceived(head + b"DATA %d 4\ndata" % at)
        sink.until(
            lambda: (
                len(lines[number].replies(b"ACK")) + len(lines[number].replies(b"ERROR")) > before
            )
        )

    send(0, 0)
    send(1, 0)
    send(2, 0)
    assert lines[2].replies(b"ERROR")[0][1] == b"busy"
    sink.reactor.advance(11)
    send(1, 4)  # so that the other one is the silent one
    lines[2] = sink.sender()
    send(2, 0)
    sink.until(lambda: set(sink.destinations) == {"s1", "s2"})
    sink.reactor.advance(11)
    # It goes on where it was, and another makes room for it.
    send(0, 4)
    assert lines[0].replies(b"ACK")[-1][1] == b"8"
    assert [line.replies(b"ERROR") for line in lines] == [[], [], []]
    sink.stop()
    assert (tmp_path / "s0").read_bytes() == b"datadata"
    assert not sink.events(events.FileReplaced)


def test_a_plain_client_that_was_silent_goes_on_too(tmp_path: Path) -> None:
    sink = Sink(tmp_path / "{peer}", ack=False, max_open_files=1)
    silent, other = sink.connect("192.0.2.1"), sink.connect("192.0.2.2")
    silent.protocol.dataReceived(b"one ")
    sink.settle()
    sink.reactor.advance(11)
    other.protocol.dataReceived(b"other")
    sink.until(lambda: set(sink.destinations) == {"192.0.2.2"})
    sink.settle()
    sink.reactor.advance(11)
    silent.protocol.dataReceived(b"two")
    for line in (silent, other):
        sink.finish(line)
    sink.stop()
    assert (tmp_path / "192.0.2.1").read_bytes() == b"one two"
