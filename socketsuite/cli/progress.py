"""A progress bar on standard error, redrawn by the reactor's clock.

This module must not know what makes progress.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from twisted.internet.task import LoopingCall

_REDRAW_SECONDS = 0.1


@contextmanager
def progress_bar(
    reactor: Any, completed: Callable[[], int], total: Callable[[], int | None]
) -> Iterator[Callable[[str], None]]:
    """Show bytes, rate and time left meanwhile; yield what writes a line above the bar.

    :param completed: returns how many bytes of *total* are done; what is not known is ``None``.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    console = Console(stderr=True)
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    # rich would refresh from a thread of its own; the reactor's clock does it here.
    with Progress(*columns, console=console, auto_refresh=False) as bar:
        task = bar.add_task("", total=total())

        def redraw() -> None:
            bar.update(task, completed=completed(), total=total(), refresh=True)

        clock = LoopingCall(redraw)
        clock.clock = reactor
        clock.start(_REDRAW_SECONDS)
        try:
            yield lambda text: console.print(text, markup=False, highlight=False)
        finally:
            clock.stop()
            redraw()
