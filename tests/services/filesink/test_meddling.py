"""What a file sink makes of others who change what is its own."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from socketsuite.storage.events import NotWritten
from tests.support.sink import Sink


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"junk\n")


@pytest.mark.parametrize(
    ("meddle", "why"),
    [
        (os.unlink, "somebody has moved it away"),
        (lambda path: os.truncate(path, 0), "somebody has written to it, or truncated it"),
        (append, "somebody has written to it, or truncated it"),
    ],
)
def test_what_a_changed_journal_says_is_confirmed_to_nobody(
    tmp_path: Path, meddle: Callable[[Path], object], why: str
) -> None:
    sink = Sink(tmp_path / "all")
    assert sink.upload("s", b"x").replies(b"DONE")
    meddle(tmp_path / "all~journal")
    line = sink.upload("s", b"y", 1)
    assert not line.replies(b"DONE") + line.replies(b"ACK")
    assert line.lines[-1].startswith(b"ERROR failed ")
    assert sink.service.health()["journal"] == why
    sink.stop()


def test_an_end_that_is_not_waited_for_says_what_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = Sink(tmp_path / "all")
    sync, goes_on = os.fdatasync, threading.Event()

    def hangs(descriptor: int) -> None:
        goes_on.wait(10)
        sync(descriptor)

    monkeypatch.setattr(os, "fdatasync", hangs)
    sink.connect().protocol.dataReceived(b"never confirmed")
    ended = sink.service.stop_service()
    ended.addErrback(lambda _: None)
    ended.cancel()
    assert sink.events(NotWritten) == [NotWritten(1, "all")]
    goes_on.set()


def test_of_closed_files_the_journal_keeps_those_that_hold_a_stream(tmp_path: Path) -> None:
    file = tmp_path / "{connection}.log"
    for data in (b"one", b"two"):
        sink = Sink(file)
        sink.deliver(data)
        sink.stop()
    sink = Sink(file)
    sink.upload("s", b"x")
    sink.stop()
    sink = Sink(file)
    assert sink.upload("s", b"y", 1).replies(b"DONE")[0][1] == b"2"
    sink.stop()
    journal = (tmp_path / "~journal").read_text()
    # The stream's before, and the one that it was gone on with in.
    assert len(re.findall(r"\bF ", journal)) == 2
