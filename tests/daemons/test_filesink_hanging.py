"""A disk that hangs under one file of the sink: a short form of ``campaigns.filesink.hanging``."""

from __future__ import annotations

import pytest

from tests.campaigns.filesink import full, hanging, memory
from tests.support.peers import program

HANGS = 2.0


@pytest.mark.parametrize("call", ["writev", pytest.param("fdatasync", marks=pytest.mark.thorough)])
def test_other_files_and_other_services_go_on_while_one_file_s_disk_hangs(call: str) -> None:
    found = hanging.run(program("cc", "gcc"), call, HANGS, 0.3, 1 << 20)
    assert found.others > 20
    # Nobody has waited for the disk that hangs; how much slower is a matter of a quiet machine.
    assert found.longest < HANGS / 2
    assert found.grown < hanging.MOST_MEMORY


def test_senders_wait_while_a_disk_is_full_and_go_on_when_it_is_freed() -> None:
    try:
        full.disk(seed=1)
    except full.NotRootError as error:
        pytest.skip(f"needs a disk of its own: {error}")


@pytest.mark.thorough
def test_senders_wait_while_a_quota_is_reached() -> None:
    full.quota(seed=1)


@pytest.mark.thorough
@pytest.mark.parametrize("frontend", memory.WAYS)
@pytest.mark.parametrize("senders", [1, 64])
def test_a_sink_s_memory_is_flat(frontend: str, senders: int, tmp_path) -> None:
    assert memory.growth(frontend, senders, 1 << 27, tmp_path)[0] < memory.MOST
