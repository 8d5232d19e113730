"""A connection: silence, waiting, errors, and no more written or read than there is room for."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from socketsuite.cli.sending.connection import PING_AFTER, SILENCE, AckConnection, Broken, Refused
from socketsuite.wire.acks import (
    Data,
    Done,
    End,
    Error,
    Go,
    Held,
    Ping,
    Pong,
    Ready,
    Stream,
    Wait,
)
from tests.support.ack_stage import TIME, Fed, Stage, file_of, root


def test_silence_is_asked_about_and_then_the_connection_is_given_up(tmp_path: Path) -> None:
    stage = Stage(file_of(tmp_path, b"abc"))
    stage.connect()
    stage.answer(Held("s", 0, root(b"")))
    stage.heard()
    stage.clock.pump([1] * int(PING_AFTER))
    assert stage.heard() == [Ping()]
    stage.answer(Pong())
    stage.clock.pump([1] * int(PING_AFTER))
    assert stage.heard() == [Ping()]
    assert not stage.attempt.called
    stage.clock.pump([1] * int(SILENCE - PING_AFTER))
    assert isinstance(stage.error, Broken)
    assert stage.error.code == "timeout"


def test_a_server_that_waits_is_waited_for_and_a_person_is_told(tmp_path: Path) -> None:
    signs: list[None] = []
    stage = Stage(file_of(tmp_path, b"abc"), progressed=lambda: signs.append(None))
    stage.connect()
    stage.answer(Held("s", 0, root(b"")))
    before = len(signs)
    stage.answer(Wait("disk-full"))
    assert len(signs) == before + 1
    stage.clock.pump([1] * int(10 * SILENCE))
    assert not stage.attempt.called
    stage.answer(Go())
    assert len(signs) == before + 2
    stage.answer(Done(3, root(b"abc"), TIME))
    assert stage.is_done
    assert stage.said == ["the server waits (disk-full); nothing is lost", "the server goes on"]


def test_an_error_of_the_server_is_told_though_the_connection_ends_behind_it(
    tmp_path: Path,
) -> None:
    stage = Stage(file_of(tmp_path, b"abc"))
    stage.connect()
    stage.answer(Held("s", 0, root(b"")), Error("in-use", "somebody else sends it"))
    stage.lose()
    assert isinstance(stage.error, Refused)
    assert stage.error.reason == "in-use"


@pytest.mark.parametrize("first", [b"220 smtp ready\r\n", b"\x16\x03\x01\n", Ready("a", "b", 1, 5)])
def test_what_speaks_something_else_is_told(first: Any) -> None:
    connection = AckConnection(Clock())
    wire = StringTransport()
    connection.makeConnection(wire)
    opened = Deferred.fromCoroutine(connection.opened(5))
    connection.dataReceived(first if isinstance(first, bytes) else first.encode())
    failures: list[Any] = []
    opened.addErrback(failures.append)
    assert failures[0].value.code == "protocol"


def test_no_more_is_written_than_the_transport_takes(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    data = bytes(3 << 18)
    stage = Stage(file_of(tmp_path, data))
    stage.connect()
    writable: Any = stage.wire.producer
    assert stage.connection.ready.called
    writable.pauseProducing()
    stage.answer(Held("s", 0, root(b"")))
    assert stage.heard() == [Stream("s")]
    stage.clock.advance(PING_AFTER - 1)
    written = stage.wire.writeSequence

    def write(pieces: Any) -> None:
        writable.pauseProducing()
        written(pieces)

    stage.wire.writeSequence = write  # type: ignore[method-assign]
    for turn in range(3):
        writable.resumeProducing()
        assert stage.heard() == [Data(turn << 18, 1 << 18), bytes(1 << 18)]
    stage.clock.pump([1] * 5)
    assert stage.heard() == []  # what was taken is a sign of life, too
    writable.resumeProducing()
    assert stage.heard() == [End(3 << 18)]
    stage.answer(Done(3 << 18, root(data), TIME))
    assert stage.is_done
    stage.connection.close()
    assert (stage.wire.producer, stage.wire.disconnecting) == (None, True)
    stage.transfer.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_no_more_is_read_than_is_asked_for() -> None:
    stage = Stage(Fed())
    stage.connect()
    wire = stage.wire
    pauses: list[None] = []
    pause = wire.pauseProducing

    def count() -> None:
        pauses.append(None)
        pause()

    wire.pauseProducing = count  # type: ignore[method-assign]
    stage.answer(Held("s", 0, root(b"")))
    stage.attempt.cancel()
    for _ in range(100):
        stage.connection.dataReceived(Pong().encode() * 1000)
    assert (wire.producerState, len(pauses)) == ("paused", 1)
    stage.clock.pump([1] * 100)
    stage.connection.dataReceived(Wait("quota").encode())
    replied = Deferred.fromCoroutine(stage.connection.reply())
    assert wire.producerState == "paused"
    assert replied.called
    Deferred.fromCoroutine(stage.connection.reply())
    assert wire.producerState == "producing"
