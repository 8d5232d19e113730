"""Streams with receipts: the protocol, resuming, duplicates, and what is in the file then."""

from __future__ import annotations

import base64
import errno
import hashlib
import os
import random
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from socketsuite.settings import SettingsError
from socketsuite.storage import events
from socketsuite.storage.streams import Stream
from socketsuite.wire.acks import signed_text
from socketsuite.wire.merkle import TreeHash
from tests.support.sink import Sink


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sink"


def tree(data: bytes) -> bytes:
    made = TreeHash()
    made.feed(data)
    return made.root().hex().encode()


def test_a_stream_is_in_the_file_and_its_receipt_proves_it(file: Path) -> None:
    sink = Sink(file)
    data = random.Random(1).randbytes(200_000)
    line = sink.upload("a/b", data)
    assert line.lines[0].startswith(b"READY 1 sync=always framing=raw most=1048576 leaf=65536")
    assert line.lines[1] == b"STREAM a/b 0 " + hashlib.sha256(b"").hexdigest().encode()
    ((_, offset, root, _),) = line.replies(b"DONE")
    assert (offset, root) == (b"200000", tree(data))
    assert file.read_bytes() == data
    sink.stop()


def test_a_restart_goes_on_where_the_stream_was(file: Path) -> None:
    data = random.Random(2).randbytes(300_000)
    sink = Sink(file)
    sink.upload("s", data[:100_001])
    sink.stop()
    sink = Sink(file)
    line = sink.sender()
    line.protocol.dataReceived(b"STREAM s\n")
    assert line.lines[-1] == b"STREAM s 100001 " + tree(data[:100_001])
    # What is known already is skipped.
    line.protocol.dataReceived(b"DATA 50000 250000\n" + data[50_000:] + b"END 300000\n")
    sink.until(lambda: line.replies(b"DONE"))
    assert line.replies(b"DONE")[0][2] == tree(data)
    assert file.read_bytes() == data
    sink.stop()


def test_two_streams_in_one_file_go_on_each_by_itself(file: Path) -> None:
    sink = Sink(file)
    one, two = sink.sender(), sink.sender()
    for line, name in ((one, b"one"), (two, b"two")):
        line.protocol.dataReceived(b"STREAM %s\n" % name)
    for number in range(5):
        for line, letter in ((one, b"1"), (two, b"2")):
            line.protocol.dataReceived(b"DATA %d 1000\n" % (number * 1000) + letter * 1000)
            sink.settle()
    for line in (one, two):
        line.protocol.dataReceived(b"END 5000\n")
    sink.until(lambda: one.replies(b"DONE") and two.replies(b"DONE"))
    assert one.replies(b"DONE")[0][2] == tree(b"1" * 5000)
    assert two.replies(b"DONE")[0][2] == tree(b"2" * 5000)
    assert len(file.read_bytes()) == 10_000
    sink.stop()


def test_an_empty_stream_is_a_file_of_nothing(tmp_path: Path) -> None:
    sink = Sink(f"{tmp_path}/{{stream}}")
    line = sink.sender()
    line.protocol.dataReceived(b"STREAM empty\nEND 0\n")
    sink.until(lambda: line.replies(b"DONE"))
    assert (tmp_path / "empty").read_bytes() == b""
    sink.stop()


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"STREAM s\nDATA 1 1\nx", b"gap"),
        (b"STREAM s\nDATA 0 1\nxEND 2\n", b"mismatch"),
        (b"DATA 0 1\nx", b"no-stream"),
        (b"STREAM ../x\n", b"bad-stream"),
        (b"HELLO\n", b"syntax"),
        (b"STREAM s\nDATA 0 1048577\n", b"too-much"),
    ],
)
def test_what_cannot_be_is_said_and_the_connection_ends(
    file: Path, said: bytes, code: bytes
) -> None:
    sink = Sink(file)
    line = sink.sender()
    line.protocol.dataReceived(said)
    assert line.lines[-1].startswith(b"ERROR %s " % code)
    assert line.half_closed
    sink.stop()


def test_a_second_sender_is_told_and_may_take_over_from_one_that_is_silent(file: Path) -> None:
    sink = Sink(file)
    first, second, third = sink.sender(), sink.sender(), sink.sender()
    for line in (first, second):
        line.protocol.dataReceived(b"STREAM s\n")
    assert second.lines[-1].startswith(b"ERROR in-use ")
    sink.reactor.advance(10)
    third.protocol.dataReceived(b"STREAM s\n")
    assert first.lines[-1].startswith(b"ERROR replaced ")
    assert third.lines[-1].startswith(b"STREAM s 0 ")
    sink.stop()


