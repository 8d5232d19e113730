"""``--history-file``: what was said outlives the process, whatever ends it."""

from __future__ import annotations

import os
import resource
import stat
from pathlib import Path

from socketsuite.services.chat.events import Message
from socketsuite.testing import read_line
from tests.daemons.conftest import Start
from tests.support.kept_history import FLAGS, Talk, check, figure, lobby_of, until_saved
from tests.support.outside import at_work
from tests.support.peers import program

CHAT = "socketsuite-chat"


def test_what_was_saved_outlives_kill_9_and_its_order_goes_on(serve: Start, tmp_path: Path) -> None:
    path = tmp_path / "h"
    found: list[Message] = []
    starts: set[str] = set()
    for run in range(3):
        daemon = serve(CHAT, "--banner", "hi", "--history-file", str(path), *FLAGS)
        nc = at_work(program("nc.openbsd"), "127.0.0.1", str(daemon.port()))
        with nc as speaker, daemon.connect() as listener:
            assert read_line(speaker) == read_line(listener) == b"hi\n"
            talk = Talk()
            for number in range(100):
                talk.exchange(speaker, listener, b"%d-%d" % (run, number))
            until_saved(daemon, 100)
            # Some of these are being written when the process ends.
            talk.burst(speaker, [b"%d-more-%d" % (run, number) for number in range(2000)])
            read_line(listener)
            daemon.kill()
        found = check(path, found, talk, 100)
        starts.add(found[-1].id.rpartition("-")[0])
    assert len(starts) == 3


def test_while_the_file_cannot_be_written_the_chat_goes_on_and_all_is_written_later(
    serve: Start, launch: Start, tmp_path: Path
) -> None:
    path = tmp_path / "h"
    flags = ("--banner", "hi", "--history-file", str(path), *FLAGS)
    daemon = serve(CHAT, *flags)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    talk = Talk()
    with daemon.connect() as speaker, daemon.connect() as listener:
        assert read_line(speaker) == read_line(listener) == b"hi\n"
        talk.exchange(speaker, listener, b"before")
        until_saved(daemon, 1)
        assert daemon.page("/health")[0] == 200

        # As on a full disk: no file of this process may grow.
        allowed = resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (0, allowed[1]))
        talk.exchange(speaker, listener, b"meanwhile")
        why = daemon.wait_for_line(rf"error history_not_saved path={path} why=(.*)$")[1].strip('"')
        status, text = daemon.page("/health")
        assert (status, why in text) == (503, True)
        talk.exchange(speaker, listener, b"and on")
        assert figure(daemon, "saved_total") == 1
        assert figure(daemon, "queue") == 2

        resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, allowed)
        daemon.wait_for_line(r"warn history_saved .*lost=0$")
        until_saved(daemon, 3)
        assert daemon.page("/health")[0] == 200

        # Where the file is taken away, memory is written to another.
        path.rename(tmp_path / "away")
        talk.exchange(speaker, listener, b"afterwards")
        start = len(daemon.lines)
        daemon.wait_for_line(r"history_not_saved .*it was removed or replaced", start)
        daemon.wait_for_line(r"history_saved ", start)
        talk.exchange(speaker, listener, b"at last")

        # While this one has it, another cannot.
        second = launch(CHAT, "--port", "0", *flags)
        assert second.wait() == 1
        line = f"{CHAT}: cannot keep the history in {path}: another process has it open: stop that"
        assert second.errors.strip() == f"{line} one"
    # What is not saved yet is, when it stops.
    assert daemon.stop() == 0
    assert not daemon.has_line("Traceback")
    check(path, [], talk, 5)


def test_a_damaged_file_is_kept_aside_and_a_foreign_one_is_refused(
    serve: Start, launch: Start, tmp_path: Path
) -> None:
    path = tmp_path / "h"
    assert lobby_of(path) == []
    os.truncate(path, 5000)
    damaged = path.read_bytes()
    daemon = serve(CHAT, "--history-file", str(path), *FLAGS)
    line = daemon.wait_for_line(r'warn history_set_aside path=(\S+) aside=(\S+) why="it is damaged')
    assert line[1] == str(path)
    assert Path(line[2]).read_bytes() == damaged
    assert daemon.stop() == 0
    assert lobby_of(path) == []

    foreign = tmp_path / "diary"
    foreign.write_text("my dear diary")
    why = f"{CHAT}: cannot keep the history in {foreign}: it is no SQLite file: move it away"
    for more in ((), ("--check-config",)):
        refused = launch(CHAT, "--port", "0", "--history-file", str(foreign), *more)
        assert refused.wait() == 1
        assert refused.errors.strip() == f"{why}, or name another"
    assert foreign.read_text() == "my dear diary"
