"""Two sinks in one process: each looks after files of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from socketsuite.services.filesink.sink import FileSink
from socketsuite.settings import SettingsError
from tests.support.sink import Sink, TurnedReactor


@pytest.fixture
def reactor(tmp_path: Path) -> TurnedReactor:
    for name in ("a/sub", "b"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "link").symlink_to("a")
    return TurnedReactor()


@pytest.mark.parametrize(
    ("one", "other", "can_be"),
    [
        ("a/{stream}", "b/{stream}", True),
        ("a/log", "a/log2", True),
        ("a/log", "b/{stream}", True),
        ("a/sub/{stream}", "a/log", True),
        ("a/log", "a/log", False),
        ("a/log", "link/log", False),
        ("a/{stream}", "link/{peer}", False),
        ("a/{stream}", "a/sub/{stream}", False),
        ("a/{date}", "a/sub/log", False),
        ("/dev/null", "/dev/null", True),
    ],
)
def test_no_two_sinks_look_after_the_same_files(
    tmp_path: Path, reactor: TurnedReactor, one: str, other: str, can_be: bool
) -> None:
    for first, second in ((one, other), (other, one)):
        sinks = [FileSink(reactor, file=str(tmp_path / name)) for name in (first, second)]
        sinks[0].check_start()
        sinks[0].check_start()
        if can_be:
            sinks[1].check_start()
        else:
            with pytest.raises(SettingsError, match=r"another sink has .*: give each a folder"):
                sinks[1].check_start()
        FileSink(TurnedReactor(), file=str(tmp_path / second)).check_start()
        for sink in sinks:
            sink.stop_service()


def test_what_a_sink_has_let_go_another_may_have(tmp_path: Path) -> None:
    first = Sink(tmp_path / "{stream}", ack=False)
    second = FileSink(first.reactor, file=str(tmp_path / "{peer}"))
    with pytest.raises(SettingsError, match="another sink has"):
        second.start_service()
    first.stop()
    second.check_start()


def test_a_folder_that_is_read_only_is_said_to_be_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    sink = FileSink(TurnedReactor(), file=str(tmp_path / "{stream}"))
    with pytest.raises(SettingsError, match="permission denied"):
        sink.check_start()
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result((0,) * 8 + (os.ST_RDONLY, 0)))
    with pytest.raises(SettingsError, match="the file system is read-only"):
        sink.check_start()