def test_what_a_lost_sender_left_half_is_gone_on_with_without_doubling(file: Path) -> None:
    sink = Sink(file, framing="lines")
    first = sink.sender()
    first.protocol.dataReceived(b"STREAM s\nDATA 0 12\nwhole\ntorn re")
    first.gone()
    second = sink.sender()
    second.protocol.dataReceived(b"STREAM s\n")
    sink.until(lambda: second.replies(b"STREAM"))
    offset = int(second.replies(b"STREAM")[0][2])
    assert offset == 6
    rest = b"whole\ntorn record\n"[offset:]
    second.protocol.dataReceived(b"DATA 6 %d\n" % len(rest) + rest + b"END 18\n")
    sink.until(lambda: second.replies(b"DONE"))
    assert file.read_bytes() == b"whole\ntorn record\n"
    sink.stop()


def test_a_record_that_is_too_long_or_not_whole_is_never_acknowledged(file: Path) -> None:
    sink = Sink(file, framing="lines", max_record=10)
    line = sink.sender()
    line.protocol.dataReceived(b"STREAM s\nDATA 0 12\nxxxxxxxxxxxx")
    assert line.lines[-1].startswith(b"ERROR record ")
    other = Sink(f"{file}2", framing="length")
    line = other.sender()
    line.protocol.dataReceived(b"STREAM s\nDATA 0 6\n\0\0\0\x05xxEND 6\n")
    assert line.lines[-1].startswith(b"ERROR record ")
    for one in (sink, other):
        one.stop()
    assert file.read_bytes() == b""


def test_the_end_of_a_line_that_the_sink_adds_is_not_the_streams(file: Path) -> None:
    sink = Sink(file, framing="lines", record_header=True)
    line = sink.upload("s", b"one\ntwo")
    assert line.replies(b"DONE")[0][1:3] == [b"7", tree(b"one\ntwo")]
    assert file.read_text().splitlines()[1::2] == ["one", "two"]
    sink.stop()
    again = Sink(file, framing="lines", record_header=True)
    line = again.upload("s", b"more\n", 7)
    assert line.replies(b"DONE")[0][1:3] == [b"12", tree(b"one\ntwomore\n")]
    again.stop()


