"""Which files a sink has open, and what it remembers of others."""

from __future__ import annotations

import pytest

from socketsuite.storage.journal_lines import FileAdded, FileGone
from socketsuite.storage.journal_state import JournalState
from socketsuite.storage.setup import KnownAs
from socketsuite.storage.store import TooManyFilesError
from tests.support.disk import Disk


@pytest.fixture
def disk_of(tmp_path):
    made = []

    def make(**options):
        made.append(Disk(tmp_path, **options))
        return made[-1]

    yield make
    for disk in made:
        disk.folder.close()


class Silent:
    """A sender that says nothing."""

    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def waits(self, reason: str | None) -> None: ...
    def failed(self, why: str) -> None: ...


def test_while_a_disk_hangs_no_more_files_are_begun_than_twice_the_bound(disk_of):
    disk = disk_of()  # whose threads do nothing until they are told
    refused = 0
    for number in range(100):
        sender = Silent()
        try:
            destination = disk.store.attach(f"file{number}", sender)
        except TooManyFilesError:
            refused += 1
        else:
            disk.store.detach(destination, sender)
    assert len(disk.store.destinations) == 16
    assert refused == 84
    disk.run()
    disk.store.attach("another", Silent())


@pytest.mark.parametrize("journaled", [True, False])
def test_of_files_that_are_closed_only_a_journal_needs_all(disk_of, journaled):
    disk = disk_of(journaled=journaled)
    for number in range(10_500):
        disk.setup.remember(f"file{number}", KnownAs(number, number, 0, False))
    assert len(disk.setup.files) == (10_500 if journaled else 10_000)
    assert "file10499" in disk.setup.files


def test_a_file_may_be_said_to_be_gone_twice():
    state = JournalState()
    state.apply([FileAdded(1, "a", 5, 0), FileGone(1), FileGone(1)])
    assert state.files == {}
