"""Progress bars on standard error, redrawn by the reactor's clock or as the work goes on.

This module must not know what makes progress.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from socketsuite.cli.output import harmless

_REDRAW_SECONDS = 0.1


def _bar() -> Any:
    """Return a bar of bytes, rate and time left, and its console."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    # rich would refresh from a thread of its own; the caller does it.
    return Progress(*columns, console=Console(stderr=True), auto_refresh=False)


@contextmanager
def progress_bar(
    reactor: Any, completed: Callable[[], int], total: Callable[[], int | None]
) -> Iterator[Callable[[str], None]]:
    """Show bytes, rate and time left meanwhile; yield what writes a line above the bar.

    :param completed: returns how many bytes of *total* are done; what is not known is ``None``.
    """
    from twisted.internet.task import LoopingCall

    with _bar() as bar:
        task = bar.add_task("", total=total())

        def redraw() -> None:
            bar.update(task, completed=completed(), total=total(), refresh=True)

        clock = LoopingCall(redraw)
        clock.clock = reactor
        clock.start(_REDRAW_SECONDS)
        try:
            yield lambda text: bar.console.print(harmless(text), markup=False, highlight=False)
        finally:
            clock.stop()
            redraw()


@contextmanager
def blocking_progress_bar(total: int) -> Iterator[Callable[[int], None]]:
    """Show the same of work that has no reactor; yield what is told of more bytes done."""
    with _bar() as bar:
        task = bar.add_task("", total=total)
        last = 0.0

        def done(count: int) -> None:
            nonlocal last
            now = time.monotonic()
            bar.update(task, advance=count, refresh=now - last >= _REDRAW_SECONDS)
            last = now if now - last >= _REDRAW_SECONDS else last

        yield done
        bar.refresh()
