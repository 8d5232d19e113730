"""What is logged meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from twisted.python import log


@pytest.fixture
def flushed() -> Iterator[list[dict[str, Any]]]:
    """What was logged; errors in it are expected."""
    logged: list[dict[str, Any]] = []
    log.addObserver(logged.append)
    yield logged
    log.removeObserver(logged.append)
