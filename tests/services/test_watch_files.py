"""Real files, the real inotify; only the clock and the reactor's loop are ours.

The kernel queues an event before the operation returns, so nothing here needs to wait.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from twisted.internet.inotify import INotify, INotifyError
from twisted.internet.protocol import connectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs

from socketsuite.services.watch import inotify_source
from socketsuite.services.watch.changes import SETTLE
from socketsuite.services.watch.inotify_source import RETURN_INTERVAL, InotifySource
from socketsuite.services.watch.source import LOOK_INTERVAL, PollingSource
from socketsuite.services.watch.watcher import Watcher
from tests.services.streams import read_all

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs inotify")


def none_left(*arguments):
    """Stand for inotify_add_watch(2) when there are watches enough."""
    raise INotifyError


class Watched:
    """One file and its watcher."""

    def __init__(self, path, reactor):
        self.path = path
        self.reactor = reactor
        self.reported: list[str] = []
        self.watcher = Watcher(path, reactor, lambda change: self.reported.append(change.value))
        self.watcher.start()

    def settle(self):
        """Let the reactor read, and the settle period pass; return what was told."""
        read_all(self.reactor)
        self.reactor.advance(SETTLE)
        reported, self.reported = self.reported, []
        return reported

    def after(self, command):
        """Run a shell command in the file's folder; return what was told."""
        subprocess.run(["sh", "-ec", command], cwd=self.path.parent, check=True)
        return self.settle()


@pytest.fixture
def watched(tmp_path):
    (tmp_path / "folder").mkdir()
    path = tmp_path / "folder" / "f"
    path.write_text("x\n")
    watched = Watched(path, MemoryReactorClock())
    yield watched
    watched.watcher.stop()
    assert watched.reactor.getReaders() == []
    assert watched.reactor.getDelayedCalls() == []


@linux
@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("touch f; touch f", ["touched", "touched"]),
        ("echo y > f", ["modified"]),
        ("echo y >> f; echo z >> f", ["modified", "modified"]),
        ("chmod 600 f", ["touched"]),
        ("sed -i s/x/y/ f", ["replaced"]),
        ("cp -p /etc/passwd f", ["modified"]),
        ("rm f", ["removed"]),
        ("rm f; echo y > f", ["replaced"]),
        ("mv f f~; echo y > f; rm f~", ["replaced"]),
        ("echo y > other; mv other f", ["replaced"]),
        ("touch g; rm g; cat f", []),
        ("ln f g; rm g", []),
    ],
)
def test_what_people_do_to_a_file_is_told_as_they_see_it(watched, command, expected):
    assert watched.after(command) == expected


@linux
def test_a_file_comes_and_goes_and_comes_back(watched):
    assert watched.after("rm f") == ["removed"]
    assert watched.after("echo again > f") == ["created"]
    assert watched.after("mv f g") == ["removed"]
    assert watched.after("mv g f") == ["created"]
    assert watched.after("touch f") == ["touched"]


@linux
def test_a_writer_that_keeps_the_file_open_is_told_too(watched):
    with watched.path.open("ab", buffering=0) as writer:
        for _ in range(2):
            writer.write(b"more")
            assert watched.settle() == ["modified"]
    assert watched.settle() == []


@linux
def test_whoever_still_writes_to_a_removed_file_is_not_heard(watched):
    with watched.path.open("ab", buffering=0) as writer:
        assert watched.after("rm f") == ["removed"]
        writer.write(b"unheard")
    assert watched.settle() == []


@linux
def test_an_event_still_unread_when_the_period_ends_belongs_to_the_change(watched):
    with watched.path.open("ab", buffering=0) as writer:
        writer.write(b"one")
        read_all(watched.reactor)
        writer.write(b"two")
    watched.reactor.advance(SETTLE)  # the write and the close are in the kernel's queue
    assert watched.settle() == ["modified"]


@linux
def test_a_folder_that_vanishes_is_looked_for_until_it_returns(watched):
    assert watched.after("cd ..; rm -r folder") == ["removed"]
    watched.reactor.advance(RETURN_INTERVAL)
    watched.path.parent.mkdir()
    watched.reactor.advance(RETURN_INTERVAL)
    assert watched.after("echo back > f") == ["created"]


@linux
def test_a_file_that_returns_with_its_folder_is_told(watched):
    assert watched.after("mv ../folder ../elsewhere") == ["removed"]
    watched.path.parent.with_name("elsewhere").rename(watched.path.parent)
    assert watched.settle() == ["created"]
    assert watched.after("touch f") == ["touched"]


@linux
def test_what_a_queue_overflow_swallowed_is_found_by_looking(watched):
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    other = watched.path.with_name("other")
    for _ in range(limit // 2 + 1):
        other.touch()
        other.unlink()
    watched.path.write_text("swallowed")
    for _ in range(limit * 32 // inotify_source._READ_SIZE + 1):
        read_all(watched.reactor)
    assert watched.settle() == ["modified"]
    assert watched.after("touch f") == ["touched"]


@linux
def test_no_inotify_instance_left_means_looking_instead(tmp_path, monkeypatch):
    def exhausted():
        raise INotifyError("INotify initialization error.")

    monkeypatch.setattr(INotify._inotify, "init", exhausted)
    with capturedLogs() as events:
        watched = Watched(tmp_path / "f", MemoryReactorClock())
    assert isinstance(watched.watcher._source, PollingSource)
    assert "max_user_instances" in events[0]["error"]
    watched.watcher.stop()


@linux
def test_a_folder_that_cannot_be_watched_leaves_no_descriptor_open(tmp_path, monkeypatch):
    before = os.listdir("/proc/self/fd")
    monkeypatch.setattr(INotify._inotify, "add", none_left)
    with pytest.raises(OSError, match="cannot watch the folder"):
        InotifySource(tmp_path / "f", MemoryReactorClock(), print).start()
    assert os.listdir("/proc/self/fd") == before


@linux
def test_a_stopping_reactor_does_not_close_the_descriptor_twice(watched):
    (descriptor,) = watched.reactor.getReaders()
    number = descriptor.fileno()
    watched.watcher.stop()
    with open(os.devnull) as innocent:
        assert innocent.fileno() == number
        descriptor.connectionLost(connectionDone)
        assert innocent.read() == ""


def polled(path):
    return Watched(path, Clock())


def look(watched):
    watched.reactor.advance(LOOK_INTERVAL)
    watched.reactor.advance(SETTLE)
    reported, watched.reported = watched.reported, []
    return reported


def test_without_inotify_the_file_is_looked_at(tmp_path):
    path = tmp_path / "f"
    watched = polled(path)
    assert look(watched) == []
    path.write_text("new")
    assert look(watched) == ["created"]
    path.write_text("longer")
    assert look(watched) == ["modified"]
    path.chmod(0o600)
    assert look(watched) == ["touched"]
    (tmp_path / "g").write_text("other")
    (tmp_path / "g").rename(path)
    assert look(watched) == ["replaced"]
    path.unlink()
    assert look(watched) == ["removed"]
    watched.watcher.stop()
    assert watched.reactor.getDelayedCalls() == []
