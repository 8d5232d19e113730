"""What subscribers of a file are told, and when anybody looks at it."""

import json
import os
from pathlib import Path

import pytest
from twisted.internet.testing import MemoryReactorClock

from socketsuite.services.watch import WatchFactory
from socketsuite.services.watch.changes import SETTLE
from socketsuite.settings import SettingsError
from tests.services.streams import FakeStream, read_all

MOMENT = 1795244064.123  # 21 November 2026, 06:54:24.123 UTC


def watching(path, **settings):
    reactor = MemoryReactorClock()
    factory = WatchFactory(reactor, lambda: MOMENT, file=path, **settings)
    factory.doStart()
    return reactor, factory


def subscriber(factory):
    return FakeStream(factory.buildProtocol(None))


def settle(reactor):
    read_all(reactor)
    reactor.advance(0.5)  # enough for a look, too, where there is no inotify
    reactor.advance(SETTLE)


def test_text_subscribers_are_told_in_lines(tmp_path):
    path = tmp_path / "f"
    reactor, factory = watching(path)
    streams = [subscriber(factory), subscriber(factory)]
    path.write_text("x")
    settle(reactor)
    lines = (
        f"Now watching {path} for changes...\n"
        f"File changed: {path} (created) at 2026-11-21T06:54:24.123Z\n"
    )
    assert [stream.value().decode() for stream in streams] == [lines, lines]
    factory.doStop()


def test_json_subscribers_are_told_in_objects(tmp_path):
    path = tmp_path / "f"
    path.touch()
    reactor, factory = watching(path, format="json")
    stream = subscriber(factory)
    path.unlink()
    settle(reactor)
    assert [json.loads(line) for line in stream.value().splitlines()] == [
        {"type": "watching", "file": str(path)},
        {"type": "changed", "timestamp": 1795244064123, "file": str(path), "change": "removed"},
    ]
    factory.doStop()


@pytest.mark.parametrize(
    ("format", "first"),
    [
        ("text", "a^Jb\\x9b\ufffd for changes...".encode()),
        ("json", b'a\\nb\\u009b\\ufffd"}'),
    ],
)
def test_a_hostile_file_name_stays_in_its_line(tmp_path, format, first):
    path = tmp_path / os.fsdecode(b"a\nb\xc2\x9b\xff")
    reactor, factory = watching(path, format=format)
    stream = subscriber(factory)
    path.touch()
    settle(reactor)
    lines = stream.value().split(b"\n")
    assert lines[0].endswith(first)
    assert b"created" in lines[1]
    assert lines[2:] == [b""]
    factory.doStop()


def test_the_banner_comes_first(tmp_path):
    _, factory = watching(tmp_path / "f", banner="Hello")
    assert subscriber(factory).value().startswith(b"Hello\nNow watching")
    factory.doStop()


def test_one_inotify_serves_all_and_lives_until_the_last_subscriber_has_gone(tmp_path):
    path = tmp_path / "f"
    reactor, factory = watching(path)
    first, second = subscriber(factory), subscriber(factory)
    assert len(reactor.getReaders()) == 1
    factory.doStop()
    first.gone()
    second.taken()
    path.touch()
    settle(reactor)
    assert b"created" in second.value()
    second.gone()
    assert reactor.getReaders() == []
    assert reactor.getDelayedCalls() == []


def test_a_subscriber_who_has_gone_is_told_nothing(tmp_path):
    reactor, factory = watching(tmp_path / "f")
    stream = subscriber(factory)
    stream.gone()
    stream.taken()
    (tmp_path / "f").touch()
    settle(reactor)
    assert stream.value() == b""
    factory.doStop()


def test_listening_again_watches_again(tmp_path):
    reactor, factory = watching(tmp_path / "f")
    factory.doStop()
    factory.doStart()
    stream = subscriber(factory)
    stream.taken()
    (tmp_path / "f").touch()
    settle(reactor)
    assert b"(created)" in stream.value()
    factory.doStop()


def test_draining_closes(tmp_path):
    _, factory = watching(tmp_path / "f")
    stream = subscriber(factory)
    stream.protocol.drain()
    assert stream.disconnecting
    factory.doStop()


@pytest.mark.parametrize(("name", "words"), [("", "it is a folder"), ("no/f", "create its folder")])
def test_what_cannot_be_watched_is_refused_by_name(tmp_path: Path, name, words):
    path = tmp_path / name
    with pytest.raises(SettingsError) as caught:
        WatchFactory(MemoryReactorClock(), file=path).startFactory()
    assert str(path) in str(caught.value)
    assert words in str(caught.value)
