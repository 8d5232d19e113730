"""Files that are over go within a quota; those that somebody comes back to never do."""

from __future__ import annotations

import os
import threading

import pytest

from socketsuite.storage.beneath import Folder
from socketsuite.storage.finished import FinishedFiles
from socketsuite.storage.in_use import InUse
from socketsuite.storage.names import ConnectionNames, Template
from socketsuite.storage.template_match import TemplateMatch
from socketsuite.storage.upkeep import Upkeep

_LIVE = ConnectionNames(1_800_000_000.0).next()
_CLOSED = ConnectionNames(1_800_000_000.25).next()


class Kept:
    """A folder of 100-byte files, the first the oldest, with a quota that none of them has."""

    def __init__(self, path, template, *names):
        self.folder = Folder(path)
        self.in_use = InUse()
        self.gone: list[str] = []
        for at, name in enumerate(names):
            (path / name).parent.mkdir(exist_ok=True, parents=True)
            (path / name).write_bytes(bytes(100))
            os.utime(path / name, (at, at))
        finished = FinishedFiles(
            self.folder,
            TemplateMatch(Template(f"{path}/{template}")),
            self.in_use,
            today=lambda: "2026-01-31",
        )
        self.upkeep = Upkeep(
            self.folder, "none", 0, 1, lambda event, level: None, self.gone.append, finished
        )
        self.upkeep.start("")

    def make_room(self):
        assert self.upkeep.no_room(1) == "quota"
        return self.gone


@pytest.fixture
def kept_of(tmp_path):
    made = []

    def make(template, *names):
        made.append(Kept(tmp_path, template, *names))
        return made[-1]

    yield make
    for one in made:
        one.upkeep.stop(lambda: None)
        one.folder.close()


@pytest.mark.parametrize(
    ("template", "gone", "kept"),
    [
        ("{date}.log", ["2026-01-30.log"], ["2026-01-31.log", "2026-02-01.log", "notes.log"]),
        ("{date}/{peer}", ["2026-01-30/192.0.2.1"], ["2026-01-31/192.0.2.1", "2026-01-30/mine"]),
        ("{connection}", [_CLOSED], [_LIVE, "20260131"]),
        ("{peer}.log", [], ["192.0.2.1.log", "192.0.2.2.log"]),
        ("{stream}", [], ["a", "b/c"]),
        ("{seq}.log", ["000001.log.gz", "000002.log"], ["000003.log", "1.log"]),
        ("{stream}-{seq}", ["a-000001", "b-000001"], ["a-000002", "b-000007", "c-000001"]),
        (
            "{date}-{seq}",
            ["2026-01-30-000001", "2026-01-30-000002", "2026-01-31-000001"],
            ["2026-01-31-000002"],
        ),
        ("{date}", ["2026-01-31~000001", "2026-01-30"], ["2026-01-31", "~journal"]),
    ],
)
def test_files_that_are_over_go_oldest_first_and_no_others(kept_of, template, gone, kept):
    bench = kept_of(template, *gone, *kept)
    bench.in_use.begin(_LIVE)
    assert bench.make_room() == gone


def test_no_more_goes_than_is_too_much(kept_of):
    bench = kept_of("{date}", *(f"2026-01-{day:02d}" for day in range(1, 31)))
    bench.upkeep._quota = 2_500
    assert bench.upkeep.no_room(100) is None
    assert bench.gone == [f"2026-01-{day:02d}" for day in range(1, 7)]


def test_one_that_is_written_keeps_no_later_one_from_going(kept_of):
    bench = kept_of("{connection}", _LIVE, _CLOSED)
    bench.in_use.begin(_LIVE)
    bench.upkeep._quota = 200
    assert bench.upkeep.no_room(50) is None
    assert bench.gone == [_CLOSED]


def test_a_file_of_yesterday_that_is_still_written_stays(kept_of):
    bench = kept_of("{date}-{seq}", "2026-01-30-000001", "2026-01-30-000002")
    bench.in_use.begin("2026-01-30-\0")
    assert bench.make_room() == ["2026-01-30-000001"]
    bench.in_use.end("2026-01-30-\0")
    bench.upkeep._counted = -1e9
    assert bench.upkeep.no_room(1) is None
    assert bench.gone == ["2026-01-30-000001", "2026-01-30-000002"]


def test_whoever_comes_back_to_a_file_waits_while_it_is_removed():
    in_use = InUse()
    removing, comes_back = threading.Event(), threading.Event()
    order = []

    def remove():
        removing.set()
        assert comes_back.wait(10)
        order.append("removed")

    thread = threading.Thread(target=in_use.unless, args=("a", remove))
    thread.start()
    assert removing.wait(10)
    in_use.begin("a")
    in_use.wait("b")
    comes_back.set()
    in_use.wait("a")
    order.append("opened")
    thread.join(10)
    in_use.unless("a", lambda: order.append("never"))
    assert order == ["removed", "opened"]


def test_what_an_interrupted_compression_has_left_is_cleaned(kept_of, tmp_path):
    left = ["000001.log", "000001.log.gz", "000002.log.zst~tmp", "x.log.gz~tmp"]
    # Of the highest an operator may have made the compressed one.
    kept_of("{seq}.log", *left, "000002.log", "000002.log.gz")
    assert sorted(os.listdir(tmp_path)) == [
        "000001.log",
        "000002.log",
        "000002.log.gz",
        "x.log.gz~tmp",
    ]
