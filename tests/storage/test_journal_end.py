"""The end of the journal's thread: whoever stopped it hears of it, and nobody waits after that."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from socketsuite.storage.beneath import Folder
from socketsuite.storage.journal import Journal, JournalFailedError
from socketsuite.storage.journal_file import compacted, replace
from socketsuite.storage.journal_lines import FileGone
from socketsuite.storage.journal_state import JournalState


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    with Folder(tmp_path) as made:
        yield made


def begin(folder: Folder) -> Journal:
    """Begin a journal whose calls to the reactor happen at once."""
    state = JournalState()
    return Journal(
        folder,
        "j",
        replace(folder, "j", compacted(state, None)),
        state,
        lambda call, *args: call(*args),
        lambda why: None,
        lambda full: None,
    )


def test_a_journal_that_is_stopped_always_says_so(folder: Folder) -> None:
    for _ in range(20):
        said = threading.Event()
        journal = begin(folder)
        stops_late(journal)
        journal.stop(said.set)
        assert said.wait(10)


def stops_late(journal: Journal) -> None:
    """Let the thread run between the two things that stop it, if it can."""

    class Slow(threading.Event):
        def set(self) -> None:
            super().set()
            other = threading.Thread(target=journal.append, args=([], False))
            other.start()
            other.join(0.002)

    journal._ending = Slow()


@pytest.mark.parametrize("fails", [True, False])
def test_what_is_appended_behind_the_stop_does_not_hide_it(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    syncing, may_end = threading.Event(), threading.Event()

    def sync(descriptor: int) -> None:
        syncing.set()
        assert may_end.wait(10)
        if fails:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fdatasync", sync)
    journal = begin(folder)
    called: list[str] = []
    said = threading.Event()
    journal.append([], True, lambda: called.append("before"))
    assert syncing.wait(10)
    journal.stop(said.set)
    journal.append([], False, lambda: called.append("behind"))
    may_end.set()
    assert said.wait(10)
    assert called == ([] if fails else ["before", "behind"])


def test_a_journal_that_is_closed_is_waited_for_by_nobody(folder: Folder) -> None:
    said = threading.Event()
    journal = begin(folder)
    journal.stop(said.set)
    assert said.wait(10)
    refused: list[str] = []

    def append() -> None:
        try:
            journal.append_and_wait([FileGone(1)])
        except JournalFailedError as error:
            refused.append(str(error))

    late = threading.Thread(target=append, daemon=True)
    late.start()
    late.join(10)
    assert refused == ["the journal: it is closed"]
