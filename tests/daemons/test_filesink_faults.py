"""The file sink, whose system calls fail: short forms of ``tests.campaigns.filesink.faults``."""

from __future__ import annotations

import errno

import pytest

from tests.campaigns.filesink import faults
from tests.campaigns.filesink.disk_faults import FOR_EVER, SHORT, Fault
from tests.support.peers import program

EIO, ENOSPC = errno.EIO, errno.ENOSPC
HALF = Fault("writev", "s0.bin", 1, 1, SHORT)
FULL = Fault("writev", "s0.bin", 2, 4, ENOSPC)


@pytest.mark.parametrize(
    "some",
    [
        (Fault("fdatasync", "s0.bin", 1, 1, EIO),),
        (Fault("fdatasync", "~journal", 3, 3, EIO),),
        (HALF, FULL, Fault("ftruncate", "s0.bin", 1, FOR_EVER, EIO)),
        (Fault("rename", "s0.bin", 1, 3, ENOSPC),),
        pytest.param((HALF, FULL), marks=pytest.mark.thorough),
        pytest.param((Fault("writev", "raw.bin", 2, 2, EIO),), marks=pytest.mark.thorough),
        pytest.param((Fault("write", "~journal", 3, 5, ENOSPC),), marks=pytest.mark.thorough),
        pytest.param((Fault("rename", "s0.bin", 1, 1, EIO),), marks=pytest.mark.thorough),
    ],
    ids=lambda some: "; ".join(map(str, some)),
)
def test_nothing_is_acknowledged_that_a_fault_kept_from_the_disk(some: tuple[Fault, ...]) -> None:
    assert faults.run(some, program("cc", "gcc"), None, seed=1)[0]
