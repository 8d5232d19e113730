"""Streams with receipts, over several files and failures, without threads or sockets."""

from __future__ import annotations

import errno
import os
from types import SimpleNamespace

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.testing import StringTransport

from socketsuite.services.filesink.ack import AckFactory, AckSender
from socketsuite.services.filesink.registry import StreamRegistry
from socketsuite.wire.records import new_framer
from tests.support.disk import Disk


class Sink:
    """What frontends are given, over storage without threads."""

    def __init__(self, disk, framing="raw"):
        self.disk, self.framing = disk, framing
        self.sync = disk.setup.sync
        self.signer = None
        self.record_header, self.rotate_size, self.max_record = False, 0, 100
        self.names = iter(range(1, 1000))
        self.connection_names = SimpleNamespace(next=lambda: f"c{next(self.names)}")
        self.name_of = lambda connection: "a"
        registry = StreamRegistry(100, False, lambda entries: disk.state.apply(entries))
        registry.streams = disk.streams
        self.keeper = SimpleNamespace(
            registry=registry,
            store=disk.store,
            failed=None,
            count=lambda framer: None,
            file_name=lambda peer, connection, stream: self.name_of(connection),
        )
        disk.hears_receipts = lambda one: one.stream.sender and one.stream.sender.receipt(one)

    def new_framer(self):
        return new_framer(self.framing, 100, "drop")


class Transport(StringTransport):
    def loseWriteConnection(self) -> None:
        """Do nothing: nobody sees it."""


class Caller:
    """One connection."""

    def __init__(self, sink):
        self.disk = sink.disk
        self.transport = Transport(IPv4Address("TCP", "127.0.0.1", 1))
        self.protocol = AckFactory(sink, self.disk.reactor).buildProtocol(None)
        assert isinstance(self.protocol, AckSender)
        self.protocol.makeConnection(self.transport)
        assert self.said()[0].startswith("READY 1")

    def send(self, data: bytes) -> None:
        self.protocol.dataReceived(data)

    def data(self, offset: int, data: bytes) -> None:
        self.send(b"DATA %d %d\n%s" % (offset, len(data), data))

    def said(self) -> list[str]:
        lines = self.transport.value().decode().splitlines()
        self.transport.clear()
        return [" ".join(line.split()[: 3 if line.startswith("STREAM") else 2]) for line in lines]

    def hears(self) -> list[str]:
        self.disk.run()
        return self.said()

    def is_paused(self) -> bool:
        return self.transport.producerState == "paused"


@pytest.fixture
def sink_of(tmp_path):
    made = []

    def make(**options):
        made.append(Disk(tmp_path, **options))
        return Sink(made[-1])

    yield make
    for disk in made:
        disk.folder.close()


class Synced:
    """Notes which files are synced, and may have that fail."""

    def __init__(self, monkeypatch):
        self.names: list[str] = []
        self.failing = False
        real = os.fdatasync

        def fdatasync(descriptor):
            if self.failing:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            self.names.append(os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")))
            real(descriptor)

        monkeypatch.setattr(os, "fdatasync", fdatasync)


@pytest.mark.parametrize("sync", ["always", "interval", "none"])
def test_no_receipt_covers_what_another_file_has_not_synced(sink_of, monkeypatch, sync):
    sink = sink_of(sync=sync)
    sink.name_of = lambda connection: connection
    synced = Synced(monkeypatch)
    first = Caller(sink)
    first.send(b"STREAM s\n")
    first.data(0, b"one")
    first.hears()
    first.protocol.connectionLost()
    second = Caller(sink)
    second.send(b"STREAM s\n")
    second.data(3, b"two")
    assert second.hears()[0] == "STREAM s 3"
    assert synced.names[0] == "c1"
    second.send(b"END 6\n")
    assert "DONE 6" in second.hears()
    assert {"c1", "c2"} <= set(synced.names)
    assert sink.disk.read("c1") + sink.disk.read("c2") == b"onetwo"


@pytest.mark.parametrize("sync", ["always", "interval", "none"])
def test_a_stream_that_goes_on_all_the_time_goes_on_in_the_next_days_file(sink_of, sync):
    sink = sink_of(sync=sync)
    sink.name_of = lambda connection: sink.disk.store.date
    caller = Caller(sink)
    caller.send(b"STREAM s\n")
    sink.disk.store.date = "monday"
    caller.data(0, b"one")
    sink.disk.store.date = "tuesday"
    caller.data(3, b"two")  # while the first is still waiting
    caller.data(6, b"three")
    assert caller.is_paused()
    heard = caller.hears()
    assert not caller.is_paused()
    caller.send(b"END 11\n")
    heard += caller.hears()
    assert heard[-1] == "DONE 11"
    assert sink.disk.read("monday") == b"onetwo"
    assert sink.disk.read("tuesday") == b"three"


def test_who_waits_for_what_another_left_is_told_when_that_fails(sink_of, monkeypatch):
    sink = sink_of(sync="interval")
    synced = Synced(monkeypatch)
    first = Caller(sink)
    first.send(b"STREAM s\n")
    first.data(0, b"one")
    first.protocol.connectionLost()
    second = Caller(sink)
    second.send(b"STREAM s\n")
    synced.failing = True
    assert second.hears() == ["ERROR failed"]
    second.protocol.connectionLost()
    synced.failing = False
    third = Caller(sink)
    third.send(b"STREAM s\n")
    assert third.hears() == ["STREAM s 0"]
    third.data(0, b"one")
    assert third.hears() == ["ERROR failed"]
    third.protocol.connectionLost()
    sink.disk.store.retry()
    fourth = Caller(sink)
    fourth.send(b"STREAM s\n")
    fourth.data(0, b"one")
    fourth.send(b"END 3\n")
    assert fourth.hears() == ["STREAM s 0", "DONE 3"]
    assert sink.disk.read() == b"one"


def test_who_is_not_read_from_for_long_is_told_so_again_and_again(sink_of):
    sink = sink_of()
    caller = Caller(sink)
    caller.send(b"STREAM s\n")
    assert caller.said() == ["STREAM s 0"]
    caller.data(0, b"one")
    caller.send(b"END 3\n")
    for _ in range(40):
        sink.disk.reactor.advance(1.0)
    assert set(caller.said()) == {"WAIT slow-disk"}
    for _ in range(15):
        sink.disk.reactor.advance(1.0)
    assert 2 <= caller.said().count("WAIT slow-disk") <= 3
    assert caller.hears() == ["DONE 3", "GO"]
    for _ in range(40):
        sink.disk.reactor.advance(1.0)
    assert caller.said() == []
    caller.send(b"PING\n")
    assert caller.said() == ["PONG"]


def test_who_is_gone_is_reminded_of_nothing(sink_of):
    sink = sink_of()
    caller = Caller(sink)
    caller.send(b"STREAM s\nEND 0\n")
    caller.protocol.connectionLost()
    caller.said()
    for _ in range(40):
        sink.disk.reactor.advance(1.0)
    assert caller.said() == []
    assert sink.disk.reactor.getDelayedCalls() == []


def test_when_the_journal_has_failed_no_stream_is_taken(sink_of):
    sink = sink_of()
    caller = Caller(sink)
    sink.keeper.failed = "Input/output error"
    caller.send(b"STREAM s\n")
    assert caller.hears() == ["ERROR failed"]
