"""What was confirmed is there once, whatever fails and whenever the process ends."""

from __future__ import annotations

import pytest

from tests.support.storage_model import live


@pytest.mark.parametrize("sync", ["always", "interval", "none"])
def test_what_was_confirmed_is_there_once_whatever_happens(tmp_path, sync):
    for seed in range(8):  # thousands by python -m tests.campaigns.storage_failures
        live(tmp_path / str(seed), seed, sync, steps=150)
