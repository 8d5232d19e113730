"""A running daemon's admin socket and the pages of its metrics port, as an operator asks them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from socketsuite.testing import Daemon, operator
from socketsuite.testing import until as until
from tests.support.outside import SECONDS


def asked(path: Path, command: str = "status", **more: Any) -> dict[str, Any]:
    """Return what the admin socket at *path* answers."""
    return operator.ask(path, command, SECONDS, **more)


def page(daemon: Daemon, path: str) -> tuple[int, str]:
    """Return the status and the text of a page of the daemon's metrics port."""
    return daemon.page(path)


def figures(daemon: Daemon) -> dict[str, float]:
    """Return the figures of the metrics page, by name and labels as they stand there."""
    return daemon.metrics()
