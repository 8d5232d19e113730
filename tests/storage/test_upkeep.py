"""What becomes of closed segments."""

from __future__ import annotations

import threading

import pytest

from socketsuite.storage import events, upkeep
from socketsuite.storage.beneath import Folder
from socketsuite.storage.segments import list_segments
from socketsuite.storage.setup import SegmentClosed


class Kept:
    """A folder and who looks after it; the thread ends with the test."""

    def __init__(self, path, **options):
        self.folder = Folder(path)
        self.told: list[object] = []
        self.gone: list[str] = []
        self.heard = threading.Condition()
        settings = {"how": "none", "keep": 0, "quota": 0, **options}
        self.upkeep = upkeep.Upkeep(
            self.folder, tell=self.hear, gone=lambda name: self.gone.append(name), **settings
        )

    def hear(self, event, level):
        with self.heard:
            self.told.append(event)
            self.heard.notify_all()

    def wait_for(self, kind):
        with self.heard:
            assert self.heard.wait_for(lambda: any(type(one) is kind for one in self.told), 10)

    def make(self, name, size):
        (self.folder.path / name).write_bytes(bytes(size))

    def names(self):
        return sorted(self.folder.listdir())


@pytest.fixture
def kept_of(tmp_path):
    made = []

    def make(**options):
        made.append(Kept(tmp_path, **options))
        return made[-1]

    yield make
    for one in made:
        one.upkeep.stop(lambda: None)
        one.folder.close()


def test_the_oldest_segments_go_when_there_is_no_room(kept_of):
    kept = kept_of(quota=100)
    for number in (1, 2, 3):
        kept.make(f"a~00000{number}", 20)
    kept.make("a", 40)
    kept.upkeep.start("a")
    assert kept.upkeep.no_room(15) is None
    assert kept.names() == ["a", "a~000002", "a~000003"]
    assert kept.gone == ["a~000001"]


@pytest.mark.parametrize("only", ["a", ""])
def test_what_others_have_deleted_costs_no_segment(kept_of, only):
    kept = kept_of(quota=100)
    kept.make("a~000001", 10)
    kept.make("a", 80)
    kept.upkeep.start(only)
    assert kept.upkeep.no_room(10) is None
    (kept.folder.path / "a").unlink()
    assert kept.upkeep.no_room(50) is None
    assert kept.names() == ["a~000001"]


def test_where_nothing_can_go_it_is_said_that_there_is_no_room(kept_of, monkeypatch):
    kept = kept_of(quota=100)
    kept.make("a", 90)
    kept.upkeep.start("a")
    counted: list[str] = []
    counts = upkeep.Upkeep._count

    def count(self):
        counted.append("once")
        return counts(self)

    monkeypatch.setattr(upkeep.Upkeep, "_count", count)
    for _ in range(50):
        assert kept.upkeep.no_room(20) == "quota"
    assert len(counted) < 10
    monkeypatch.setattr(upkeep, "_COUNT_SECONDS", 0)
    (kept.folder.path / "a").write_bytes(b"")
    assert kept.upkeep.no_room(20) is None


def test_one_segment_that_cannot_be_looked_after_does_not_end_it(kept_of, monkeypatch):
    kept = kept_of(how="gzip", keep=1)
    kept.upkeep.start("a")
    listed = list_segments
    broken = True

    def breaking(folder, file):
        if broken:
            raise MemoryError("no room for a window")
        return listed(folder, file)

    monkeypatch.setattr(upkeep, "list_segments", breaking)
    kept.make("a~000001", 20)
    kept.make("a~000002", 20)
    kept.upkeep.closed(SegmentClosed("a", "a~000001"))
    kept.wait_for(events.SegmentNotCompressed)
    broken = False
    kept.upkeep.closed(SegmentClosed("a", "a~000002"))
    kept.wait_for(events.SegmentRemoved)
    assert kept.names() == ["a~000002.gz"]


def test_what_is_about_to_be_written_takes_room_already(kept_of, monkeypatch):
    monkeypatch.setattr(upkeep, "_COUNT_SECONDS", 0.0)
    kept = kept_of(quota=100)
    kept.upkeep.start("")
    assert kept.upkeep.no_room(60) is None
    assert kept.upkeep.no_room(60) == "quota"
    kept.upkeep.written(60)  # and it failed: no file has it
    assert kept.upkeep.no_room(60) is None
