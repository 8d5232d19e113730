"""Paths that lead through symbolic links and folders, which change under the watcher.

Real files and the real inotify, as in the tests of files; only the clock is ours.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.inotify import INotify, INotifyError
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs

from socketsuite.services.watch.changes import SETTLE
from socketsuite.services.watch.inotify_source import RETURN_INTERVAL, InotifySource
from socketsuite.services.watch.source import LOOK_INTERVAL, PollingSource
from socketsuite.services.watch.watcher import Watcher
from tests.services.streams import read_all

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs inotify")


class Deployed:
    """A folder with releases 42 and 43, and a link to the first; and who watches a path in it."""

    def __init__(self, folder: Path, path: str) -> None:
        self.folder = folder
        self.reported: list[str] = []
        self.reactor: Any = MemoryReactorClock()
        self.watcher = Watcher(
            folder / path, self.reactor, lambda change: self.reported.append(change.value)
        )
        self.watcher.start()

    def run(self, command: str) -> None:
        subprocess.run(["sh", "-ec", command], cwd=self.folder, check=True)

    def settle(self) -> list[str]:
        """Let the reactor read, and the settle period pass; return what was told."""
        read_all(self.reactor)
        self.reactor.advance(SETTLE)
        reported, self.reported = self.reported, []
        return reported

    def after(self, command: str) -> list[str]:
        """Run a shell command in the folder; return what was told."""
        self.run(command)
        return self.settle()


Deploy = Callable[[str], Deployed]
LAYOUT = """
mkdir releases releases/42 releases/43
echo old > releases/42/f; echo new > releases/43/f
ln -s releases/42 current
"""


@pytest.fixture
def deploy(tmp_path: Path) -> Iterator[Deploy]:
    subprocess.run(["sh", "-ec", LAYOUT], cwd=tmp_path, check=True)
    made: list[Deployed] = []

    def start(path: str = "current/f") -> Deployed:
        made.append(Deployed(tmp_path, path))
        assert isinstance(made[-1].watcher._source, InotifySource)
        return made[-1]

    yield start
    for one in made:
        one.watcher.stop()
        assert one.reactor.getReaders() == []
        assert one.reactor.getDelayedCalls() == []


@pytest.mark.parametrize(
    "swap",
    [
        "ln -sfn releases/43 current",
        "ln -sfn $PWD/releases/43 current",
        "ln -s releases/43 next; mv -T next current",
        "rm current; ln -s releases/43 current",
        "rm current; cp -r releases/43 current",
    ],
)
def test_a_link_above_that_is_swapped_is_one_change_and_the_new_file_is_watched(
    deploy: Deploy, swap: str
) -> None:
    deployed = deploy("current/f")
    assert deployed.after(swap) == ["replaced"]
    assert deployed.after("echo more >> current/f") == ["modified"]
    assert deployed.after("echo more >> releases/42/f") == []
    assert deployed.after("rm -r releases/42") == []
    assert deployed.reactor.getDelayedCalls() == []


@pytest.mark.parametrize(
    ("layout", "path", "swap"),
    [
        ("ln -s current stable", "stable/f", "ln -sfn releases/43 current"),
        ("ln -s current stable; ln -s stable top", "top/f", "ln -sfn releases/43 stable"),
        ("ln -s current stable", "stable/f", "ln -sfn releases/43 stable"),
        ("ln -s current/f f", "f", "ln -sfn releases/43 current"),
        ("ln -s current/f f", "f", "ln -sfn releases/43/f f"),
        ("ln -s f releases/42/g", "current/g", "ln -sf $PWD/releases/43/f releases/42/g"),
        ("mkdir 4; ln -s ../releases/42 4/r", "4/r/f", "ln -sfn ../releases/43 4/r"),
        ("ln -s releases/43/. o", "o/../42/f", "mkdir -p x/y x/42; touch x/42/f; ln -sfn x/y o"),
        ("", "releases/42/f", "mv releases/42 releases/41; mv releases/43 releases/42"),
        ("", "releases/42/f", "mv releases old; cp -r old releases"),
        ("", "current/f", "mv releases/42 releases/41; mv releases/43 releases/42"),
    ],
)
def test_every_component_of_the_path_counts(
    deploy: Deploy, tmp_path: Path, layout: str, path: str, swap: str
) -> None:
    subprocess.run(["sh", "-ec", layout], cwd=tmp_path, check=True)
    deployed = deploy(path)
    assert deployed.after(swap) == ["replaced"]
    assert deployed.after(f"echo more >> {path}") == ["modified"]
    assert deployed.after(f"rm {path}")[-1:] == ["removed"]


def test_a_swap_to_a_release_without_the_file_removes_it_until_it_is_there(deploy: Deploy) -> None:
    deployed = deploy("current/f")
    assert deployed.after("mkdir releases/44; ln -sfn releases/44 current") == ["removed"]
    assert deployed.after("echo here > releases/44/f") == ["created"]
    assert deployed.after("ln -sfn releases/43 current") == ["replaced"]


def test_a_link_that_leads_to_the_same_file_is_no_change(deploy: Deploy) -> None:
    deployed = deploy("current/f")
    assert deployed.after("ln -s releases/42 next; mv -T next current") == []
    assert deployed.after("ln -sfn ./releases/../releases/42 current") == []
    assert deployed.after("mkdir releases/44; ln releases/42/f releases/44/f") == []
    assert deployed.after("ln -sfn releases/44 current") == []
    assert deployed.after("echo more >> current/f") == ["modified"]


@pytest.mark.parametrize("broken", ["current", "nowhere", "releases/42/f"])
def test_a_link_that_leads_nowhere_is_a_removed_file_until_it_is_mended(
    deploy: Deploy, broken: str
) -> None:
    deployed = deploy("current/f")
    assert deployed.after(f"ln -sfn {broken} current") == ["removed"]
    assert deployed.after("ln -sfn releases/43 current") == ["created"]
    assert deployed.after("touch current/f") == ["touched"]


def test_folders_that_vanish_are_back_as_soon_as_they_are(deploy: Deploy) -> None:
    deployed = deploy("current/f")
    assert deployed.after("rm -r releases") == ["removed"]
    assert deployed.after("mkdir -p releases/42") == []
    assert deployed.after("echo back > releases/42/f") == ["created"]
    assert deployed.after("rm -r releases") == ["removed"]
    assert deployed.after("mkdir -p releases/42; echo back > releases/42/f") == ["created"]


def test_each_swap_of_many_is_told_and_leaves_nothing_open(deploy: Deploy) -> None:
    deployed = deploy("current/f")
    open_now = len(list(Path("/proc/self/fd").iterdir()))
    for number in range(50):
        assert deployed.after(f"ln -sfn releases/{43 - number % 2} current") == ["replaced"]
    assert len(list(Path("/proc/self/fd").iterdir())) == open_now


def test_a_swap_that_a_queue_overflow_swallowed_is_found(deploy: Deploy, tmp_path: Path) -> None:
    deployed = deploy("current/f")
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    noise = tmp_path / "noise"
    for _ in range(limit // 2 + 1):  # the folder of the link is listened to
        noise.touch()
        noise.unlink()
    deployed.run("ln -sfn releases/43 current")
    found: list[str] = []
    for _ in range(limit * 32 // (64 * 1024) + 2):
        found += deployed.settle()
    assert found == ["replaced"]
    assert deployed.after("touch current/f") == ["touched"]


# ── what inotify cannot tell ────────────────────────────────────────────────────────


def no_watch_for(folder: Path, own: Callable[..., int]) -> Callable[..., int]:
    """Return inotify_add_watch(2) that fails for *folder*, as where that may not be read."""

    def add(descriptor: int, path: Any, mask: int) -> int:
        if path.asTextMode().path == str(folder):
            raise INotifyError
        return own(descriptor, path, mask)

    return add


def test_a_link_in_a_folder_that_cannot_be_watched_is_looked_at(
    deploy: Deploy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(INotify._inotify, "add", no_watch_for(tmp_path, INotify._inotify.add))
    deployed = deploy("current/f")
    assert deployed.after("echo more >> current/f") == ["modified"]
    assert deployed.after("ln -sfn releases/43 current") == []
    deployed.reactor.advance(RETURN_INTERVAL)
    assert deployed.settle() == ["replaced"]
    assert deployed.after("echo more >> current/f") == ["modified"]


def test_when_the_watches_run_out_the_file_is_looked_at_and_the_log_says_so_once(
    deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none_left(*arguments: Any) -> int:
        raise INotifyError

    deployed = deploy("current/f")
    with monkeypatch.context() as patched, capturedLogs() as events:
        patched.setattr(INotify._inotify, "add", none_left)
        assert deployed.after("ln -sfn releases/43 current") == ["replaced"]
        deployed.run("echo more >> current/f")
        deployed.reactor.advance(RETURN_INTERVAL)
        assert deployed.settle() == ["modified"]
        deployed.reactor.advance(RETURN_INTERVAL)
    (said,) = events
    assert "max_user_watches" in said["error"]
    deployed.reactor.advance(RETURN_INTERVAL)
    assert deployed.after("touch current/f") == ["touched"]


def test_a_path_of_too_many_folders_is_looked_at_instead(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    file = tmp_path.joinpath(*["x", ".."] * 150, "f")
    reactor: Any = MemoryReactorClock()
    watcher = Watcher(file, reactor, print)
    with capturedLogs() as events:
        watcher.start()
    assert isinstance(watcher._source, PollingSource)
    assert "more than 256 folders and links" in events[0]["error"]
    watcher.stop()


def test_a_link_of_proc_is_followed_by_looking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    reported: list[str] = []
    reactor: Any = MemoryReactorClock()
    path = Path("/proc/self/cwd/f")
    watcher = Watcher(path, reactor, lambda change: reported.append(change.value))
    with capturedLogs() as events:
        watcher.start()
    assert "no ordinary link" in events[0]["error"]
    (tmp_path / "f").touch()
    reactor.advance(LOOK_INTERVAL)
    assert reported == ["created"]
    watcher.stop()


def test_a_mount_that_goes_takes_its_file_and_brings_it_back(
    deploy: Deploy, tmp_path: Path
) -> None:
    def mount(*command: str) -> bool:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    disk, other = tmp_path / "disk", tmp_path / "other"
    disk.mkdir()
    other.mkdir()
    (other / "f").write_text("on the disk\n")
    if not mount("mount", "-t", "tmpfs", "none", disk.as_posix()):
        pytest.skip("may not mount anything")
    try:
        (disk / "f").write_text("on the disk\n")
        deployed = deploy("disk/f")
        deployed.run("umount disk")
        assert deployed.settle() == ["removed"]
        assert mount("mount", "--bind", other.as_posix(), disk.as_posix())
        deployed.reactor.advance(RETURN_INTERVAL)  # no event tells of a mount
        assert deployed.settle() == ["created"]
        assert deployed.after("echo more >> disk/f") == ["modified"]
    finally:
        mount("umount", disk.as_posix())