def test_a_file_that_cannot_be_synced_acknowledges_nothing_and_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = Sink(f"{tmp_path}/{{stream}}")
    sink.upload("bad", b"x" * 100)
    sink.upload("good", b"x")
    bad = os.stat(tmp_path / "bad").st_ino
    sync = os.fdatasync

    def fails(descriptor: int) -> None:
        if os.fstat(descriptor).st_ino == bad:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        sync(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", fails)
        line = sink.upload("bad", b"y" * 100, 100)
        assert not line.replies(b"DONE") + line.replies(b"ACK")
        assert line.lines[-1].startswith(b"ERROR failed ")
        assert sink.upload("good", b"z", 1).replies(b"DONE")
        assert not sink.upload("bad", b"y" * 100, 100).replies(b"DONE")
    assert "bad: Input/output error" in str(sink.service.health()["files"])
    sink.service.reload_service()
    assert sink.upload("bad", b"y" * 100, 100).replies(b"DONE")[0][2] == tree(
        b"x" * 100 + b"y" * 100
    )
    assert (tmp_path / "bad").read_bytes() == b"y" * 100
    assert (tmp_path / "bad~000001").read_bytes() == b"x" * 100
    sink.stop()


def test_a_journal_that_cannot_be_synced_ends_all_acknowledging(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = Sink(file)
    sink.upload("s", b"x")
    journal = os.stat(f"{file}~journal").st_ino
    sync = os.fdatasync

    def fails(descriptor: int) -> None:
        if os.fstat(descriptor).st_ino == journal:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        sync(descriptor)

    monkeypatch.setattr(os, "fdatasync", fails)
    line, raw = sink.sender(), sink.connect()
    raw.protocol.dataReceived(b"raw")
    line.protocol.dataReceived(b"STREAM s\nDATA 1 1\ny")
    sink.until(lambda: line.half_closed and raw.reset)
    assert line.lines[-1].startswith(b"ERROR failed ")
    assert sink.service.health()["journal"] == "Input/output error"
    late, lost = sink.sender(), sink.connect()
    assert late.lines[-1].startswith(b"ERROR failed ")
    assert lost.reset
    # Nor is anything waited for at the end.
    sink.stop()


def test_receipts_are_signed_where_there_is_a_key(file: Path, tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    pem = tmp_path / "key.pem"
    pem.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    sink = Sink(file, sign_key=pem)
    line = sink.upload("s", b"data")
    announced = next(w[4:] for w in line.lines[0].split() if w.startswith(b"key="))
    _, offset, root, time, signature = line.replies(b"DONE")[0]
    Ed25519PublicKey.from_public_bytes(base64.b64decode(announced)).verify(
        base64.b64decode(signature),
        signed_text("s", int(offset), bytes.fromhex(root.decode()), int(time)),
    )
    sink.stop()
    pem.write_bytes(b"no key")
    with pytest.raises(SettingsError, match="openssl genpkey"):
        Sink(file, sign_key=pem)


def test_so_many_streams_may_be_known_and_old_ones_expire(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = Sink(file, max_streams=2, stream_expiry=100.0)
    for name in ("one", "two"):
        sink.upload(name, b"x")
    refused = sink.sender()
    refused.protocol.dataReceived(b"STREAM three\n")
    assert refused.lines[-1].startswith(b"ERROR full ")
    for stream in sink.service.keeper.registry.streams.by_name.values():
        stream.used -= 1000
    sink.reactor.advance(60)
    assert sink.upload("three", b"y").replies(b"DONE")
    sink.stop()
    again = Sink(file, max_streams=2)
    assert [one["stream"] for one in again.service.keeper.registry.listed()] == ["three"]
    again.stop()


def test_a_stream_that_begins_anew_does_not_begin_behind_another_of_its_name(
    tmp_path: Path,
) -> None:
    (tmp_path / "s").write_bytes(b"of nobody")
    sink = Sink(f"{tmp_path}/{{stream}}")
    sink.upload("s", b"new")
    sink.stop()
    assert (tmp_path / "s").read_bytes() == b"new"
    assert (tmp_path / "s~000001").read_bytes() == b"of nobody"
    assert [event.how for event in sink.events(events.FileReplaced)] == ["unknown, now s~000001"]


def test_a_drain_confirms_what_came_and_says_that_it_ends(file: Path) -> None:
    sink = Sink(file)
    line = sink.sender()
    line.protocol.dataReceived(b"STREAM s\nDATA 0 4\nkept")
    line.protocol.drain()
    sink.until(lambda: line.half_closed)
    assert line.replies(b"ACK")[-1][1] == b"4"
    assert line.lines[-1].startswith(b"ERROR busy ")
    sink.stop()


@pytest.mark.parametrize("sync", ["none", "interval"])
def test_other_modes_acknowledge_what_they_keep_and_an_end_is_always_synced(
    file: Path, sync: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    real = os.fdatasync
    sink = Sink(file, sync=sync)
    inode = file.stat().st_ino

    def syncs(descriptor: int) -> None:
        real(descriptor)
        synced.append(os.fstat(descriptor).st_ino)

    monkeypatch.setattr(os, "fdatasync", syncs)
    line = sink.sender()
    line.protocol.dataReceived(b"STREAM s\nDATA 0 4\nkept")
    sink.settle()
    if sync == "interval":
        assert not line.replies(b"ACK")
        sink.reactor.advance(1.0)
    sink.until(lambda: line.replies(b"ACK"))
    assert (inode in synced) == (sync == "interval")
    line.protocol.dataReceived(b"DATA 4 2\nokEND 6\n")
    sink.until(lambda: line.replies(b"DONE"))
    assert inode in synced
    sink.stop()


def test_names_that_cannot_be_files_cost_nobody_else_a_file(tmp_path: Path) -> None:
    sink = Sink(tmp_path / "{stream}", max_open_files=3)
    sink.upload("a", b"a file")
    sink.upload("b/c", b"in a folder")
    for number in range(10):
        name = f"a/{number}" if number else "b"
        (error,) = sink.upload(name, b"x").replies(b"ERROR")
        assert error[1] == b"failed"
    refused = [(one.file, one.why) for one in sink.events(events.FileRefused)]
    assert refused[0] == ("b", "it is a folder")
    assert refused[1:] == [
        (f"a/{number}", "a part of its path is not a folder") for number in range(1, 10)
    ]
    assert not sink.events(events.FileFailed)
    assert sink.service.health()["files"] is True
    assert sink.upload("good", b"x").replies(b"DONE")
    # It is looked at again, when somebody comes back with it.
    (tmp_path / "a").unlink()
    assert sink.upload("a/1", b"x").replies(b"DONE")
    sink.stop()
    assert (tmp_path / "a" / "1").read_bytes() == b"x"


def test_a_single_file_that_became_a_folder_is_wrong_until_a_reload(file: Path) -> None:
    sink = Sink(file)
    sink.upload("s", b"x")
    file.unlink()
    file.mkdir()
    sink.upload("s", b"y", 1)
    assert sink.service.health()["files"] == "sink: it is a folder"
    sink.stop()


@pytest.mark.parametrize("step", [365 * 86400, -365 * 86400])
def test_a_clock_that_is_set_makes_no_stream_older(
    file: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    sink = Sink(file, stream_expiry=1000.0)
    sink.upload("before", b"x")
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + step)
    sink.upload("after", b"y")
    sink.reactor.advance(60)
    known = {one.name: one.used - time.time() for one in streams(sink)}
    assert known.keys() == {"before", "after"}
    assert all(-100 < age <= 0 for age in known.values())
    sink.stop()
    # The next process knows it by the journal.
    again = Sink(file, stream_expiry=1000.0)
    again.reactor.advance(60)
    assert {one.name for one in streams(again)} == {"before", "after"}
    for one in streams(again):
        one.used -= 1000
    again.reactor.advance(60)
    assert not streams(again)
    again.stop()


def streams(sink: Sink) -> list[Stream]:
    return list(sink.service.keeper.registry.streams.by_name.values())
