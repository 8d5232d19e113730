"""Where the ``socketsuite`` command begins: signals first, then everything that takes time to load.

This module must not know what the command does, and imports next to nothing.
"""

from __future__ import annotations

from typing import NoReturn

from socketsuite.cli.stopping import Stopped, catch, leave
from socketsuite.loading import without_collections


def main() -> NoReturn:
    """Run the command and exit; see :func:`socketsuite.cli.command.main`."""
    try:
        catch()
        with without_collections():
            from socketsuite.cli.command import main as run
    except Stopped as stopped:
        leave(128 + stopped.number)
    run()
